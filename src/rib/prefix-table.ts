// SPDX-License-Identifier: Apache-2.0
/**
 * The prefixes of one RIB: records found by (address, length) through open addressing.
 *
 *   word  0        1       2          3             4
 *         address  meta    first path next-hop set  next-hop set that the FIB received last
 *
 * meta: bits 0..5 the length, 6..7 the kind of the best route, then flags. Only this file knows where
 * what stands: the accessors are small enough to be inlined, and cost what the words cost.
 *
 * The hash index is cut into segments that grow and shrink each on its own: a full table never
 * rehashes in one go. Removal shifts back (Knuth, TAOCP 3, 6.4 algorithm R), so that there are no
 * tombstones.
 */
import { freeArray } from '../lib/free-array.ts';
import type { Ipv4 } from '../net/ipv4.ts';
import { maskOf } from '../net/ipv4.ts';
import { RecordTable } from './record-table.ts';
import type { NextHopSetId } from './route.ts';

const wordsEach = 5;
const metaWord = 1;
const pathWord = 2;
const setWord = 3;
const deliveredWord = 4;

const lengthMask = 0x3f;
const kindShift = 6;
const kindMask = 0xc0;

/** The kind of a row's best route is an index of it; 0: there is none. */
export const rowKinds = [undefined, 'connected', 'static', 'bgp'] as const;
export const kindConnected = 1;
export const kindBgp = 3;

/** Flags of a row, to be combined. */
export const undecided = 0x100;
/** A change is queued for one of the eight consumers. */
export const dirtyFor = (consumer: number): number => 0x200 << consumer;
export const dirtyForAny = 0x1_fe00;
/** A consumer received a route. */
export const presentFor = (consumer: number): number => 0x2_0000 << consumer;

const segmentBits = 6;
const slotsMin = 8;

export class PrefixTable extends RecordTable {
  /** Prefixes of each length. */
  readonly lengthCounts = new Int32Array(33);
  readonly #seed: number;
  #segments: Int32Array[];
  readonly #segmentCounts = new Int32Array(1 << segmentBits);

  /** @param seed - of the hash: who announces prefixes must not know it */
  constructor(seed: number) {
    super(wordsEach);
    this.#seed = seed | 0;
    this.#segments = emptySegments();
  }

  /** Index included. */
  override get bytes(): number {
    return this.#segments.reduce((sum, segment) => sum + segment.byteLength, super.bytes);
  }

