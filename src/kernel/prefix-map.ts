// SPDX-License-Identifier: Apache-2.0
/**
 * IPv4 prefixes with a 32-bit value and an 8-bit mark each, for tables of a million.
 *
 * Open addressing with linear probing, ten bytes a slot, in 256 shards: a shard grows and shrinks by
 * itself in well under a millisecond, where one large table would stop the main thread for tens of
 * them. Removal shifts back what follows, so that there are no tombstones.
 */
import { freeArray } from '../lib/free-array.ts';
import type { Ipv4 } from '../net/ipv4.ts';

export const shardCount = 256;
const slotsMin = 8;

interface Shard {
  addresses: Uint32Array;
  /** Prefix length + 1; 0: the slot is free. */
  lengths: Uint8Array;
  values: Uint32Array;
  marks: Uint8Array;
  count: number;
}

export class PrefixMap {
  readonly #shards: Shard[] = Array.from({ length: shardCount }, () => makeShard(slotsMin));
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** @returns the value, or undefined */
  get(address: Ipv4, length: number): number | undefined {
    const hash = hashOf(address, length);
    const shard = this.#shards[hash & (shardCount - 1)]!;
    const slot = find(shard, hash, address, length);
    return slot < 0 ? undefined : shard.values[slot];
  }

  /** Adds or replaces. @param mark - 0 to 255 */
  set(address: Ipv4, length: number, value: number, mark: number): void {
    const hash = hashOf(address, length);
    const number = hash & (shardCount - 1);
    let shard = this.#shards[number]!;
    let slot = find(shard, hash, address, length);
    if (slot < 0) {
      if ((shard.count + 1) * 5 > shard.lengths.length * 3) {
        shard = this.#shards[number] = resized(shard, shard.lengths.length * 2);
        slot = find(shard, hash, address, length);
      }
      slot = ~slot;
      shard.addresses[slot] = address;
      shard.lengths[slot] = length + 1;
      shard.count += 1;
      this.#count += 1;
    }
    shard.values[slot] = value;
    shard.marks[slot] = mark;
  }

  /** Sets the mark of a prefix that is there. */
  mark(address: Ipv4, length: number, mark: number): void {
    const hash = hashOf(address, length);
    const shard = this.#shards[hash & (shardCount - 1)]!;
    const slot = find(shard, hash, address, length);
    if (slot >= 0) shard.marks[slot] = mark;
  }

  /** @returns whether it was there */
  delete(address: Ipv4, length: number): boolean {
    const hash = hashOf(address, length);
    const number = hash & (shardCount - 1);
    const shard = this.#shards[number]!;
    const slot = find(shard, hash, address, length);
    if (slot < 0) return false;
    this.#count -= 1;
    shard.count -= 1;
    removeSlot(shard, slot);
    const slots = shard.lengths.length;
    if (slots > slotsMin && shard.count * 8 < slots) {
      this.#shards[number] = resized(shard, slots / 2);
    }
    return true;
  }

  clear(): void {
    for (let number = 0; number < shardCount; number += 1) {
      free(this.#shards[number]!);
      this.#shards[number] = makeShard(slotsMin);
    }
    this.#count = 0;
  }

  /**
   * Visits one shard: a walk over all of them can stop in between. The visitor must not change the
   * map.
   *
   * @param number - 0 to shardCount - 1
   */
  forEachInShard(
    number: number,
    visit: (address: Ipv4, length: number, value: number, mark: number) => void,
  ): void {
    const { addresses, lengths, values, marks } = this.#shards[number]!;
    for (let slot = 0; slot < lengths.length; slot += 1)
      if (lengths[slot] !== 0)
        visit(addresses[slot]!, lengths[slot]! - 1, values[slot]!, marks[slot]!);
  }
}

function makeShard(slots: number): Shard {
  return {
    addresses: new Uint32Array(slots),
    lengths: new Uint8Array(slots),
    values: new Uint32Array(slots),
    marks: new Uint8Array(slots),
    count: 0,
  };
}

function free({ addresses, lengths, values, marks }: Shard): void {
  for (const array of [addresses, lengths, values, marks]) freeArray(array);
}

/** Low 8 bits choose the shard, the others the slot. */
function hashOf(address: Ipv4, length: number): number {
  let hash = Math.imul(address ^ Math.imul(length + 1, 0x9e37_79b1), 0x85eb_ca6b);
  hash = Math.imul(hash ^ (hash >>> 15), 0xc2b2_ae35);
  return (hash ^ (hash >>> 13)) >>> 0;
}

const homeOf = (shard: Shard, hash: number): number => (hash >>> 8) & (shard.lengths.length - 1);

/** @returns the slot, or the complement of the free slot where it would go */
function find(shard: Shard, hash: number, address: Ipv4, length: number): number {
  const mask = shard.lengths.length - 1;
  let slot = homeOf(shard, hash);
  while (shard.lengths[slot] !== 0) {
    if (shard.addresses[slot] === address && shard.lengths[slot] === length + 1) return slot;
    slot = (slot + 1) & mask;
  }
  return ~slot;
}

/** A copy with another number of slots; the shard itself is not used afterwards. */
function resized(shard: Shard, slots: number): Shard {
  const copy = makeShard(slots);
  copy.count = shard.count;
  for (let from = 0; from < shard.lengths.length; from += 1) {
    if (shard.lengths[from] === 0) continue;
    const address = shard.addresses[from]!;
    const length = shard.lengths[from]! - 1;
    copySlot(shard, from, copy, ~find(copy, hashOf(address, length), address, length));
  }
  free(shard);
  return copy;
}

function copySlot(source: Shard, from: number, target: Shard, to: number): void {
  target.addresses[to] = source.addresses[from]!;
  target.lengths[to] = source.lengths[from]!;
  target.values[to] = source.values[from]!;
  target.marks[to] = source.marks[from]!;
}

/** Frees a slot and moves back those behind it that would no longer be found. */
function removeSlot(shard: Shard, freed: number): void {
  const mask = shard.lengths.length - 1;
  let hole = freed;
  for (let slot = (hole + 1) & mask; shard.lengths[slot] !== 0; slot = (slot + 1) & mask) {
    const home = homeOf(shard, hashOf(shard.addresses[slot]!, shard.lengths[slot]! - 1));
    if (((slot - home) & mask) < ((slot - hole) & mask)) continue;
    copySlot(shard, slot, shard, hole);
    hole = slot;
  }
  shard.lengths[hole] = 0;
}
