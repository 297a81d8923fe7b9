// SPDX-License-Identifier: Apache-2.0
/**
 * Prefixes that two networks of one gateway both have a route to.
 *
 * A client of such a gateway reaches one of them by the order of the networks alone: that is reported
 * while it lasts, never resolved in silence. The monitor listens only to networks that share a
 * gateway with another, and counts as routes come and go; nothing is ever compared in full. Connected
 * routes do not count: two networks may well use the same link prefix.
 */
import type { Worker, WorkQueue } from '../lib/work-queue.ts';
import { comparePrefixes, type Ipv4 } from '../net/ipv4.ts';
import type { Rib } from '../rib/rib.ts';
import type { RibConsumer, RouteChange } from '../rib/rib-consumer.ts';
import type { RouteListing } from '../rib/route-listing.ts';

/** Prefixes looked up in one step, about. */
const lookupsPerStep = 4096;
export const overlapsShownMax = 100;

export interface Overlap {
  readonly address: Ipv4;
  readonly length: number;
  /** Names of the networks that have it and share a gateway. */
  readonly networks: readonly string[];
}

interface Watched {
  readonly rib: Rib;
  readonly partners: Set<Watched>;
  consumer: RibConsumer;
}

export class OverlapMonitor implements Worker {
  readonly #queue: WorkQueue;
  readonly #onChanged: () => void;
  #gateways: readonly (readonly Rib[])[] = [];
  #watched: Watched[] = [];
  #pairCount = 0;
  /** Some of the overlaps, by the text of their prefix. */
  readonly #shown = new Map<string, { readonly address: Ipv4; readonly length: number }>();
  /** An overlap was left out of `#shown`: when those shown are withdrawn, it searches again. */
  #isCut = false;
  #listings: RouteListing[] = [];
  /** Of the network whose changes were counted last. */
  #turn = 0;
  /** The count that `onChanged` received last. */
  #reportedCount = 0;

  /** @param onChanged - the number of overlaps is another now */
  constructor(queue: WorkQueue, onChanged: () => void = () => {}) {
    this.#queue = queue;
    this.#onChanged = onChanged;
  }

  /** Pairs of networks and a prefix that both have: 0 when there is no overlap. */
  get pairCount(): number {
    return this.#pairCount;
  }

  /** Whether changes wait to be counted. */
  get isPending(): boolean {
    return (
      this.#listings.length > 0 || this.#watched.some(({ consumer }) => consumer.pendingCount > 0)
    );
  }

  /** Overlaps in printing order, 100 at most. */
  overlaps(): readonly Overlap[] {
    return [...this.#shown.values()].sort(comparePrefixes).map((prefix) => ({
      ...prefix,
      networks: this.#watched
        .filter((one) => isOverlap(one, prefix.address, prefix.length))
        .map((one) => one.rib.name),
    }));
  }

  /** @param gateways - the networks of each gateway; the rest is not listened to */
  watch(gateways: readonly (readonly Rib[])[]): void {
    const shared = gateways.filter((ribs) => ribs.length > 1);
    if (areSame(shared, this.#gateways)) return;
    this.close();
    this.#gateways = shared;
    const byRib = new Map<Rib, Watched>();
    for (const ribs of shared) {
      for (const rib of ribs) {
        const one = byRib.get(rib) ?? this.#listen(rib);
        byRib.set(rib, one);
        for (const other of ribs) {
          const partner = other === rib ? undefined : byRib.get(other);
          if (partner === undefined) continue;
          one.partners.add(partner);
          partner.partners.add(one);
        }
      }
    }
    this.#watched = [...byRib.values()];
    this.#schedule();
  }

  close(): void {
    for (const { consumer } of this.#watched) consumer.close();
    for (const listing of this.#listings) listing.close();
    this.#queue.remove(this);
    this.#gateways = [];
    this.#watched = [];
    this.#listings = [];
    this.#shown.clear();
    this.#pairCount = 0;
    this.#isCut = false;
  }

  #listen(rib: Rib): Watched {
    const consumer = rib.openConsumer({ isLearnedOnly: true, onDirty: () => this.#schedule() });
    return { rib, partners: new Set(), consumer };
  }

  #schedule(): void {
    this.#queue.add(this);
  }

  /** Counts some changes of one network, or searches for more to show. */
  work(): boolean {
    const one = this.#nextChanged();
    if (one !== undefined) {
      one.consumer.take(changesPerStep(one), (change) => this.#count(one, change));
    } else {
      if (this.#isCut && this.#shown.size === 0 && this.#listings.length === 0) {
        this.#listings = this.#watched.map(({ rib }) => rib.openListing());
        this.#isCut = false;
      }
      this.#lookForMore();
    }
    if (this.isPending) return true;
    if (this.#pairCount !== this.#reportedCount) {
      this.#reportedCount = this.#pairCount;
      this.#onChanged();
    }
    return this.#isCut && this.#shown.size === 0;
  }

  /** Each network in its turn. */
  #nextChanged(): Watched | undefined {
    const count = this.#watched.length;
    for (let i = 0; i < count; i += 1) {
      this.#turn = (this.#turn + 1) % count;
      const one = this.#watched[this.#turn]!;
      if (one.consumer.pendingCount > 0) return one;
    }
    return undefined;
  }

  #count(one: Watched, change: RouteChange): void {
    const isPresent = change.set !== 0;
    if (isPresent === change.wasPresent) return;
    const { address, length } = change;
    for (const partner of one.partners) {
      if (!partner.consumer.has(address, length)) continue;
      this.#pairCount += isPresent ? 1 : -1;
      if (isPresent) this.#show(address, length);
    }
    if (!isPresent && !this.#watched.some((other) => isOverlap(other, address, length))) {
      this.#shown.delete(`${address}/${length}`);
    }
  }

  #show(address: Ipv4, length: number): void {
    const key = `${address}/${length}`;
    if (this.#shown.has(key)) return;
    if (this.#shown.size < overlapsShownMax) this.#shown.set(key, { address, length });
    else this.#isCut = true;
  }

  #lookForMore(): void {
    const listing = this.#listings[0];
    if (listing === undefined) return;
    const one = this.#watched[this.#watched.length - this.#listings.length]!;
    const isMore = listing.next(changesPerStep(one), (address, length) => {
      if (isOverlap(one, address, length)) this.#show(address, length);
    });
    if (isMore && !this.#isCut) return;
    // At its end, or enough was found.
    listing.close();
    this.#listings.shift();
    if (!this.#isCut) return;
    for (const rest of this.#listings) rest.close();
    this.#listings = [];
  }
}

function changesPerStep({ partners }: Watched): number {
  return Math.ceil(lookupsPerStep / (1 + partners.size));
}

function isOverlap(one: Watched, address: Ipv4, length: number): boolean {
  if (!one.consumer.has(address, length)) return false;
  for (const partner of one.partners) if (partner.consumer.has(address, length)) return true;
  return false;
}

function areSame(a: readonly (readonly Rib[])[], b: readonly (readonly Rib[])[]): boolean {
  return (
    a.length === b.length &&
    a.every((ribs, i) => ribs.length === b[i]!.length && ribs.every((rib, k) => rib === b[i]![k]))
  );
}
