// SPDX-License-Identifier: Apache-2.0
/**
 * Next hops of one RIB and where they lead (RFC 4271 §5.1.3, §9.1.2.1).
 *
 * A next hop is direct (an interface, and an address on it) or an address to look up in the same RIB:
 * the longest prefix that holds it says how it is reached, through further next hops if need be.
 *
 *   connected route → its interface, and the next hop's own address
 *   static, BGP     → whatever that route's next hops lead to, up to 8 recursions
 *
 * A route that leads back to a next hop on the way is passed over for the next shorter prefix, and so
 * is a default route by BGP: a neighbor's default must not make a dead next hop look alive (a static
 * default may). Neighbors may announce routes over each other such that the number of ways to check
 * grows exponentially: a next hop that is not resolved after 512 routes is unreachable.
 *
 * Each distinct next hop is resolved once, and again only when a route to an address on its way
 * changes: in slices, since a lost link may have thousands behind it. One that changes more than 16
 * times in a second waits for the next second: routes may be announced whose next hops depend on each
 * other's choice and never settle.
 *
 * IPv6 next hops (RFC 8950) are absent.
 */
import { assert } from '../lib/assert.ts';
import type { Clock, Timer } from '../lib/clock.ts';
import type { Ipv4 } from '../net/ipv4.ts';
import { multipathMax } from './decision.ts';
import { kindBgp, kindConnected, type PrefixTable } from './prefix-table.ts';
import type { NextHop, NextHopSetId } from './route.ts';

const depthMax = 8;
/** Routes that one next hop may lead to on its way: more than 16 next hops by 16 others need. */
const routesMax = 512;
/** Routes that `resolveSome` checks, about. */
const routesPerLook = 512;
const changesPerSecondMax = 16;

export interface NextHopEntry {
  readonly id: number;
  /** The address as announced; for a direct one what to resolve on the interface, or 0. */
  readonly address: Ipv4;
  /** Direct next hops only. */
  readonly interface: string | undefined;
  refs: number;
  /** Where packets go now; none: unreachable. */
  members: readonly NextHop[];
  /** Recursions. */
  metric: number;
  /** Prefixes that it is reached by: keys of prefixKey. */
  chain: readonly number[];
  /** Addresses that were looked up on the way after its own. */
  visited: readonly Ipv4[];
  /** Paths by it are to be decided again; rib.ts visits them. */
  mustScan: boolean;
  readonly sets: Set<NextHopSetId>;
  /** The set of this next hop alone; 0: not interned. */
  singleSet: NextHopSetId;
  changes: number;
  changesFromMs: number;
}

/** What a change of a next hop means for the RIB. */
export interface NextHopListener {
  /** It became reachable or unreachable, or nearer or farther: its paths compare otherwise. */
  mustDecideAll(entry: NextHopEntry): void;
  /** It is, or is no longer, reached by these prefixes. */
  mustDecide(prefixKey: number): void;
  /** It leads elsewhere, and with it these sets, of which there is one at least. */
  membersChanged(sets: ReadonlySet<NextHopSetId>): void;
  /** There is work for `resolveSome`. */
  mustResolve(): void;
}

/** A prefix in one number that is no larger than 2^38. */
export const prefixKey = (address: Ipv4, length: number): number => address * 64 + length;

interface Resolution {
  members: readonly NextHop[];
  metric: number;
}

export class NextHopTable {
  readonly #clock: Clock;
  readonly #prefixes: PrefixTable;
  readonly #nextHopsOf: (set: NextHopSetId) => readonly number[];
  readonly #listener: NextHopListener;
  readonly #byName = new Map<string, number>();
  /** Signed addresses, which V8 keeps as small integers. */
  readonly #byAddress = new Map<number, number>();
  readonly #free: number[] = [];
  /** By address: the next hops that come by it on their way to somewhere else. */
  readonly #followers = new Map<Ipv4, Set<NextHopEntry>>();
  readonly #unresolved = new Set<NextHopEntry>();
  readonly #restless = new Set<NextHopEntry>();
  #timer: Timer | undefined;
  /** Of the next hop that is being resolved. */
  #routesLeft = 0;
  #entries: (NextHopEntry | undefined)[] = [undefined];
  #sorted: Uint32Array | undefined;

  /** @param nextHopsOf - the next hops that a prefix's set names, by number */
  constructor(
    clock: Clock,
    prefixes: PrefixTable,
    nextHopsOf: (set: NextHopSetId) => readonly number[],
    listener: NextHopListener,
  ) {
    this.#clock = clock;
    this.#prefixes = prefixes;
    this.#nextHopsOf = nextHopsOf;
    this.#listener = listener;
  }

