/**
 * Work in slices: whoever has some is asked in turn, a little each, and the event loop gets a word
 * in after a few milliseconds. One queue serves all sessions of a speaker, so that ten full tables
 * at once take no longer steps than one.
 */
import type { Clock } from './clock.ts';

export interface Worker {
  /** Does a little, well under a millisecond if possible. @returns whether there is more */
  work(): boolean;
}

export class WorkQueue {
  readonly #clock: Clock;
  readonly #sliceMs: number;
  readonly #ready = new Set<Worker>();
  #isScheduled = false;
  /** Longest slice so far, in milliseconds of this thread's CPU. */
  sliceMsMax = 0;

  constructor(clock: Clock, sliceMs: number) {
    this.#clock = clock;
    this.#sliceMs = sliceMs;
  }

  add(worker: Worker): void {
    this.#ready.add(worker);
    this.#schedule();
  }

  remove(worker: Worker): void {
    this.#ready.delete(worker);
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#clock.soon(() => {
      this.#isScheduled = false;
      this.#run();
    });
  }

  #run(): void {
    const startMs = this.#clock.nowMs();
    const startCpuMs = this.#clock.threadCpuMs();
    // Whoever has more goes to the end of the set, which a loop over it reaches again: the budget
    // ends the loop. A clock that stands still (tests) is ended by the count.
    let turns = 0;
    for (const worker of this.#ready) {
      this.#ready.delete(worker);
      if (worker.work()) this.#ready.add(worker);
      turns += 1;
      if (turns === 10_000 || this.#clock.nowMs() - startMs >= this.#sliceMs) break;
    }
    this.sliceMsMax = Math.max(this.sliceMsMax, this.#clock.threadCpuMs() - startCpuMs);
    if (this.#ready.size > 0) this.#schedule();
  }
}
