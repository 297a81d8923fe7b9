// SPDX-License-Identifier: Apache-2.0
/**
 * How long a neighbor's session waits in Idle, by what brought it there, and whether the neighbor is
 * refused meanwhile (RFC 4271 §8.1.1, DampPeerOscillations; backoff.ts has the figures).
 */
import type { Clock } from '../../lib/clock.ts';
import type { Random } from '../../lib/random.ts';
import { idleHoldFirstMs, idleHoldMs, jittered, stableAfterMs } from './backoff.ts';
import type { DampCause } from './fsm-step.ts';

export class Damping {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #retryMs: number;
  #errorCount = 0;
  #refusesUntilMs = 0;
  #isOverLimit = false;

  /** @param retryMs - between attempts that failed */
  constructor(clock: Clock, random: Random, retryMs: number) {
    this.#clock = clock;
    this.#random = random;
    this.#retryMs = retryMs;
  }

  get isRefusing(): boolean {
    return this.#clock.nowMs() < this.#refusesUntilMs;
  }

  /**
   * @param restartTimeMs - after too many prefixes, exactly
   * @returns how long to wait
   */
  next(cause: DampCause, restartTimeMs: number): number {
    switch (cause) {
      case 'retry':
        return jittered(this.#retryMs, this.#random);
      case 'administrative':
        return jittered(idleHoldFirstMs, this.#random);
      case 'prefixes':
        this.#isOverLimit = true;
        return this.#refuse(restartTimeMs);
      default: {
        this.#errorCount += 1;
        const delayMs = jittered(idleHoldMs(this.#errorCount), this.#random);
        return cause === 'error' ? this.#refuse(delayMs) : delayMs;
      }
    }
  }

  sessionUp(): void {
    this.#isOverLimit = false;
  }

  sessionDown(upMs: number): void {
    if (upMs >= stableAfterMs) this.#errorCount = 0;
  }

  /** The limit of prefixes is another. @returns whether the session need not wait any longer */
  limitChanged(): boolean {
    const isOver = this.#isOverLimit;
    if (isOver) this.#refusesUntilMs = 0;
    this.#isOverLimit = false;
    return isOver;
  }

  #refuse(delayMs: number): number {
    this.#refusesUntilMs = this.#clock.nowMs() + delayMs;
    return delayMs;
  }
}
