/**
 * A clock that remembers the longest step: CPU time of this thread in one timer or one slice. All
 * long work of egretd runs in such steps, so the maximum says how long anything else had to wait.
 */
import type { Clock, Timer } from './lib/clock.ts';

export class MeasuredClock implements Clock {
  readonly #clock: Clock;
  /** CPU milliseconds. */
  stepMsMax = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  nowMs(): number {
    return this.#clock.nowMs();
  }

  wallMs(): number {
    return this.#clock.wallMs();
  }

  threadCpuMs(): number {
    return this.#clock.threadCpuMs();
  }

  after(delayMs: number, run: () => void): Timer {
    return this.#clock.after(delayMs, () => this.#measure(run));
  }

  soon(run: () => void): void {
    this.#clock.soon(() => this.#measure(run));
  }

  #measure(run: () => void): void {
    const beginMs = this.#clock.threadCpuMs();
    try {
      run();
    } finally {
      this.stepMsMax = Math.max(this.stepMsMax, this.#clock.threadCpuMs() - beginMs);
    }
  }
}
