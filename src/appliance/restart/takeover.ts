// SPDX-License-Identifier: Apache-2.0
/**
 * Decides when the FIB of this instance replaces the one that the previous instance left forwarding.
 *
 * RFC 4724 §4.1: routes are selected when every neighbor that was up has sent End-of-RIB, or the
 * deferral timer has expired. A neighbor that is down is not waited for: one that came up again and went
 * down, or one that has not come up within a short while. Silence counts as End-of-RIB only with a
 * neighbor that sends none: others pause for seconds in the middle of a full table.
 */
import type { Clock, Timer } from '../../lib/clock.ts';
import type { WorkQueue } from '../../lib/work-queue.ts';

export interface TakeoverOptions {
  readonly clock: Clock;
  readonly queue: WorkQueue;
  /** Keys of neighbors that were up when the previous instance stopped. */
  readonly awaited: Iterable<string>;
  /** Appliance.spec.bgp.restartDeferral. */
  readonly deferralMs: number;
  /** Runs once. `reason` says what was waited for last. */
  readonly onReady: (reason: string) => void;
}

/** Long enough for a neighbor that retries every few seconds, short compared with its restart timer. */
const comeBackMs = 20_000;

export class Takeover {
  readonly #waiting = new Set<string>();
  readonly #established = new Set<string>();
  readonly #onReady: (reason: string) => void;
  readonly #timers: Timer[];
  #isDone = false;

  constructor(options: TakeoverOptions) {
    this.#onReady = options.onReady;
    for (const key of options.awaited) this.#waiting.add(key);
    const { clock, queue, deferralMs } = options;
    this.#timers = [
      clock.after(deferralMs, () => this.#finish('the deferral time is over')),
      clock.after(Math.min(comeBackMs, deferralMs), () => {
        for (const key of this.#waiting) if (!this.#established.has(key)) this.#waiting.delete(key);
        this.#check('neighbors that did not come back are not waited for');
      }),
    ];
    queue.soon(() => this.#check('no neighbor was up'));
  }

  get isDone(): boolean {
    return this.#isDone;
  }

  /** Neighbors whose End-of-RIB is still waited for. */
  get waiting(): readonly string[] {
    return [...this.#waiting];
  }

  /** Of the neighbors that were up, those that no longer exist are not waited for. */
  keep(keys: ReadonlySet<string>): void {
    for (const key of this.#waiting) if (!keys.has(key)) this.#waiting.delete(key);
    this.#check('the configuration changed');
  }

  established(key: string): void {
    this.#established.add(key);
  }

  /** End-of-RIB came, or the neighbor sends none and has been quiet. */
  synchronized(key: string): void {
    if (this.#waiting.delete(key)) this.#check('every neighbor has sent its routes');
  }

  down(key: string): void {
    if (!this.#established.has(key)) return;
    if (this.#waiting.delete(key)) this.#check('the last neighbor went down');
  }

  stop(): void {
    this.#isDone = true;
    for (const timer of this.#timers) timer.clear();
  }

  #check(reason: string): void {
    if (this.#waiting.size === 0) this.#finish(reason);
  }

  #finish(reason: string): void {
    if (this.#isDone) return;
    this.stop();
    this.#onReady(reason);
  }
}
