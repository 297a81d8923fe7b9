// SPDX-License-Identifier: Apache-2.0
/**
 * The timers of one connection's state machine, each with its rule of how exact it is.
 *
 * RFC 4271 §10: all are jittered but the hold timers, whose length is agreed on (RFC 9687's follows
 * from it). KEEPALIVEs stay a second apart, whatever the jitter (§4.4).
 */
import type { Clock } from '../../lib/clock.ts';
import { DeadlineTimer } from '../../lib/deadline-timer.ts';
import type { Random } from '../../lib/random.ts';
import { jittered } from './backoff.ts';
import type { TimerName } from './fsm-step.ts';

const keepaliveShortestMs = 1_000;

export class PeeringTimers {
  readonly #random: Random;
  readonly #timers: Record<TimerName, DeadlineTimer>;

  constructor(clock: Clock, random: Random, expired: Record<TimerName, () => void>) {
    this.#random = random;
    const timer = (name: TimerName) => new DeadlineTimer(clock, expired[name]);
    this.#timers = {
      connectRetry: timer('connectRetry'),
      hold: timer('hold'),
      keepalive: timer('keepalive'),
      sendHold: timer('sendHold'),
      idleHold: timer('idleHold'),
    };
  }

  /** undefined: not running. */
  remainingMs(timer: TimerName): number | undefined {
    return this.#timers[timer].remainingMs;
  }

  /** As the state machine asks for it: with jitter. */
  start(timer: TimerName, delayMs: number): void {
    const isExact = timer === 'hold' || timer === 'sendHold';
    const jitteredMs = isExact ? delayMs : jittered(delayMs, this.#random);
    const shortestMs = timer === 'keepalive' ? keepaliveShortestMs : 0;
    this.startExactly(timer, Math.max(jitteredMs, shortestMs));
  }

  startExactly(timer: TimerName, delayMs: number): void {
    this.#timers[timer].start(delayMs);
  }

  stop(timer: TimerName): void {
    this.#timers[timer].stop();
  }

  stopAll(): void {
    for (const timer of Object.values(this.#timers)) timer.stop();
  }
}
