// SPDX-License-Identifier: Apache-2.0
/**
 * The order in which a plan and the announcements that go with it take effect.
 *
 *   withdraw what the new plan no longer holds ─▶ publish the plan ─▶ forwarder has taken it up
 *     ─▶ announce what is new
 *
 * So an egress address is announced only while the forwarder translates to it, and it is withdrawn
 * before the forwarder stops to.
 */
import { isDeepStrictEqual } from 'node:util';
import type { DataPlane } from '../../dataplane/dataplane.ts';
import type { EgressPlan } from '../../egress/plan.ts';
import type { Clock, Timer } from '../../lib/clock.ts';
import type { Ipv4 } from '../../net/ipv4.ts';

/** Addresses to announce, by network name; undefined is the main table. */
export type Exports = ReadonlyMap<string | undefined, readonly Ipv4[]>;

export interface PublicationOptions {
  readonly dataPlane: DataPlane;
  readonly clock: Clock;
  /** Wakes the forwarder so that it takes the plan up at once. */
  readonly wake: () => void;
  /** Announces exactly these in their networks. */
  readonly announce: (exports: Exports) => void;
}

const acknowledgePollMs = 2;
const acknowledgePollLongestMs = 50;
/** A try waits for the forwarder, though not long, so it is not repeated at once. */
const publishRetryMs = 500;

export class Publication {
  readonly #options: PublicationOptions;
  #announced: Exports = new Map();
  #wanted: Exports = new Map();
  /** What the data plane could not take yet. */
  #unpublished: EgressPlan | undefined;
  #waitsFor = 0;
  #timer: Timer | undefined;
  #isHeld = false;
  /** Those that wait until the forwarder has taken up the newest plan. */
  #waiting: (() => void)[] = [];

  constructor(options: PublicationOptions) {
    this.#options = options;
  }

  /** What is announced now. */
  get announced(): Exports {
    return this.#announced;
  }

  /** Announces these at once: the previous instance did, and the forwarder still has its plan. */
  resume(exports: Exports): void {
    this.#wanted = exports;
    this.#tell(exports);
  }

  /** Until released, nothing is withdrawn: neighbors receive again what they had before. */
  hold(isHeld: boolean): void {
    this.#isHeld = isHeld;
    if (!isHeld) this.#wait(acknowledgePollMs);
  }

  publish(plan: EgressPlan, exports: Exports): void {
    this.#wanted = exports;
    if (!this.#isHeld) this.#tell(intersection(this.#announced, exports));
    this.#hand(plan);
  }

  /** @returns when the forwarder uses the newest plan, and what it takes is announced */
  settled(): Promise<void> {
    if (this.#timer === undefined) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #hand(plan: EgressPlan): void {
    const number = this.#options.dataPlane.publishPlan(plan);
    this.#unpublished = number === undefined ? plan : undefined;
    if (number === undefined) {
      this.#wait(publishRetryMs);
      return;
    }
    this.#waitsFor = number;
    this.#options.wake();
    this.#wait(acknowledgePollMs);
  }

  /** Nothing is handed over or announced any more. */
  stop(): void {
    this.#timer?.clear();
  }

  #wait(delayMs: number): void {
    this.#timer?.clear();
    this.#timer = this.#options.clock.after(delayMs, () => {
      if (this.#unpublished) {
        this.#hand(this.#unpublished);
        return;
      }
      if (this.#options.dataPlane.planAcknowledged() < this.#waitsFor) {
        this.#wait(Math.min(acknowledgePollLongestMs, delayMs * 2));
        return;
      }
      this.#timer = undefined;
      this.#tell(this.#isHeld ? union(this.#announced, this.#wanted) : this.#wanted);
      for (const resolve of this.#waiting.splice(0)) resolve();
    });
  }

  #tell(exports: Exports): void {
    if (isDeepStrictEqual(announcedSets(this.#announced), announcedSets(exports))) return;
    this.#announced = exports;
    this.#options.announce(exports);
  }
}

function intersection(a: Exports, b: Exports): Exports {
  return new Map(
    [...a].map(([network, addresses]) => {
      const kept = new Set(b.get(network));
      return [network, addresses.filter((address) => kept.has(address))];
    }),
  );
}

function union(a: Exports, b: Exports): Exports {
  const networks = new Set([...a.keys(), ...b.keys()]);
  return new Map(
    [...networks].map((network) => [
      network,
      [...new Set([...(a.get(network) ?? []), ...(b.get(network) ?? [])])],
    ]),
  );
}

/** What neighbors hear of it: order says nothing, nor does a network without addresses. */
function announcedSets(exports: Exports): Map<string | undefined, ReadonlySet<Ipv4>> {
  const announced = [...exports].filter(([, addresses]) => addresses.length > 0);
  return new Map(announced.map(([network, addresses]) => [network, new Set(addresses)]));
}
