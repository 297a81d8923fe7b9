// SPDX-License-Identifier: Apache-2.0
/**
 * A timer that is set again and again, as the hold timer is by every UPDATE: setting moves the
 * deadline, and the clock's timer is only armed again when it fires too early.
 */
import type { Clock, Timer } from './clock.ts';

export class DeadlineTimer {
  readonly #clock: Clock;
  readonly #expired: () => void;
  #timer: Timer | undefined;
  #timerAtMs = 0;
  #deadlineMs: number | undefined;

  constructor(clock: Clock, expired: () => void) {
    this.#clock = clock;
    this.#expired = expired;
  }

  /** undefined: not running. */
  get remainingMs(): number | undefined {
    if (this.#deadlineMs === undefined) return undefined;
    return Math.max(0, this.#deadlineMs - this.#clock.nowMs());
  }

  start(delayMs: number): void {
    this.#deadlineMs = this.#clock.nowMs() + delayMs;
    if (this.#timer && this.#timerAtMs <= this.#deadlineMs) return;
    this.#arm(delayMs);
  }

  stop(): void {
    this.#deadlineMs = undefined;
    this.#timer?.clear();
    this.#timer = undefined;
  }

  #arm(delayMs: number): void {
    this.#timer?.clear();
    this.#timerAtMs = this.#clock.nowMs() + delayMs;
    this.#timer = this.#clock.after(delayMs, () => this.#fire());
  }

  #fire(): void {
    this.#timer = undefined;
    if (this.#deadlineMs === undefined) return;
    const remainingMs = this.#deadlineMs - this.#clock.nowMs();
    // Below a millisecond the system's timers round anyway.
    if (remainingMs >= 1) {
      this.#arm(remainingMs);
      return;
    }
    this.#deadlineMs = undefined;
    this.#expired();
  }
}
