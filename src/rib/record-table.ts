// SPDX-License-Identifier: Apache-2.0
/**
 * Records of a few 32-bit words in one typed array: what the RIB has a million of.
 *
 * A record is a number; its words are adjacent. The array doubles when it is full. When three
 * quarters are empty it shrinks again: live records of the tail move one at a time into holes of
 * the front (`compact`), so that no step takes long and everything is usable in between.
 *
 * `words` is another array after `allocate`, `release` and `compact`, and the one before is empty.
 *
 * Word 1 of every record belongs to this file while the record is free, and must not be negative
 * while it is live.
 */
import { assert } from '../lib/assert.ts';
import { freeArray } from '../lib/free-array.ts';

const link = 1;
const recordsMin = 64;
const endOfList = 0x7fff_ffff;

export class RecordTable {
  readonly #wordsEach: number;
  /** Number 0 is never given out, so that 0 can mean none. */
  #used = 1;
  #count = 0;
  #capacity = recordsMin;
  #free = endOfList;
  #target = 0;
  words: Int32Array;

  /** @param wordsEach - words of one record */
  constructor(wordsEach: number) {
    this.#wordsEach = wordsEach;
    this.words = new Int32Array(recordsMin * wordsEach);
  }

  /** Live records. */
  get count(): number {
    return this.#count;
  }

  /** Every live record is below it. */
  get end(): number {
    return this.#used;
  }

  get bytes(): number {
    return this.words.byteLength;
  }

  isLive(record: number): boolean {
    return this.words[record * this.#wordsEach + link]! >= 0;
  }

  /** @returns a record whose words are all zero */
  allocate(): number {
    this.#count += 1;
    const record = this.#free;
    if (record !== endOfList) {
      const at = record * this.#wordsEach;
      this.#free = ~this.words[at + link]!;
      this.words.fill(0, at, at + this.#wordsEach);
      return record;
    }
    if (this.#target > 0) {
      // More came than the shrunk table would hold.
      this.#target = 0;
      this.#listFree(this.#used);
      if (this.#free !== endOfList) {
        this.#count -= 1;
        return this.allocate();
      }
    }
    if (this.#used === this.#capacity) this.#resize(this.#capacity * 2);
    this.#used += 1;
    return this.#used - 1;
  }

  release(record: number): void {
    assert(this.isLive(record), 'a released record is live');
    this.#count -= 1;
    if (this.#count === 0) {
      this.reset();
      return;
    }
    // Beyond the target a hole is not used again: the table ends there soon.
    const isListed = this.#target === 0 || record < this.#target;
    this.words[record * this.#wordsEach + link] = ~(isListed ? this.#free : endOfList);
    if (isListed) this.#free = record;
  }

  get isSparse(): boolean {
    return this.#capacity > recordsMin && this.#count * 4 < this.#capacity;
  }

  /**
   * Moves up to `movesMax` records towards the front and shrinks when the tail is empty.
   *
   * @param move - called after the words of a record were copied: updates what refers to it
   * @returns true when there is nothing left to do
   */
  compact(movesMax: number, move: (from: number, to: number) => void): boolean {
    if (this.#target === 0) {
      if (!this.isSparse) return true;
      this.#target = recordsMin;
      while (this.#target < this.#count * 2) this.#target *= 2;
      this.#listFree(this.#target);
    }
    const { words } = this;
    for (let moves = 0; this.#used > this.#target; moves += 1) {
      if (moves === movesMax) return false;
      const from = this.#used - 1;
      if (this.isLive(from)) {
        const to = this.#free;
        if (to === endOfList) {
          this.#target = 0;
          this.#listFree(this.#used);
          return true;
        }
        this.#free = ~words[to * this.#wordsEach + link]!;
        const at = from * this.#wordsEach;
        words.copyWithin(to * this.#wordsEach, at, at + this.#wordsEach);
        move(from, to);
      }
      this.#used = from;
    }
    const target = this.#target;
    this.#target = 0;
    this.#resize(target);
    return true;
  }

  /** Lists the holes below `end`, lowest first. */
  #listFree(end: number): void {
    this.#free = endOfList;
    for (let record = Math.min(end, this.#used) - 1; record > 0; record -= 1) {
      if (this.isLive(record)) continue;
      this.words[record * this.#wordsEach + link] = ~this.#free;
      this.#free = record;
    }
  }

  #resize(capacity: number): void {
    const words = new Int32Array(capacity * this.#wordsEach);
    words.set(this.words.subarray(0, Math.min(this.#used, capacity) * this.#wordsEach));
    freeArray(this.words);
    this.words = words;
    this.#capacity = capacity;
  }

  /** Forgets every record and gives the memory back. */
  protected reset(): void {
    this.#count = 0;
    this.#used = 1;
    this.#capacity = recordsMin;
    this.#free = endOfList;
    this.#target = 0;
    freeArray(this.words);
    this.words = new Int32Array(recordsMin * this.#wordsEach);
  }
}
