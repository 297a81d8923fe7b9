// SPDX-License-Identifier: Apache-2.0
/**
 * One table of the mirror: which prefixes the kernel holds and with which next hops, which were
 * refused, which must be checked again.
 */
import type { Ipv4 } from '../net/ipv4.ts';
import type { MirrorPath } from './mirror-codec.ts';
import { PrefixMap, shardCount } from './prefix-map.ts';

/** A network's routes, as the mirror reads them (appliance.ts makes one of each RIB). */
export interface MirrorSource {
  /**
   * Visits prefixes that changed, each once however often it did, as they are now.
   *
   * @param visit - nextHops empty: there is no route any more; valid during the call only
   * @returns how many were visited; fewer than changesMax: there are no more
   */
  takeChanges(
    changesMax: number,
    visit: (address: Ipv4, length: number, nextHops: readonly MirrorNextHop[]) => void,
  ): number;
  /** The route as it is now; empty: there is none. */
  lookup(address: Ipv4, length: number): readonly MirrorNextHop[];
  /** Makes every prefix one that changed. */
  refresh(): void;
  /** Prefixes that changed and were not visited yet. */
  readonly pendingCount: number;
  /** Prefixes that have a route. */
  readonly routeCount: number;
}

export interface MirrorNextHop {
  readonly interface: string;
  /** 0: on the link. */
  readonly address: Ipv4;
}

export class MirrorTable {
  readonly table: number;
  readonly source: MirrorSource;
  /** Prefixes that the kernel holds; the value is the number of their next hops in PathSets. */
  readonly installed = new PrefixMap();
  /** Prefixes that the kernel refused, or that another program removed; the value is the errno. */
  readonly failed = new PrefixMap();
  /** Routes of a prefix that are submitted and not settled. */
  readonly inFlight = new Map<number, number>();
  /** Mark of what the kernel was seen to hold, or was sent since. */
  mark = 0;
  /** The table is being emptied: its source counts no more. */
  isClosing = false;
  /** The source may have changes. */
  isDirty = false;
  #repairs: number[] = [];
  #repairHead = 0;

  constructor(table: number, source: MirrorSource) {
    this.table = table;
    this.source = source;
  }

