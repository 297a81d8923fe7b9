// SPDX-License-Identifier: Apache-2.0
/**
 * A set of prefixes for a million of them: it grows and shrinks a piece at a time, where one large
 * Set would stop the main thread while it moves to a larger place.
 */
import type { Ipv4 } from '../net/ipv4.ts';
import { PrefixTable } from './prefix-table.ts';

/** Records that each removal moves towards the front: more than come free by it. */
const movesPerRemoval = 4;

export class PrefixSet {
  readonly #seed: number;
  #table: PrefixTable | undefined;

  /** @param seed - of the hash: who announces prefixes must not know it */
  constructor(seed: number) {
    this.#seed = seed;
  }

  get count(): number {
    return this.#table?.count ?? 0;
  }

  /** What it takes in memory. */
  get bytes(): number {
    return this.#table?.bytes ?? 0;
  }

  add(address: Ipv4, length: number): void {
    this.#table ??= new PrefixTable(this.#seed);
    if (this.#table.find(address, length) === 0) this.#table.add(address, length);
  }

  delete(address: Ipv4, length: number): void {
    const table = this.#table;
    if (table === undefined || table.count === 0) return;
    const row = table.find(address, length);
    if (row === 0) return;
    table.remove(row);
    table.compact(movesPerRemoval, (from, to) => table.moved(from, to));
  }

  clear(): void {
    this.#table?.clear();
    this.#table = undefined;
  }
}
