// SPDX-License-Identifier: Apache-2.0
/**
 * How long timers wait for the main thread: the delay of a timer that is set every 10 ms, over what it
 * would have without other work. So everything counts: steps, what Node does by itself, garbage
 * collection, and other processes that have the core.
 *
 * An idle loop shows about 0. What holds the thread up shows as its length, or up to 10 ms less: the
 * timer may have been due at any moment of it. A finer one would show more, and wake an idle egretd
 * more often.
 */
import { type Clock, type DelayHistogram, systemDelayHistogram, type Timer } from './clock.ts';

const resolutionMs = 10;
const windowMs = 30_000;

interface Delays {
  readonly maxMs: number;
  readonly p99Ms: number;
}

const none: Delays = { maxMs: 0, p99Ms: 0 };

export class LoopDelay {
  readonly #clock: Clock;
  readonly #histogram: DelayHistogram;
  #before: Delays = none;
  #maxMs = 0;
  #timer: Timer;

  /** Counts from now on. */
  constructor(clock: Clock, histogram: DelayHistogram = systemDelayHistogram(resolutionMs)) {
    this.#clock = clock;
    this.#histogram = histogram;
    this.#timer = clock.after(windowMs, () => this.#turnOver());
  }

  /** The longest since the start. */
  get maxMs(): number {
    return Math.max(this.#maxMs, this.#now.maxMs);
  }

  /** Of the last 30 to 60 s; p99: the higher one of two windows. */
  get recent(): Delays {
    const { maxMs, p99Ms } = this.#now;
    return {
      maxMs: Math.max(maxMs, this.#before.maxMs),
      p99Ms: Math.max(p99Ms, this.#before.p99Ms),
    };
  }

  stop(): void {
    this.#timer.clear();
  }

  get #now(): Delays {
    // Nothing was counted yet: the histogram's maximum is 0 then.
    const excessMs = (ns: number): number => Math.max(0, ns / 1e6 - resolutionMs);
    const { max } = this.#histogram;
    return { maxMs: excessMs(max), p99Ms: excessMs(this.#histogram.percentile(99)) };
  }

  #turnOver(): void {
    this.#before = this.#now;
    this.#maxMs = Math.max(this.#maxMs, this.#before.maxMs);
    this.#histogram.reset();
    this.#timer = this.#clock.after(windowMs, () => this.#turnOver());
  }
}