  get repairCount(): number {
    return (this.#repairs.length - this.#repairHead) / 2;
  }

  /** Prefixes that the kernel may not have as the source has them. */
  get pendingCount(): number {
    const changed = this.isClosing ? 0 : this.source.pendingCount;
    return changed + this.repairCount + this.inFlight.size;
  }

  /**
   * Routes that the kernel holds, less those whose new next hops were not sent yet. What is pending will
   * be added, removed or replaced; additions and removals are already the difference to the source.
   * With both at once the count may be too small, never too large.
   */
  get mirroredCount(): number {
    const { count } = this.installed;
    if (this.isClosing) return count;
    const replaced =
      this.pendingCount - Math.abs(this.source.routeCount - this.failed.count - count);
    return Math.max(0, count - Math.max(0, replaced));
  }

  /** What the prefix should lead to. */
  wanted(address: Ipv4, length: number): readonly MirrorNextHop[] {
    return this.isClosing ? [] : this.source.lookup(address, length);
  }

  get isIdle(): boolean {
    const hasChanges = this.isDirty && !this.isClosing;
    return this.inFlight.size === 0 && this.repairCount === 0 && !hasChanges;
  }

  /** Checks a prefix again when its turn comes. */
  repair(address: Ipv4, length: number): void {
    this.#repairs.push(address, length);
  }

  /** Takes the oldest prefix that must be checked again. */
  takeRepair(visit: (address: Ipv4, length: number) => void): boolean {
    if (this.#repairHead === this.#repairs.length) return false;
    const address = this.#repairs[this.#repairHead]!;
    const length = this.#repairs[this.#repairHead + 1]!;
    this.#repairHead += 2;
    if (this.#repairHead === this.#repairs.length) {
      this.#repairs = [];
      this.#repairHead = 0;
    }
    visit(address, length);
    return true;
  }

  submitted(address: Ipv4, length: number): void {
    const key = keyOf(address, length);
    this.inFlight.set(key, (this.inFlight.get(key) ?? 0) + 1);
  }

  isInFlight(address: Ipv4, length: number): boolean {
    return this.inFlight.has(keyOf(address, length));
  }

  /** @param pathSet - 0: it was a removal */
  settled(address: Ipv4, length: number, pathSet: number, errno: number): void {
    const key = keyOf(address, length);
    const left = (this.inFlight.get(key) ?? 1) - 1;
    if (left === 0) this.inFlight.delete(key);
    else this.inFlight.set(key, left);
    if (errno !== 0) {
      this.refused(address, length, errno);
      return;
    }
    if (this.failed.count > 0) this.failed.delete(address, length);
    if (pathSet === 0) this.installed.delete(address, length);
    else this.installed.set(address, length, pathSet, this.mark);
  }

  refused(address: Ipv4, length: number, errno: number): void {
    this.installed.delete(address, length);
    this.failed.set(address, length, errno, 0);
  }

  /** Reconciliation saw a route of ours in the kernel. */
  seen(address: Ipv4, length: number, pathSet: number): void {
    if (this.isInFlight(address, length)) this.installed.mark(address, length, this.mark);
    else this.installed.set(address, length, pathSet, this.mark);
  }

  /** Begins to mark what is seen. */
  beginMark(): void {
    this.mark = (this.mark + 1) & 0xff;
  }

  /** After reading: forgets, in one shard, what the kernel no longer has; checks again what has no route. */
  sweep(shard: number): void {
    this.forgetUnseen(shard);
    this.installed.forEachInShard(shard, (address, length) => {
      if (this.wanted(address, length).length === 0) this.repair(address, length);
    });
  }

  /** Forgets, in one shard, what was not seen since beginMark. */
  forgetUnseen(shard: number): void {
    const gone: number[] = [];
    this.installed.forEachInShard(shard, (address, length, _value, mark) => {
      if (mark !== this.mark && !this.isInFlight(address, length)) gone.push(address, length);
    });
    for (let i = 0; i < gone.length; i += 2) this.installed.delete(gone[i]!, gone[i + 1]!);
  }

  /** Checks everything in one shard again that the kernel may hold. */
  repairAll(shard: number): void {
    this.installed.forEachInShard(shard, (address, length) => this.repair(address, length));
    this.retry(shard);
  }

  /** Whether the kernel may hold a route of ours to it. */
  isKnown(address: Ipv4, length: number): boolean {
    return (
      this.installed.get(address, length) !== undefined ||
      this.failed.get(address, length) !== undefined
    );
  }

  /** Checks every prefix of one shard again that was refused. */
  retry(shard: number): void {
    this.failed.forEachInShard(shard, (address, length) => this.repair(address, length));
  }
}

const keyOf = (address: Ipv4, length: number): number => address * 64 + length;

export const tableShards = shardCount;

/** Numbers for sets of next hops, so that two can be compared at once. 0 is the empty set. */
export class PathSets {
  readonly #single = new Map<number, Map<Ipv4, number>>();
  readonly #several = new Map<string, number>();
  #last = 0;

  numberOf(paths: readonly MirrorPath[]): number {
    if (paths.length === 0) return 0;
    if (paths.length > 1) {
      const names = paths.map(({ ifindex, address }) => `${ifindex}:${address}`);
      return this.#number(this.#several, names.sort().join());
    }
    const { ifindex, address } = paths[0]!;
    let byAddress = this.#single.get(ifindex);
    if (!byAddress) {
      byAddress = new Map();
      this.#single.set(ifindex, byAddress);
    }
    return this.#number(byAddress, address);
  }

  #number<Key>(numbers: Map<Key, number>, key: Key): number {
    const known = numbers.get(key);
    if (known !== undefined) return known;
    this.#last += 1;
    numbers.set(key, this.#last);
    return this.#last;
  }
}
