// SPDX-License-Identifier: Apache-2.0
/**
 * Numbers first in, first out, on a ring that grows and, once drained, gives its memory back.
 *
 * Its users keep a flag with each number that says whether it is queued already: that, and not this
 * file, bounds it to one entry a number.
 */
import { freeArray } from '../lib/free-array.ts';

const ringMin = 64;

export class RowQueue {
  #ring = new Int32Array(ringMin);
  #head = 0;
  #count = 0;

  get count(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.#ring.byteLength;
  }

  push(row: number): void {
    if (this.#count === this.#ring.length) this.#grow();
    this.#ring[(this.#head + this.#count) & (this.#ring.length - 1)] = row;
    this.#count += 1;
  }

  /** @returns the oldest number; 0 when there is none */
  shift(): number {
    if (this.#count === 0) return 0;
    const row = this.#ring[this.#head]!;
    this.#head = (this.#head + 1) & (this.#ring.length - 1);
    this.#count -= 1;
    if (this.#count === 0) this.#reset();
    return row;
  }

  #reset(): void {
    this.#head = 0;
    if (this.#ring.length === ringMin) return;
    freeArray(this.#ring);
    this.#ring = new Int32Array(ringMin);
  }

  #grow(): void {
    const ring = new Int32Array(this.#ring.length * 2);
    ring.set(this.#ring.subarray(this.#head));
    ring.set(this.#ring.subarray(0, this.#head), this.#ring.length - this.#head);
    freeArray(this.#ring);
    this.#ring = ring;
    this.#head = 0;
  }
}
