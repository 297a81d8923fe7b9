// SPDX-License-Identifier: Apache-2.0
/**
 * Prefixes of a RIB in printing order, a slice at a time: by address, and of one address the longest
 * first, as Linux lists a table (net/ipv4/fib_trie.c).
 *
 * Sorting a million keys at once takes longer than a slice may. So the listing scans the table twice:
 * it counts keys by their upper 16 bits, then places them in buckets. Each bucket is sorted when it is
 * read. What is announced meanwhile may be missing; what is withdrawn meanwhile is skipped by the
 * reader, who finds no route.
 */
import { freeArray } from '../lib/free-array.ts';
import type { Ipv4 } from '../net/ipv4.ts';
import type { PrefixTable } from './prefix-table.ts';

const rowsPerKey = 4;

export class RouteListing {
  readonly #prefixes: PrefixTable;
  readonly #onCollected: () => void;
  readonly #starts = new Uint32Array(65_537);
  readonly #filled = new Uint32Array(65_536);
  #keys = new Float64Array(0);
  #row = 1;
  #phase: 'count' | 'place' | 'read' | 'done' = 'count';
  #bucket = 0;
  #next = 0;

  /** @param onCollected - rows may move from now on */
  constructor(prefixes: PrefixTable, onCollected: () => void) {
    this.#prefixes = prefixes;
    this.#onCollected = onCollected;
  }

  get isDone(): boolean {
    return this.#phase === 'done';
  }

  /**
   * Does a bounded piece of work.
   *
   * @param keysMax - prefixes to visit at most; in the first calls there are none yet
   * @returns false when the listing is at its end
   */
  next(keysMax: number, visit: (address: Ipv4, length: number) => void): boolean {
    if (this.#phase === 'count') this.#collect(keysMax * rowsPerKey, this.#count, this.#endCount);
    else if (this.#phase === 'place') {
      this.#collect(keysMax * rowsPerKey, this.#place, this.#endPlace);
    } else if (this.#phase === 'read') this.#read(keysMax, visit);
    return this.#phase !== 'done';
  }

  /** Ends it before its end; harmless afterwards. */
  close(): void {
    if (this.#phase === 'count' || this.#phase === 'place') this.#onCollected();
    if (this.#phase === 'done') return;
    this.#phase = 'done';
    for (const array of [this.#keys, this.#starts, this.#filled]) freeArray(array);
  }

  #collect(rowsMax: number, each: (address: Ipv4, length: number) => void, end: () => void): void {
    const prefixes = this.#prefixes;
    const last = Math.min(prefixes.end, this.#row + rowsMax);
    for (; this.#row < last; this.#row += 1) {
      if (!prefixes.isLive(this.#row) || prefixes.setOf(this.#row) === 0) continue;
      each.call(this, prefixes.addressOf(this.#row), prefixes.lengthOf(this.#row));
    }
    if (this.#row >= prefixes.end) end.call(this);
  }

  #count(address: Ipv4): void {
    this.#starts[(address >>> 16) + 1]! += 1;
  }

  #endCount(): void {
    for (let i = 1; i <= 65_536; i += 1) this.#starts[i]! += this.#starts[i - 1]!;
    this.#keys = new Float64Array(this.#starts[65_536]!);
    this.#row = 1;
    this.#phase = 'place';
  }

  #place(address: Ipv4, length: number): void {
    const bucket = address >>> 16;
    const at = this.#starts[bucket]! + this.#filled[bucket]!;
    // Announced since they were counted: there is no room.
    if (at === this.#starts[bucket + 1]) return;
    this.#filled[bucket]! += 1;
    this.#keys[at] = address * 64 + (32 - length);
  }

  #endPlace(): void {
    this.#phase = 'read';
    this.#onCollected();
  }

  #read(keysMax: number, visit: (address: Ipv4, length: number) => void): void {
    let visited = 0;
    for (; this.#bucket < 65_536; this.#bucket += 1) {
      const start = this.#starts[this.#bucket]!;
      const filled = this.#filled[this.#bucket]!;
      if (this.#next === 0) this.#keys.subarray(start, start + filled).sort();
      for (; this.#next < filled; this.#next += 1) {
        if (visited === keysMax) return;
        const key = this.#keys[start + this.#next]!;
        visit(Math.floor(key / 64), 32 - (key % 64));
        visited += 1;
      }
      this.#next = 0;
    }
    this.close();
  }
}