  get count(): number {
    return this.#byAddress.size + this.#byName.size;
  }

  /** Next hops that wait for `resolveSome`. */
  get unresolvedCount(): number {
    return this.#unresolved.size;
  }

  get(id: number): NextHopEntry {
    return this.#entries[id]!;
  }

  /** Whether a number is that of an address to look up. */
  isAddress(id: number, address: Ipv4): boolean {
    const entry = this.#entries[id];
    return entry !== undefined && entry.interface === undefined && entry.address === address;
  }

  /** @returns its number; the caller retains it */
  internAddress(address: Ipv4): number {
    const found = this.#byAddress.get(address | 0);
    if (found !== undefined) return found;
    const entry = this.#add(address, undefined);
    this.#byAddress.set(address | 0, entry.id);
    this.#sorted = undefined;
    this.#assign(entry);
    return entry.id;
  }

  internDirect(nextHop: NextHop): number {
    const name = `${nextHop.address} ${nextHop.interface}`;
    const found = this.#byName.get(name);
    if (found !== undefined) return found;
    const entry = this.#add(nextHop.address, nextHop.interface);
    this.#byName.set(name, entry.id);
    entry.members = [{ interface: nextHop.interface, address: nextHop.address }];
    return entry.id;
  }

  retain(id: number): void {
    this.get(id).refs += 1;
  }

  release(id: number): void {
    const entry = this.get(id);
    assert(entry.refs > 0, 'a next hop that is released was retained');
    entry.refs -= 1;
    if (entry.refs > 0) return;
    if (entry.interface === undefined) {
      this.#byAddress.delete(entry.address | 0);
      this.#sorted = undefined;
    } else {
      this.#byName.delete(`${entry.address} ${entry.interface}`);
    }
    this.#follow(entry, []);
    this.#unresolved.delete(entry);
    this.#restless.delete(entry);
    this.#entries[id] = undefined;
    if (this.count === 0) {
      this.#entries = [undefined];
      this.#free.length = 0;
      this.#timer?.clear();
      this.#timer = undefined;
    } else {
      this.#free.push(id);
    }
  }

  /** The best route to a prefix is another: what may lead through it is to be resolved again. */
  prefixChanged(address: Ipv4, length: number): void {
    const sorted = this.#addresses();
    const last = length === 0 ? 0xffff_ffff : address + 2 ** (32 - length) - 1;
    let i = lowerBound(sorted, address);
    for (; i < sorted.length && sorted[i]! <= last; i += 1) {
      this.#unresolved.add(this.get(this.#byAddress.get(sorted[i]! | 0)!));
      for (const entry of this.#followers.get(sorted[i]!) ?? []) this.#unresolved.add(entry);
    }
  }

  /** Resolves some of the next hops that wait for it. */
  resolveSome(): void {
    let routesLeft = routesPerLook;
    for (const entry of this.#unresolved) {
      if (routesLeft <= 0) return;
      this.#unresolved.delete(entry);
      if (this.#isRestless(entry)) continue;
      this.#resolveAgain(entry);
      routesLeft -= 1 + routesMax - this.#routesLeft;
    }
  }

  /** Every path was visited. */
  endScan(): void {
    for (const entry of this.#entries) if (entry !== undefined) entry.mustScan = false;
  }

  #add(address: Ipv4, interfaceName: string | undefined): NextHopEntry {
    const entry: NextHopEntry = {
      id: this.#free.pop() ?? this.#entries.length,
      address,
      interface: interfaceName,
      refs: 0,
      members: [],
      metric: 0,
      chain: [],
      visited: [],
      mustScan: false,
      sets: new Set(),
      singleSet: 0,
      changes: 0,
      changesFromMs: 0,
    };
    this.#entries[entry.id] = entry;
    return entry;
  }

  #assign(entry: NextHopEntry): void {
    const chain = new Set<number>();
    const visited = new Set<Ipv4>();
    this.#routesLeft = routesMax;
    // 0.0.0.0 stands for none: no default route may reach it.
    const found =
      entry.address === 0 ? undefined : this.#resolve(entry.address, [entry.id], chain, visited);
    entry.members = found?.members ?? [];
    entry.metric = found?.metric ?? 0;
    entry.chain = [...chain];
    visited.delete(entry.address);
    this.#follow(entry, [...visited]);
  }

  #follow(entry: NextHopEntry, visited: readonly Ipv4[]): void {
    for (const address of entry.visited) {
      const followers = this.#followers.get(address);
      followers?.delete(entry);
      if (followers?.size === 0) this.#followers.delete(address);
    }
    entry.visited = visited;
    for (const address of visited) {
      const followers = this.#followers.get(address) ?? new Set();
      this.#followers.set(address, followers.add(entry));
    }
  }

