/**
 * Gives memory back to the system after a table of routes went.
 *
 * Tables shrink by themselves (src/rib, native/fib/prefix_table.c), but what they leave stays with this
 * process otherwise: garbage until the collector sees a reason to run, heap pages that V8 pools or
 * that few objects are left on, freed blocks in malloc's heap, the map of arena pages that hold no
 * route any more. So once routes, FIB and mirror have settled and the tables are less than half of
 * what they were: shrink the heap, a little later trim the rest, and both once more for what the first
 * round has made free.
 *
 * To shrink the heap takes time by what is alive, which is attribute sets above all: where many are
 * left, it is left as it is until they go.
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
const lookMs = 200;
const rounds = 2;
/** How long V8 has, which works in small steps and on other threads. */
const roundMs = 1000;

export class Memory implements Worker {
  readonly #options: MemoryOptions;
  #peakBytes = 0;
  #isLooking = false;

  constructor(options: MemoryOptions) {
    this.#options = options;
  }

  /** Tables may have grown or shrunk. Cheap: they are asked once, however many have. */
  changed(): void {
    this.#options.queue.add(this);
  }

  /** Adds up what the tables take. */
  work(): boolean {
    const bytes = this.#options.tables.tableBytes;
    this.#peakBytes = Math.max(this.#peakBytes, bytes);
    if (this.#peakBytes - bytes > worthBytes && bytes * 2 < this.#peakBytes) this.#lookLater();
    return false;
  }

  /** An earlier life's routes may go yet, which count in no table: looks when all has settled. */
  tookOver(): void {
    this.#lookLater();
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

  /** Each is a step that cannot be cut: it has to wait for its turn. */
  #inTurn(step: () => void): void {
    void this.#options.queue.job(() => {
      step();
      return false;
    });
  }

  #lookLater(): void {
    if (this.#isLooking) return;
    this.#isLooking = true;
    this.#options.clock.after(lookMs, () => {
      this.#isLooking = false;
      const { tables, mirrors } = this.#options;
      if (tables.isSettled && mirrors.isSettled) this.#giveBack();
      else this.#lookLater();
    });
  }
}