  /** @returns the row, or 0 */
  find(address: Ipv4, length: number): number {
    const key = address | 0;
    const hash = this.#hash(key, length);
    const segment = this.#segments[hash >>> (32 - segmentBits)]!;
    const { words } = this;
    const mask = segment.length - 1;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const row = segment[slot]!;
      if (row === 0) return 0;
      const at = row * wordsEach;
      if (words[at] === key && (words[at + metaWord]! & lengthMask) === length) return row;
    }
  }

  /** Adds a prefix that is not there. */
  add(address: Ipv4, length: number): number {
    const row = this.allocate();
    this.words[row * wordsEach] = address | 0;
    this.words[row * wordsEach + metaWord] = length;
    this.lengthCounts[length]! += 1;
    const hash = this.#hash(address | 0, length);
    const number = hash >>> (32 - segmentBits);
    this.#segmentCounts[number]! += 1;
    const size = this.#segments[number]!.length;
    if (this.#segmentCounts[number]! * 4 > size * 3) this.#rehash(number, size * 2);
    this.#place(this.#segments[number]!, hash, row);
    return row;
  }

  remove(row: number): void {
    this.lengthCounts[this.lengthOf(row)]! -= 1;
    const hash = this.#hashOf(row);
    const number = hash >>> (32 - segmentBits);
    this.#unplace(this.#segments[number]!, hash, row);
    this.release(row);
    this.#segmentCounts[number]! -= 1;
    const size = this.#segments[number]!.length;
    if (size > slotsMin && this.#segmentCounts[number]! * 8 < size) this.#rehash(number, size / 2);
  }

  /** Forgets every prefix, and gives the memory back at once. */
  clear(): void {
    for (const segment of this.#segments) freeArray(segment);
    this.#segments = emptySegments();
    this.#segmentCounts.fill(0);
    this.lengthCounts.fill(0);
    this.reset();
  }

  /** A row was moved by `compact`. */
  moved(from: number, to: number): void {
    const hash = this.#hashOf(to);
    const segment = this.#segments[hash >>> (32 - segmentBits)]!;
    const mask = segment.length - 1;
    let slot = hash & mask;
    while (segment[slot] !== from) slot = (slot + 1) & mask;
    segment[slot] = to;
  }

  /**
   * Longest prefix that holds an address.
   *
   * @param accept - passes over rows that will not do
   * @returns the row, or 0
   */
  longestMatch(address: Ipv4, accept: (row: number) => boolean): number {
    for (let length = 32; length >= 0; length -= 1) {
      if (this.lengthCounts[length] === 0) continue;
      const row = this.find((address & maskOf(length)) >>> 0, length);
      if (row !== 0 && accept(row)) return row;
    }
    return 0;
  }

  // -- One row ----------------------------------------------------------------------------------

  addressOf(row: number): Ipv4 {
    return this.words[row * wordsEach]! >>> 0;
  }

  lengthOf(row: number): number {
    return this.words[row * wordsEach + metaWord]! & lengthMask;
  }

  /** Of the best route. */
  kindOf(row: number): number {
    return (this.words[row * wordsEach + metaWord]! & kindMask) >> kindShift;
  }

  /** What the best route leads to; 0: there is none. */
  setOf(row: number): NextHopSetId {
    return this.words[row * wordsEach + setWord]!;
  }

  putOutcome(row: number, set: NextHopSetId, kind: number): void {
    const at = row * wordsEach;
    this.words[at + setWord] = set;
    this.words[at + metaWord] = (this.words[at + metaWord]! & ~kindMask) | (kind << kindShift);
  }

  /** First of the row's list of paths; 0: it has none. */
  pathOf(row: number): number {
    return this.words[row * wordsEach + pathWord]!;
  }

  putPath(row: number, path: number): void {
    this.words[row * wordsEach + pathWord] = path;
  }

  /** What the consumer that remembers received last; 0: nothing. */
  deliveredOf(row: number): NextHopSetId {
    return this.words[row * wordsEach + deliveredWord]!;
  }

  putDelivered(row: number, set: NextHopSetId): void {
    this.words[row * wordsEach + deliveredWord] = set;
  }

  /** Whether one of some flags is raised. */
  has(row: number, flags: number): boolean {
    return (this.words[row * wordsEach + metaWord]! & flags) !== 0;
  }

  raise(row: number, flags: number): void {
    this.words[row * wordsEach + metaWord]! |= flags;
  }

  lower(row: number, flags: number): void {
    this.words[row * wordsEach + metaWord]! &= ~flags;
  }

  // -- The index --------------------------------------------------------------------------------

  #place(segment: Int32Array, hash: number, row: number): void {
    const mask = segment.length - 1;
    let slot = hash & mask;
    while (segment[slot] !== 0) slot = (slot + 1) & mask;
    segment[slot] = row;
  }

  #unplace(segment: Int32Array, hash: number, row: number): void {
    const mask = segment.length - 1;
    let hole = hash & mask;
    while (segment[hole] !== row) hole = (hole + 1) & mask;
    for (let slot = (hole + 1) & mask; segment[slot] !== 0; slot = (slot + 1) & mask) {
      const home = this.#hashOf(segment[slot]!) & mask;
      // Move back what may not be reached any more across the hole.
      if (((slot - home) & mask) < ((slot - hole) & mask)) continue;
      segment[hole] = segment[slot]!;
      hole = slot;
    }
    segment[hole] = 0;
  }

  #rehash(number: number, size: number): void {
    const segment = new Int32Array(size);
    const before = this.#segments[number]!;
    for (let slot = 0; slot < before.length; slot += 1) {
      const row = before[slot]!;
      if (row !== 0) this.#place(segment, this.#hashOf(row), row);
    }
    this.#segments[number] = segment;
    freeArray(before);
  }

  #hashOf(row: number): number {
    return this.#hash(this.words[row * wordsEach]!, this.lengthOf(row));
  }

  #hash(address: number, length: number): number {
    let hash = Math.imul(address ^ this.#seed, 0x9e37_79b1) ^ Math.imul(length + 1, 0x85eb_ca6b);
    hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b_3c6d);
    hash = Math.imul(hash ^ (hash >>> 12), 0x297a_2d39);
    return (hash ^ (hash >>> 15)) >>> 0;
  }
}

const emptySegments = (): Int32Array[] =>
  Array.from({ length: 1 << segmentBits }, () => new Int32Array(slotsMin));