  #resolveAgain(entry: NextHopEntry): void {
    const before = { members: entry.members, metric: entry.metric, chain: entry.chain };
    this.#assign(entry);
    const mustDecide = before.chain
      .filter((key) => !entry.chain.includes(key))
      .concat(entry.chain.filter((key) => !before.chain.includes(key)));
    const wasReachable = before.members.length > 0;
    const isReachable = entry.members.length > 0;
    const isOther = !areSame(before.members, entry.members);
    if (isOther || mustDecide.length > 0) entry.changes += 1;
    if (isOther && entry.sets.size > 0) this.#listener.membersChanged(entry.sets);
    if (wasReachable !== isReachable || before.metric !== entry.metric) {
      this.#listener.mustDecideAll(entry);
    }
    for (const key of mustDecide) this.#listener.mustDecide(key);
  }

  #isRestless(entry: NextHopEntry): boolean {
    const nowMs = this.#clock.nowMs();
    if (nowMs - entry.changesFromMs >= 1000) {
      entry.changesFromMs = nowMs;
      entry.changes = 0;
    }
    if (entry.changes < changesPerSecondMax) return false;
    this.#restless.add(entry);
    this.#timer ??= this.#clock.after(1000, () => {
      this.#timer = undefined;
      for (const waiting of this.#restless) this.#unresolved.add(waiting);
      this.#restless.clear();
      this.#listener.mustResolve();
    });
    return true;
  }

  /** @param stack - next hops on the way here */
  #resolve(
    address: Ipv4,
    stack: readonly number[],
    chain: Set<number>,
    visited: Set<Ipv4>,
  ): Resolution | undefined {
    visited.add(address);
    let found: Resolution | undefined;
    this.#prefixes.longestMatch(address, (row) => {
      found = this.#resolveBy(row, address, stack, chain, visited);
      return found !== undefined;
    });
    return found;
  }

  #resolveBy(
    row: number,
    address: Ipv4,
    stack: readonly number[],
    chain: Set<number>,
    visited: Set<Ipv4>,
  ): Resolution | undefined {
    if (this.#routesLeft === 0) return undefined;
    this.#routesLeft -= 1;
    const set = this.#prefixes.setOf(row);
    const kind = this.#prefixes.kindOf(row);
    const length = this.#prefixes.lengthOf(row);
    if (set === 0 || (kind === kindBgp && length === 0)) return undefined;
    const lists: (readonly NextHop[])[] = [];
    let metric = kind === kindConnected ? 0 : 1;
    for (const id of this.#nextHopsOf(set)) {
      const through = this.get(id);
      if (through.interface !== undefined) {
        lists.push([{ interface: through.interface, address: through.address || address }]);
      } else if (stack.includes(id)) {
        // The rest of the way would lead through here again; a change of it matters all the same.
        visited.add(through.address);
      } else if (stack.length < depthMax) {
        const next = this.#resolve(through.address, [...stack, id], chain, visited);
        if (next === undefined) continue;
        lists.push(next.members);
        metric = Math.max(metric, next.metric + 1);
      }
    }
    if (lists.length === 0) return undefined;
    chain.add(prefixKey(this.#prefixes.addressOf(row), length));
    return { members: distinctMembers(lists), metric };
  }

  #addresses(): Uint32Array {
    if (this.#sorted === undefined) {
      this.#sorted = Uint32Array.from(this.#byAddress.keys(), (address) => address >>> 0);
      this.#sorted.sort();
    }
    return this.#sorted;
  }
}

function lowerBound(sorted: Uint32Array, value: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Union without repetition, sorted by address and interface, cut at what a group takes. */
export function distinctMembers(lists: readonly (readonly NextHop[])[]): readonly NextHop[] {
  if (lists.length === 1) return lists[0]!;
  const sorted = lists.flat().sort(compareMembers);
  return sorted
    .filter((member, i) => i === 0 || compareMembers(sorted[i - 1]!, member) !== 0)
    .slice(0, multipathMax);
}

function compareMembers(a: NextHop, b: NextHop): number {
  if (a.address !== b.address) return a.address - b.address;
  return a.interface < b.interface ? -1 : a.interface > b.interface ? 1 : 0;
}

function areSame(a: readonly NextHop[], b: readonly NextHop[]): boolean {
  return (
    a.length === b.length &&
    a.every((member, i) => member.address === b[i]!.address && member.interface === b[i]!.interface)
  );
}
