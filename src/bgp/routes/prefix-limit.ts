// SPDX-License-Identifier: Apache-2.0
/**
 * How many prefixes a neighbor may announce: a warning from 80 % on, and what happens above.
 *
 * Drop refuses what is above and counts it; Idle ends the session with Cease, Maximum Number of
 * Prefixes Reached (RFC 4486 §4), for the restart time. What was dropped is not kept: once there is
 * room, or the limit is raised, the neighbor must repeat it.
 */
import type { Log } from '../../lib/log.ts';
import type { SpeakerNeighbor } from '../neighbor.ts';
import { type BgpFault, makeCease } from '../wire/notification.ts';

type Limit = Pick<SpeakerNeighbor, 'maximumPrefixes' | 'maximumPrefixesAction'>;

/** Of the limit, in percent: the warning comes at the first, and may come again below the second. */
const nearPercent = 80;
const farPercent = 70;

export class PrefixLimit {
  readonly #log: Log;
  #isNear = false;
  #isExceeded = false;

  constructor(log: Log) {
    this.#log = log;
  }

  /** A new session, or another limit: warnings may come again. */
  reset(): void {
    this.#isNear = false;
    this.#isExceeded = false;
  }

  /**
   * After an UPDATE.
   *
   * @param received - prefixes that the neighbor announces now
   * @param dropped - announcements refused because of the limit
   * @returns what ends the session
   */
  check(limit: Limit, received: number, dropped: number): BgpFault | undefined {
    const { maximumPrefixes, maximumPrefixesAction } = limit;
    const isExceeded = dropped > 0 || received > maximumPrefixes;
    if (isExceeded && !this.#isExceeded) {
      this.#log.warn({ maximumPrefixes, maximumPrefixesAction }, 'more prefixes than the limit');
    }
    this.#isExceeded = isExceeded;
    if (received * 100 < maximumPrefixes * farPercent) this.#isNear = false;
    if (received * 100 >= maximumPrefixes * nearPercent && !this.#isNear) {
      this.#isNear = true;
      this.#log.warn({ received, maximumPrefixes }, 'prefixes are near the limit');
    }
    if (maximumPrefixesAction === 'Drop' || received <= maximumPrefixes) return undefined;
    return makeCease('prefixesMax', `more than ${maximumPrefixes} prefixes`);
  }

  /** For status; undefined when there is nothing to say. */
  warning(limit: Limit, received: number, dropped: number): string | undefined {
    const { maximumPrefixes } = limit;
    if (dropped > 0) {
      return `over the limit of ${maximumPrefixes} prefixes: ${dropped} announcements dropped`;
    }
    if (received * 100 < maximumPrefixes * nearPercent) return undefined;
    return `${received} prefixes of at most ${maximumPrefixes}`;
  }
}
