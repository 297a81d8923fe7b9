// SPDX-License-Identifier: Apache-2.0
/**
 * Sets of next hops, interned: what a prefix points to.
 *
 * A set names next hops as they were announced, not where they lead now. When a next hop resolves
 * otherwise, its sets keep their numbers and only their members change: one write for a million
 * prefixes (prefix-independent convergence, draft-ietf-rtgwg-bgp-pic).
 */
import { assert } from '../lib/assert.ts';
import { distinctMembers, type NextHopTable } from './next-hop.ts';
import type { NextHop, NextHopSetId } from './route.ts';

interface NextHopSet {
  readonly key: string;
  /** Ascending numbers of next hops. */
  readonly nextHops: readonly number[];
  refs: number;
  members: readonly NextHop[] | undefined;
}

export class NextHopSets {
  readonly #nextHops: NextHopTable;
  readonly #byKey = new Map<string, NextHopSetId>();
  readonly #free: NextHopSetId[] = [];
  /** Number 0 is no set: no route. */
  #sets: (NextHopSet | undefined)[] = [undefined];
  /** Told when nothing points to a set any more; its number may come back with other members. */
  onFreed: (set: NextHopSetId) => void = () => {};

  constructor(nextHops: NextHopTable) {
    this.#nextHops = nextHops;
  }

  get count(): number {
    return this.#byKey.size;
  }

  /** The set of these next hops; the caller retains it. @param nextHops - ascending, distinct */
  intern(nextHops: readonly number[]): NextHopSetId {
    if (nextHops.length === 1) {
      const single = this.#nextHops.get(nextHops[0]!).singleSet;
      if (single !== 0) return single;
    }
    const key = nextHops.join();
    const found = this.#byKey.get(key);
    if (found !== undefined) return found;
    const id = this.#free.pop() ?? this.#sets.length;
    this.#sets[id] = { key, nextHops, refs: 0, members: undefined };
    this.#byKey.set(key, id);
    for (const nextHop of nextHops) {
      const entry = this.#nextHops.get(nextHop);
      this.#nextHops.retain(nextHop);
      entry.sets.add(id);
      if (nextHops.length === 1) entry.singleSet = id;
    }
    return id;
  }

  retain(id: NextHopSetId): void {
    this.#get(id).refs += 1;
  }

  release(id: NextHopSetId): void {
    const set = this.#get(id);
    assert(set.refs > 0, 'a next-hop set that is released was retained');
    set.refs -= 1;
    if (set.refs > 0) return;
    this.#sets[id] = undefined;
    this.#byKey.delete(set.key);
    for (const nextHop of set.nextHops) {
      const entry = this.#nextHops.get(nextHop);
      entry.sets.delete(id);
      if (set.nextHops.length === 1) entry.singleSet = 0;
      this.#nextHops.release(nextHop);
    }
    if (this.#byKey.size === 0) {
      this.#sets = [undefined];
      this.#free.length = 0;
    } else {
      this.#free.push(id);
    }
    this.onFreed(id);
  }

  nextHopsOf(id: NextHopSetId): readonly number[] {
    return this.#get(id).nextHops;
  }

  /** Where packets go now: distinct, by address and interface, 16 at most; none: unreachable. */
  members(id: NextHopSetId): readonly NextHop[] {
    const set = this.#get(id);
    set.members ??= this.#resolve(set.nextHops);
    return set.members;
  }

  /** A next hop of these sets leads elsewhere. */
  forgetMembers(ids: Iterable<NextHopSetId>): void {
    for (const id of ids) this.#get(id).members = undefined;
  }

  #resolve(nextHops: readonly number[]): readonly NextHop[] {
    if (nextHops.length === 1) return this.#nextHops.get(nextHops[0]!).members;
    return distinctMembers(nextHops.map((nextHop) => this.#nextHops.get(nextHop).members));
  }

  #get(id: NextHopSetId): NextHopSet {
    const set = this.#sets[id];
    assert(set !== undefined, 'a next-hop set that is named exists');
    return set;
  }
}
