// SPDX-License-Identifier: Apache-2.0
/**
 * Time as an argument. Everything that waits or stamps takes a Clock, so that tests and the
 * simulation decide what time it is. The only file that asks the system for the time.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';

/** A timer that has been set; clearing it twice is harmless. */
export interface Timer {
  clear(): void;
}

export interface Clock {
  /** Monotonic milliseconds, with fractions. */
  nowMs(): number;
  /** Wall clock, for logs and status only. */
  wallMs(): number;
  /** Runs once after delayMs. */
  after(delayMs: number, run: () => void): Timer;
  /** Runs in this turn of the event loop, after its I/O. For work-queue.ts, which all others ask. */
  soon(run: () => void): void;
  /**
   * Milliseconds in which the event loop did not wait for anything, since it began: advances only in
   * callbacks, including those of Node itself. Costs 0.3 µs.
   */
  busyMs(): number;
}

export const systemClock: Clock = {
  nowMs: () => performance.now(),
  wallMs: () => Date.now(),
  after(delayMs, run) {
    const handle = setTimeout(run, delayMs);
    return { clear: () => clearTimeout(handle) };
  },
  soon(run) {
    setImmediate(run);
  },
  busyMs: () => performance.eventLoopUtilization().active,
};

/** What a timer that is set again and again sees: nanoseconds between two of its calls. */
export interface DelayHistogram {
  readonly max: number;
  percentile(percent: number): number;
  reset(): void;
}

/** @param resolutionMs - between two calls if nothing holds them up */
export function systemDelayHistogram(resolutionMs: number): DelayHistogram {
  const histogram = monitorEventLoopDelay({ resolution: resolutionMs });
  histogram.enable();
  return histogram;
}
