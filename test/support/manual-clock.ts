/** A clock for tests: time stands still until it is told to pass; work runs when it is told to. */
import type { Clock, Timer } from '../../src/lib/clock.ts';

interface Waiting {
  readonly atMs: number;
  readonly run: () => void;
}

export class ManualClock implements Clock {
  #nowMs = 0;
  #cpuMs = 0;
  #soon: (() => void)[] = [];
  readonly #timers = new Set<Waiting>();
  /** CPU time that each look at the clock seems to have taken: small slices when large. */
  cpuPerLookMs: number;

  constructor(cpuPerLookMs = 0) {
    this.cpuPerLookMs = cpuPerLookMs;
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

  threadCpuMs(): number {
    this.#cpuMs += this.cpuPerLookMs;
    return this.#cpuMs;
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
