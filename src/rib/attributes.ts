// SPDX-License-Identifier: Apache-2.0
/**
 * Path attributes, interned by their raw bytes, for every RIB of the process.
 *
 * A full table has some 150,000 distinct sets for a million routes, and two networks that hear the
 * same table share them. A set is decoded once; what the decision process compares is kept in an array
 * of words as well, so that deciding never touches the decoded object.
 *
 * Routes count references. A set that no route holds is freed in a later step: `intern` and `announce`
 * must happen in one step of the work queue, unless the caller retains the set itself.
 */
import { Buffer } from 'node:buffer';
import { assert } from '../lib/assert.ts';
import { freeArray } from '../lib/free-array.ts';
import type { Worker, WorkQueue } from '../lib/work-queue.ts';
import type { Ipv4 } from '../net/ipv4.ts';
import { RecordTable } from './record-table.ts';
import type { AsPathSegment, AttributesId, AttributeTable, PathAttributes } from './route.ts';
import { RowQueue } from './row-queue.ts';

/** RFC 4271 §5.1.5 leaves it to us: what every implementation takes for a route without one. */
export const localPrefDefault = 100;
/** Calico's ipv4NormalRoutePriority. */
export const priorityDefault = 1024;

const setsPerStep = 256;
const slotsMin = 64;

/** What a set takes in addition to its key: record, decoded object, slot. */
const setBytes = 512;

const words = 12;
const hashWord = 0;
const refsWord = 1;
const isIdleWord = 2;
const localPrefWord = 3;
const asPathLengthWord = 4;
const originWord = 5;
const medWord = 6;
const neighborAsWord = 7;
const originatorWord = 8;
const clusterCountWord = 9;
const priorityWord = 10;
const nextHopWord = 11;

const origins = ['IGP', 'EGP', 'INCOMPLETE'] as const;

/** What decision.ts compares of a set. */
export interface DecisionFields {
  localPref: number;
  asPathLength: number;
  origin: number;
  med: number;
  neighborAs: number;
  originatorId: Ipv4;
  clusterCount: number;
  priority: number;
}

export class InternedAttributes implements AttributeTable, Worker {
  readonly #queue: WorkQueue;
  readonly #seed: number;
  readonly #table = new RecordTable(words);
  readonly #idle = new RowQueue();
  #keys: (string | undefined)[] = [];
  #values: (PathAttributes | undefined)[] = [];
  #slots = new Int32Array(slotsMin);
  #keyBytes = 0;

  /** @param seed - of the hash: neighbors must not know it */
  constructor(options: { readonly queue: WorkQueue; readonly seed?: number }) {
    this.#queue = options.queue;
    this.#seed = (options.seed ?? 0) | 0;
  }

  /** Distinct sets, those that are about to be freed included. */
  get count(): number {
    return this.#table.count;
  }

  get weightBytes(): number {
    return this.#keyBytes + this.#table.count * setBytes;
  }

