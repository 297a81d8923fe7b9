// SPDX-License-Identifier: Apache-2.0
/**
 * What the FIB writes to: the data plane (dataplane/dataplane.ts) implements it, tests do too.
 *
 * The order of calls is the order of effects: a group is set before a delta names it, and freed only
 * after no delta names it and `reclaim` has said that no reader can still hold it.
 */
import type { NextHop } from '../rib/route.ts';

/** How far a call came. */
export interface FibProgress {
  readonly applied: number;
  /** The next one finds no room. */
  readonly isFull: boolean;
}

export interface FibTarget {
  /** The small number of a network (undefined: the main table) that keeps its meaning. */
  networkSlot(routeTableIndex: number | undefined): number;
  /**
   * Writes a next-hop group; up to 16 members, none: unreachable. Interfaces that are no ports are
   * left out. A group that prefixes point to may be written again: packets then follow the new
   * members, each packet an old or a new one whole.
   */
  setGroup(group: number, members: readonly NextHop[]): void;
  /**
   * Applies changes of prefixes, three words each: network address, length, group (0 withdraws).
   *
   * A short prefix over a full table is much work. When fewer were applied than given and the FIB is
   * not full, enough was done for one step: the next call for this network begins with the rest.
   */
  apply(networkSlot: number, deltas: Uint32Array, count: number): FibProgress;
  /** Empties a network. */
  clear(networkSlot: number): void;
  /** @returns true when every group freed before the last call may be used again */
  reclaim(): boolean;
}
