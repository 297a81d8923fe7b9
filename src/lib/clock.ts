/**
 * Time as an argument. Everything that waits or stamps takes a Clock, so that tests and the
 * simulation decide what time it is. The only file that asks the system for the time.
 */

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
  /** Runs after pending I/O: how long work is cut into slices (design: 50 ms of CPU at most). */
  soon(run: () => void): void;
  /** CPU time of this thread in milliseconds, for measuring slices. */
  threadCpuMs(): number;
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
  threadCpuMs() {
    const usage = process.threadCpuUsage();
    return (usage.user + usage.system) / 1000;
  },
};
