// SPDX-License-Identifier: Apache-2.0
/** A data plane for tests: what a FibTarget was given, with the rules of target.ts checked. */

import type { FibProgress, FibTarget } from '../../src/fib/target.ts';
import { assert } from '../../src/lib/assert.ts';
import type { NextHop } from '../../src/rib/route.ts';

export class ModelTarget implements FibTarget {
  /** Groups by number. */
  readonly groups = new Map<number, readonly NextHop[]>();
  /** Prefixes of each slot, "address/length" → group. */
  readonly tables = new Map<number, Map<string, number>>();
  /** Prefixes that fit. */
  prefixesMax = Number.POSITIVE_INFINITY;
  /** Deltas that one call applies. */
  deltasPerStep = Number.POSITIVE_INFINITY;
  isReclaimed = true;
  reclaimCount = 0;
  setGroupCount = 0;
  batches: number[] = [];

  networkSlot(routeTableIndex: number | undefined): number {
    const slot = routeTableIndex ?? 0;
    if (!this.tables.has(slot)) this.tables.set(slot, new Map());
    return slot;
  }

  setGroup(group: number, members: readonly NextHop[]): void {
    assert(group >= 2, 'the first two groups are not ours');
    assert(members.length <= 16, 'a group has 16 members at most');
    this.groups.set(group, members);
    this.setGroupCount += 1;
  }

  apply(networkSlot: number, deltas: Uint32Array, count: number): FibProgress {
    const table = this.tables.get(networkSlot);
    assert(table !== undefined, 'a network has a slot before it has prefixes');
    this.batches.push(count);
    const end = Math.min(count, this.deltasPerStep);
    for (let i = 0; i < end; i += 1) {
      const key = `${deltas[i * 3]}/${deltas[i * 3 + 1]}`;
      const group = deltas[i * 3 + 2]!;
      assert(group < 2 || this.groups.has(group), 'a group is set before a delta names it');
      if (group === 0) table.delete(key);
      else if (table.has(key) || table.size < this.prefixesMax) table.set(key, group);
      else return { applied: i, isFull: true };
    }
    return { applied: end, isFull: false };
  }

  clear(networkSlot: number): void {
    this.tables.get(networkSlot)?.clear();
  }

  reclaim(): boolean {
    this.reclaimCount += 1;
    return this.isReclaimed;
  }

  /** Where the packets of each prefix go: "address/length" → members, as text. */
  forwarding(networkSlot: number): Map<string, string> {
    const table = this.tables.get(networkSlot) ?? new Map<string, number>();
    return new Map(
      [...table].map(([key, group]) => [key, membersText(this.groups.get(group) ?? [])]),
    );
  }
}

export const membersText = (members: readonly NextHop[]): string =>
  members.map((member) => `${member.address}@${member.interface}`).join();
