// SPDX-License-Identifier: Apache-2.0
/**
 * Gives memory back to the system after many routes were removed.
 *
 * Tables shrink by themselves (src/rib, native/fib/prefix_table.c), but the memory that they free stays
 * with this process: garbage that the collector has no reason to collect yet, heap pages that V8 pools
 * or that hold few objects, freed blocks in malloc's heap, the map of arena pages that hold no route any
 * more. So when routes, FIB and mirror have settled and the tables are less than half of what they were,
 * the heap is shrunk, a little later the rest is trimmed, and both are done once more for what the first
 * round made free.
 *
 * The time to shrink the heap grows with the live objects, most of which are attribute sets: with many
 * of them the heap is not shrunk.
 */
import type { Clock } from '../../lib/clock.ts';
import type { Worker, WorkQueue } from '../../lib/work-queue.ts';

export interface MemoryOptions {
  readonly clock: Clock;
  readonly queue: WorkQueue;
  /** The RIBs and FIBs. */
  readonly tables: {
    readonly isSettled: boolean;
    readonly tableBytes: number;
    readonly attributeCount: number;
  };
  readonly mirrors: { readonly isSettled: boolean };
  readonly dataPlane: { trimMemory(): void };
  /** Makes V8 begin to give back what its heap does not need. */
  readonly shrinkHeap: () => void;
}

/** Less is not worth the work. */
const worthBytes = 4 << 20;
const attributesMax = 20_000;
const checkMs = 200;
const rounds = 2;
/** Time for V8 to finish: it works in small steps and on other threads. */
const roundMs = 1000;

export class Memory implements Worker {
  readonly #options: MemoryOptions;
  #peakBytes = 0;
  #isChecking = false;

  constructor(options: MemoryOptions) {
    this.#options = options;
  }

  /** Tables may have grown or shrunk. Cheap: their sizes are read once, however many have. */
  changed(): void {
    this.#options.queue.add(this);
  }

  /** Adds up what the tables take. */
  work(): boolean {
    const bytes = this.#options.tables.tableBytes;
    this.#peakBytes = Math.max(this.#peakBytes, bytes);
    if (this.#peakBytes - bytes > worthBytes && bytes * 2 < this.#peakBytes) this.#checkLater();
    return false;
  }

  /** Routes of the previous instance are in no table's size: checks once, when all has settled. */
  tookOver(): void {
    this.#checkLater();
  }

  #giveBack(): void {
    this.#peakBytes = this.#options.tables.tableBytes;
    this.#round(rounds);
  }

  #round(roundsLeft: number): void {
    const { clock, tables, dataPlane, shrinkHeap } = this.#options;
    if (tables.attributeCount <= attributesMax) this.#inTurn(shrinkHeap);
    clock.after(roundMs, () => {
      this.#inTurn(() => dataPlane.trimMemory());
      if (roundsLeft > 1) this.#round(roundsLeft - 1);
    });
  }

  /** Each is one step that cannot be divided, so it waits for its turn. */
  #inTurn(step: () => void): void {
    void this.#options.queue.job(() => {
      step();
      return false;
    });
  }

  #checkLater(): void {
    if (this.#isChecking) return;
    this.#isChecking = true;
    this.#options.clock.after(checkMs, () => {
      this.#isChecking = false;
      const { tables, mirrors } = this.#options;
      if (tables.isSettled && mirrors.isSettled) this.#giveBack();
      else this.#checkLater();
    });
  }
}
