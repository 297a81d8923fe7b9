// SPDX-License-Identifier: Apache-2.0
/**
 * A ROUTE-REFRESH of ours, until the neighbor answers (RFC 2918 §4): new import filters judge only
 * what is announced again, since what they or their predecessors rejected is not kept.
 *
 * Its answer begins with BoRR where both have enhanced route refresh (RFC 7313 §4). Elsewhere it has
 * no mark, and the first UPDATE that announces anything counts. A neighbor that has announced
 * nothing has nothing to repeat.
 */
import type { Clock } from '../../lib/clock.ts';
import { DeadlineTimer } from '../../lib/deadline-timer.ts';
import type { Log } from '../../lib/log.ts';

/** No RFC says how soon the answer must begin; routers take seconds at most. */
const answerWaitMs = 60_000;

const advice = 'new import filters wait for it; reset the session at the neighbor';

export class RefreshRequest {
  readonly #timer: DeadlineTimer;
  readonly #log: Log;
  readonly #hasRoutes: () => boolean;
  #isSilent = false;
  #answersWithMark = false;

  /** @param hasRoutes - whether the neighbor has announced anything */
  constructor(clock: Clock, log: Log, hasRoutes: () => boolean) {
    this.#timer = new DeadlineTimer(clock, () => this.#expired());
    this.#log = log;
    this.#hasRoutes = hasRoutes;
  }

  /** For status; undefined when there is nothing to say. */
  get warning(): string | undefined {
    return this.#isSilent ? `no answer to ROUTE-REFRESH: ${advice}` : undefined;
  }

  /** @param hasEnhanced - both have enhanced route refresh */
  sent(hasEnhanced: boolean): void {
    this.#answersWithMark = hasEnhanced;
    this.#timer.start(answerWaitMs);
  }

  announced(): void {
    if (!this.#answersWithMark) this.settle();
  }

  /** BoRR came, or the session went down: nothing is waited for. */
  settle(): void {
    this.#timer.stop();
    this.#isSilent = false;
  }

  #expired(): void {
    if (!this.#hasRoutes()) return;
    this.#isSilent = true;
    this.#log.warn({ waitedMs: answerWaitMs, advice }, 'no answer to ROUTE-REFRESH');
  }
}