  intern(key: Uint8Array, decode: () => PathAttributes): AttributesId {
    const hash = this.#hash(key);
    const found = this.#find(key, hash);
    if (found !== 0) return found;
    const value = decode();
    const id = this.#table.allocate();
    const at = id * words;
    const record = this.#table.words;
    record[at + hashWord] = hash;
    record[at + localPrefWord] = value.localPref ?? localPrefDefault;
    record[at + asPathLengthWord] = asPathLength(value.asPath);
    record[at + originWord] = origins.indexOf(value.origin);
    record[at + medWord] = value.med ?? 0;
    record[at + neighborAsWord] = neighborAs(value.asPath);
    record[at + originatorWord] = value.originatorId ?? 0;
    record[at + clusterCountWord] = value.clusterList.length;
    record[at + priorityWord] = value.priority ?? priorityDefault;
    record[at + nextHopWord] = value.nextHop ?? 0;
    this.#keys[id] = Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('latin1');
    this.#values[id] = value;
    this.#keyBytes += key.length;
    if (this.#table.count * 4 > this.#slots.length * 3) this.#rehash(this.#slots.length * 2);
    this.#place(id, hash);
    this.#becameIdle(id);
    return id;
  }

  get(id: AttributesId): PathAttributes {
    const value = this.#values[id];
    assert(value !== undefined, 'attributes that are read are held by a route');
    return value;
  }

  /** @returns 0 when the set has none */
  nextHopOf(id: AttributesId): Ipv4 {
    return this.#table.words[id * words + nextHopWord]! >>> 0;
  }

  /** Copies what the decision process compares. */
  read(id: AttributesId, into: DecisionFields): void {
    const record = this.#table.words;
    const at = id * words;
    into.localPref = record[at + localPrefWord]! >>> 0;
    into.asPathLength = record[at + asPathLengthWord]!;
    into.origin = record[at + originWord]!;
    into.med = record[at + medWord]! >>> 0;
    into.neighborAs = record[at + neighborAsWord]! >>> 0;
    into.originatorId = record[at + originatorWord]! >>> 0;
    into.clusterCount = record[at + clusterCountWord]!;
    into.priority = record[at + priorityWord]! >>> 0;
  }

  retain(id: AttributesId): void {
    assert(this.#values[id] !== undefined, 'attributes that are retained are interned');
    this.#table.words[id * words + refsWord]! += 1;
  }

  release(id: AttributesId): void {
    const at = id * words + refsWord;
    assert(this.#table.words[at]! > 0, 'attributes that are released were retained');
    this.#table.words[at]! -= 1;
    if (this.#table.words[at] === 0) this.#becameIdle(id);
  }

  #becameIdle(id: AttributesId): void {
    const at = id * words + isIdleWord;
    if (this.#table.words[at] === 1) return;
    this.#table.words[at] = 1;
    this.#idle.push(id);
    this.#queue.add(this);
  }

  /** Frees sets that no route holds. */
  work(): boolean {
    for (let i = 0; i < setsPerStep && this.#idle.count > 0; i += 1) {
      const id = this.#idle.shift();
      this.#table.words[id * words + isIdleWord] = 0;
      if (this.#table.words[id * words + refsWord] === 0) this.#free(id);
    }
    return this.#idle.count > 0;
  }

  #free(id: AttributesId): void {
    this.#unplace(id);
    this.#keyBytes -= this.#keys[id]?.length ?? 0;
    this.#keys[id] = undefined;
    this.#values[id] = undefined;
    this.#table.release(id);
    if (this.#table.count === 0) {
      this.#keys = [];
      this.#values = [];
      freeArray(this.#slots);
      this.#slots = new Int32Array(slotsMin);
    }
  }

  #find(key: Uint8Array, hash: number): AttributesId {
    const mask = this.#slots.length - 1;
    const record = this.#table.words;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const id = this.#slots[slot]!;
      if (id === 0) return 0;
      if (record[id * words + hashWord] === hash && isSame(this.#keys[id]!, key)) return id;
    }
  }

  #place(id: AttributesId, hash: number): void {
    const mask = this.#slots.length - 1;
    let slot = hash & mask;
    while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
    this.#slots[slot] = id;
  }

  // As in prefix-table.ts: shifts back, no tombstones.
  #unplace(id: AttributesId): void {
    const slots = this.#slots;
    const mask = slots.length - 1;
    const record = this.#table.words;
    let hole = record[id * words + hashWord]! & mask;
    while (slots[hole] !== id) hole = (hole + 1) & mask;
    for (let slot = (hole + 1) & mask; slots[slot] !== 0; slot = (slot + 1) & mask) {
      const home = record[slots[slot]! * words + hashWord]! & mask;
      if (((slot - home) & mask) < ((slot - hole) & mask)) continue;
      slots[hole] = slots[slot]!;
      hole = slot;
    }
    slots[hole] = 0;
  }

  #rehash(size: number): void {
    const before = this.#slots;
    this.#slots = new Int32Array(size);
    for (const id of before) {
      if (id !== 0) this.#place(id, this.#table.words[id * words + hashWord]!);
    }
    freeArray(before);
  }

  /** FNV-1a with a last mix, so that the low bits depend on every byte. */
  #hash(key: Uint8Array): number {
    let hash = 0x811c_9dc5 ^ this.#seed;
    for (let i = 0; i < key.length; i += 1) hash = Math.imul(hash ^ key[i]!, 0x0100_0193);
    hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b_3c6d);
    return hash ^ (hash >>> 13);
  }
}

function isSame(text: string, key: Uint8Array): boolean {
  if (text.length !== key.length) return false;
  for (let i = 0; i < key.length; i += 1) if (text.charCodeAt(i) !== key[i]) return false;
  return true;
}

/** RFC 4271 §9.1.2.2 a: a set counts as one. RFC 5065 §5.3: confederation segments count nothing. */
export function asPathLength(path: readonly AsPathSegment[]): number {
  let count = 0;
  for (const segment of path) {
    if (segment.kind === 'AS_SEQUENCE') count += segment.asNumbers.length;
    if (segment.kind === 'AS_SET') count += 1;
  }
  return count;
}

/**
 * The neighboring AS, for MED (RFC 4271 §9.1.2.2 c).
 *
 * @returns 0 when the path was made in our own AS, or begins with a set
 */
export function neighborAs(path: readonly AsPathSegment[]): number {
  for (const segment of path) {
    if (segment.kind === 'AS_SET') return 0;
    if (segment.kind === 'AS_SEQUENCE' && segment.asNumbers.length > 0) {
      return segment.asNumbers[0]!;
    }
  }
  return 0;
}
