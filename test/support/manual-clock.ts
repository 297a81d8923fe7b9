// SPDX-License-Identifier: Apache-2.0
/** A clock for tests: time passes and work runs only when the test says so. */
import type { Clock, Timer } from '../../src/lib/clock.ts';
import { WorkQueue } from '../../src/lib/work-queue.ts';

interface Waiting {
  readonly atMs: number;
  readonly run: () => void;
}

export class ManualClock implements Clock {
  #nowMs = 0;
  #busyMs = 0;
  #soon: (() => void)[] = [];
  readonly #timers = new Set<Waiting>();
  /** What each step of the queue seems to take: few steps in a turn when large. */
  stepMs: number;
  /** Its work is done by `turn`. */
  readonly queue: WorkQueue;

  constructor(stepMs = 0) {
    this.stepMs = stepMs;
    this.queue = new WorkQueue(this);
  }

  nowMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, run: () => void): Timer {
    const waiting = { atMs: this.#nowMs + delayMs, run };
    this.#timers.add(waiting);
    return { clear: () => this.#timers.delete(waiting) };
  }

  soon(run: () => void): void {
    this.#soon.push(run);
  }

  /** Advances with each look at it, of which the queue takes one a step. */
  busyMs(): number {
    this.#busyMs += this.stepMs;
    return this.#busyMs;
  }

  /** One turn of the event loop. @returns false when nothing was to be done */
  turn(): boolean {
    const runs = this.#soon;
    this.#soon = [];
    for (const run of runs) run();
    return runs.length > 0;
  }

  /** Turns until nothing is left to do. @returns how many */
  settle(turnsMax = 100_000): number {
    for (let turns = 0; turns < turnsMax; turns += 1) if (!this.turn()) return turns;
    throw new Error(`still busy after ${turnsMax} turns`);
  }

  /** Lets time pass; timers run in order, with the work that they cause. */
  pass(ms: number): void {
    const endMs = this.#nowMs + ms;
    for (;;) {
      this.settle();
      const due = [...this.#timers].filter((timer) => timer.atMs <= endMs);
      const next = due.sort((a, b) => a.atMs - b.atMs)[0];
      if (next === undefined) break;
      this.#timers.delete(next);
      this.#nowMs = next.atMs;
      next.run();
    }
    this.#nowMs = endMs;
  }
}
