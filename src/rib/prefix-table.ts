/**
 * The prefixes of one RIB: records found by (address, length) through open addressing.
 *
 *   word  0        1       2          3             4
 *         address  meta    first path next-hop set  next-hop set that the FIB was told
 *
 * meta: bits 0..5 the length, 6..7 the kind of the best route, then flags. The hash index is cut into
 * segments that grow and shrink each on its own: a full table never rehashes in one go. Removal
 * shifts back (Knuth, TAOCP 3, 6.4 algorithm R), so that there are no tombstones.
 */
import { freeArray } from '../lib/free-array.ts';
import type { Ipv4 } from '../net/ipv4.ts';
import { maskOf } from '../net/ipv4.ts';
import { RecordTable } from './record-table.ts';

export const rowWords = 5;
export const rowAddress = 0;
export const rowMeta = 1;
export const rowPaths = 2;
export const rowSet = 3;
export const rowDelivered = 4;

export const metaLength = 0x3f;
export const metaKindShift = 6;
export const metaKind = 0xc0;
export const metaUndecided = 0x100;
/** One bit for each consumer: a change is queued for it. */
export const metaDirtyShift = 9;
export const metaDirty = 0x1_fe00;
/** One bit for each consumer: it was told a route. */
export const metaPresentShift = 17;

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
    super(rowWords);
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
      const at = row * rowWords;
      if (words[at] === key && (words[at + rowMeta]! & metaLength) === length) return row;
    }
  }

  /** Adds a prefix that is not there. */
  add(address: Ipv4, length: number): number {
    const row = this.allocate();
    this.words[row * rowWords] = address | 0;
    this.words[row * rowWords + rowMeta] = length;
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
    const address = this.words[row * rowWords]!;
    const length = this.words[row * rowWords + rowMeta]! & metaLength;
    this.lengthCounts[length]! -= 1;
    const hash = this.#hash(address, length);
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
    const at = row * rowWords;
    return this.#hash(this.words[at]!, this.words[at + rowMeta]! & metaLength);
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
