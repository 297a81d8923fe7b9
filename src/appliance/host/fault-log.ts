// SPDX-License-Identifier: Apache-2.0
/** The newest verdict on the host. Each fault is logged when it appears and when it is no more. */
import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import { formatIpv4 } from '../../net/ipv4.ts';
import { type HostFault, type HostVerdict, lineOf } from './host-faults.ts';

export class FaultLog {
  verdict: HostVerdict = { faults: [], notReady: new Set(), cutOff: new Set() };
  readonly #clock: Clock;
  readonly #log: Log;
  /** When each appeared, by what makes it another one. */
  readonly #sinceMs = new Map<string, number>();

  constructor(clock: Clock, log: Log) {
    this.#clock = clock;
    this.#log = log;
  }

  /** The next verdict, of a newer Model or host. */
  follow(verdict: HostVerdict): void {
    const before = new Map(this.verdict.faults.map((fault) => [keyOf(fault), fault]));
    const now = new Map(verdict.faults.map((fault) => [keyOf(fault), fault]));
    for (const [key, fault] of now) {
      if (before.has(key)) continue;
      this.#sinceMs.set(key, this.#clock.nowMs());
      const { at, hint } = fault;
      this.#log.warn({ ...about(fault), at, hint }, lineOf(fault));
    }
    for (const [key, fault] of before) {
      if (now.has(key)) continue;
      this.#sinceMs.delete(key);
      this.#log.info(about(fault), `no longer: ${fault.text}`);
    }
    this.verdict = verdict;
  }

  /** How long the oldest of these has lasted. */
  lastedMs(faults: readonly HostFault[]): number {
    const nowMs = this.#clock.nowMs();
    const since = faults.map((fault) => this.#sinceMs.get(keyOf(fault)) ?? nowMs);
    return nowMs - Math.min(nowMs, ...since);
  }
}

const about = ({ network, neighbor }: HostFault): Record<string, string | undefined> => ({
  network: network ?? 'main',
  ...(neighbor === undefined ? {} : { neighbor: formatIpv4(neighbor) }),
});

const keyOf = ({ network, neighbor, text }: HostFault): string =>
  `${network ?? ''} ${neighbor ?? ''} ${text}`;
