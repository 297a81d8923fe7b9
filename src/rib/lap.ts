// SPDX-License-Identifier: Apache-2.0
/**
 * Visits a table of records in slices, and once more when asked again meanwhile.
 *
 *   1 ── … ──▶ asked again here ── … ──▶ end, and from 1 on ── … ──▶ here: done
 *
 * A lap that began again with each request would never reach the end of a large table.
 */
import type { RecordTable } from './record-table.ts';

export class Lap {
  /** The next record; 0: nothing to do. */
  #next = 0;
  /** Where the lap began. */
  #start = 1;
  #hasTurned = false;

  get isDone(): boolean {
    return this.#next === 0;
  }

  /** Every record, from where it stands. */
  begin(): void {
    if (this.isDone) this.#next = 1;
    this.#start = this.#next;
    this.#hasTurned = false;
  }

  /** Advances by some records, and visits those in use. */
  run(table: RecordTable, recordsMax: number, visit: (record: number) => void): void {
    for (let i = 0; i < recordsMax; i += 1) {
      const record = this.next(table.end);
      if (record === 0) return;
      if (table.isLive(record)) visit(record);
    }
  }

  /** @param end - every record is below it  @returns the next record; 0: the lap is done */
  next(end: number): number {
    if (this.isDone) return 0;
    if (this.#next >= end && !this.#hasTurned) {
      this.#hasTurned = true;
      this.#next = 1;
    }
    if (this.#hasTurned && this.#next >= Math.min(this.#start, end)) {
      this.#next = 0;
      return 0;
    }
    this.#next += 1;
    return this.#next - 1;
  }
}
