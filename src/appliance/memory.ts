/**
 * Gives memory back to the system after a table of routes went.
 *
 * Tables shrink by themselves (src/rib, native/prefix_table.c), but what they leave stays with this
 * process otherwise: garbage until the collector sees a reason to run, freed blocks in malloc's heap,
 * the map of arena pages that hold no route any more. So once routes, FIB and mirror have settled and
 * the tables are less than half of what they were: collect, and a little later trim.
 *
 * A collection takes time by what is alive, which is attribute sets above all: where many are left,
 * it is left to V8, which does it by and by.
 */
import type { Clock } from '../lib/clock.ts';

export interface MemoryOptions {
  readonly clock: Clock;
  /** The RIBs and FIBs. */
  readonly tables: {
    readonly isSettled: boolean;
    readonly tableBytes: number;
    readonly attributeCount: number;
  };
  readonly mirrors: { readonly isSettled: boolean };
  readonly dataPlane: { trimMemory(): void };
  /** undefined: the collector cannot be called. */
  readonly collect: (() => unknown) | undefined;
}

/** Less is not worth the work. */
const worthBytes = 4 << 20;
const attributesMax = 20_000;
const lookMs = 200;
/** V8 frees what a collection found on other threads. */
const trimMs = 200;

export class Memory {
  readonly #options: MemoryOptions;
  #peakBytes = 0;
  #isLooking = false;

  constructor(options: MemoryOptions) {
    this.#options = options;
  }

  /** Tables may have grown or shrunk. */
  changed(): void {
    const bytes = this.#options.tables.tableBytes;
    this.#peakBytes = Math.max(this.#peakBytes, bytes);
    if (this.#peakBytes - bytes > worthBytes && bytes * 2 < this.#peakBytes) this.#lookLater();
  }

  giveBack(): void {
    const { clock, tables, dataPlane, collect } = this.#options;
    this.#peakBytes = tables.tableBytes;
    if (tables.attributeCount <= attributesMax) collect?.();
    clock.after(trimMs, () => dataPlane.trimMemory());
  }

  #lookLater(): void {
    if (this.#isLooking) return;
    this.#isLooking = true;
    this.#options.clock.after(lookMs, () => {
      this.#isLooking = false;
      const { tables, mirrors } = this.#options;
      if (tables.isSettled && mirrors.isSettled) this.giveBack();
      else this.#lookLater();
    });
  }
}
