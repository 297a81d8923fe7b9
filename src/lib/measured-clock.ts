/**
 * A clock that knows the longest step of the main thread, in CPU time (`process.threadCpuUsage()`).
 *
 * A step lasts from the begin of one timer or slice to the begin of the next. So everything counts,
 * with the step that it follows: continuations of promises, callbacks of sockets and signals, what
 * Node does by itself, and garbage collection as far as it runs on this thread. Several of them
 * between two slices count as one step: the maximum may be too large, never too small. Absent is what comes
 * before a life serves anybody: loading the program, the first reading of the configuration, the
 * making of a new arena.
 *
 * The kernel accounts a running thread at its ticks: a step is known to some 4 ms.
 */
import type { Clock, Timer } from './clock.ts';

export class MeasuredClock implements Clock {
  readonly #clock: Clock;
  /** CPU time at the begin of the step under way. */
  #stepBeginMs: number;
  /** CPU milliseconds. */
  stepMsMax = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#stepBeginMs = clock.threadCpuMs();
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
    return this.#clock.after(delayMs, () => this.#begin(run));
  }

  soon(run: () => void): void {
    this.#clock.soon(() => this.#begin(run));
  }

  /** Ends a step: what follows is another one. */
  pause(): Promise<void> {
    return new Promise((resolve) => this.soon(resolve));
  }

  /** What has been done since the last step began does not count. */
  disregard(): void {
    this.#stepBeginMs = this.#clock.threadCpuMs();
  }

  #begin(run: () => void): void {
    const nowMs = this.#clock.threadCpuMs();
    this.stepMsMax = Math.max(this.stepMsMax, nowMs - this.#stepBeginMs);
    this.#stepBeginMs = nowMs;
    run();
  }
}
