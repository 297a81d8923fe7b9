// SPDX-License-Identifier: Apache-2.0
/**
 * One network's best routes, written into the data plane.
 *
 *   Rib ─changes─▶ Fib ─batches of deltas─▶ FibTarget
 *       ─members of a set changed─────────▶ setGroup, in place
 *
 * Each set of next hops that some prefix points to has one group. Groups are named by what was
 * announced, not by where it leads: when a next hop resolves otherwise its groups are written again
 * and no prefix is touched (prefix-independent convergence). A set that leads nowhere is written
 * without members, which the target treats as unreachable; the RIB withdraws its prefixes later. A group
 * is freed when no prefix points to it, neither in the RIB nor in the target.
 *
 * Changes are sent in batches of up to 512, one batch per step of the work queue; what the target does
 * not apply in one step waits for the next, in order. A prefix for which the target has no room is
 * counted and retried with all others half a minute later. A prefix whose set gets no group number,
 * because none is free, is unreachable until one is.
 *
 * Generations belong to the target: after a restart of egretd, the Fib fills a new generation while the
 * previous one forwards, and `whenConverged` says when the new one may be committed.
 */
import type { Clock, Timer } from '../lib/clock.ts';
import type { Worker, WorkQueue } from '../lib/work-queue.ts';
import type { Rib } from '../rib/rib.ts';
import type { RibConsumer, RouteChange } from '../rib/rib-consumer.ts';
import type { NextHop, NextHopSetId } from '../rib/route.ts';
import { type GroupNumbers, groupUnreachable } from './group-numbers.ts';
import type { FibTarget } from './target.ts';

const batchDeltas = 512;
/** Deltas of a step that find the target full: each costs a call. */
const refusalsPerStep = 128;
const retryMs = 30_000;

export interface FibOptions {
  readonly clock: Clock;
  readonly queue: WorkQueue;
  readonly rib: Rib;
  readonly target: FibTarget;
  /** One for all networks of the target. */
  readonly groups: GroupNumbers;
  /** undefined: the main table. */
  readonly routeTableIndex: number | undefined;
  /** How many prefixes the target has no room for; 0: all of them fit again. */
  readonly onRefused?: (refusedCount: number) => void;
}

export class Fib implements Worker {
  readonly #clock: Clock;
  readonly #queue: WorkQueue;
  readonly #rib: Rib;
  readonly #target: FibTarget;
  readonly #groups: GroupNumbers;
  readonly #slot: number;
  readonly #consumer: RibConsumer;
  readonly #onRefused: (refusedCount: number) => void;
  /** Group of each set that is written; groupUnreachable while there is no number for it. */
  readonly #groupOf = new Map<NextHopSetId, number>();
  /** Groups that no prefix points to once the batch is out. */
  #retiring: number[] = [];
  readonly #deltas = new Uint32Array(batchDeltas * 3);
  #deltaCount = 0;
  #hasWithdrawals = false;
  /** Found in the pass before, and in this one, which began with a retry. */
  #refusedBefore = 0;
  #refusedNow = 0;
  #isClosed = false;
  #retry: Timer | undefined;
  #converged: (() => void)[] = [];
  readonly #visit = (change: RouteChange) => this.#change(change);
  readonly #refresh = () => {
    if (!this.#isClosed) this.#consumer.refresh();
  };

  constructor(options: FibOptions) {
    this.#clock = options.clock;
    this.#queue = options.queue;
    this.#rib = options.rib;
    this.#target = options.target;
    this.#groups = options.groups;
    this.#slot = options.target.networkSlot(options.routeTableIndex);
    this.#onRefused = options.onRefused ?? (() => {});
    this.#consumer = options.rib.openConsumer({
      remembers: true,
      onDirty: () => this.#schedule(),
      onIdle: () => {
        if (this.#converged.length > 0) this.#schedule();
      },
      onSetChanged: (set, members) => this.#setChanged(set, members),
      onSetFreed: (set) => this.#setFreed(set),
    });
  }

  /** Prefixes that wait to be written. */
  get pendingCount(): number {
    return this.#consumer.pendingCount + this.#deltaCount;
  }

  /** Whether the target holds all that the RIB decided, and the RIB has decided all. */
  get isConverged(): boolean {
    return this.pendingCount === 0 && !this.#rib.isPending;
  }

  /** Prefixes that the target has no room for, and so are not forwarded. */
  get refusedCount(): number {
    return Math.max(this.#refusedBefore, this.#refusedNow);
  }

  /** Next-hop groups of this network. */
  get groupCount(): number {
    return this.#groupOf.size;
  }

  /** Runs once, as soon as the target holds everything, or the network is removed. */
  whenConverged(run: () => void): void {
    this.#converged.push(run);
    this.#schedule();
  }

  /** The network was removed: empties it in the target. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#queue.remove(this);
    this.#deltaCount = 0;
    this.#retry?.clear();
    this.#target.clear(this.#slot);
    this.#consumer.close();
    for (const group of this.#groupOf.values()) this.#retire(group);
    this.#groupOf.clear();
    this.#freeRetired();
    this.#groups.entriesFreed();
    for (const run of this.#converged.splice(0)) this.#queue.soon(run);
  }

  #schedule(): void {
    if (!this.#isClosed) this.#queue.add(this);
  }

  /** Writes the rest of a batch, or the next one. */
  work(): boolean {
    if (this.#deltaCount === 0) this.#consumer.take(batchDeltas, this.#visit);
    this.#flush();
    if (this.pendingCount > 0) return true;
    // Otherwise the RIB says when it has decided the rest.
    if (!this.isConverged) return false;
    this.#passOver();
    for (const run of this.#converged.splice(0)) run();
    return false;
  }

  #change(change: RouteChange): void {
    const at = this.#deltaCount * 3;
    this.#deltas[at] = change.address;
    this.#deltas[at + 1] = change.length;
    this.#deltas[at + 2] = change.set === 0 ? 0 : this.#groupFor(change.set);
    if (change.set === 0) this.#hasWithdrawals = true;
    this.#deltaCount += 1;
  }

  #groupFor(set: NextHopSetId): number {
    const known = this.#groupOf.get(set);
    if (known !== undefined && known !== groupUnreachable) return known;
    const group = this.#groups.allocate(this.#refresh) ?? groupUnreachable;
    this.#groupOf.set(set, group);
    if (group !== groupUnreachable) this.#target.setGroup(group, this.#rib.members(set));
    return group;
  }

  #setChanged(set: NextHopSetId, members: readonly NextHop[]): void {
    const group = this.#groupOf.get(set);
    if (group !== undefined && group !== groupUnreachable) this.#target.setGroup(group, members);
  }

  // The batch may still hold a delta that names the group, or the one that takes it away.
  #setFreed(set: NextHopSetId): void {
    const group = this.#groupOf.get(set);
    if (group === undefined) return;
    this.#groupOf.delete(set);
    this.#retire(group);
    this.#schedule();
  }

  #retire(group: number): void {
    if (group !== groupUnreachable) this.#retiring.push(group);
  }

  /** Some of the batch may be left for another step. */
  #flush(): void {
    if (this.#deltaCount > 0) this.#apply();
    if (this.#deltaCount > 0) return;
    this.#freeRetired();
    if (this.#hasWithdrawals) this.#groups.entriesFreed();
    this.#hasWithdrawals = false;
  }

  #apply(): void {
    let from = 0;
    let refusedCount = 0;
    let isStepOver = false;
    while (from < this.#deltaCount && !isStepOver) {
      const count = this.#deltaCount - from;
      const deltas = this.#deltas.subarray(from * 3, this.#deltaCount * 3);
      const { applied, isFull } = this.#target.apply(this.#slot, deltas, count);
      from += applied;
      isStepOver = applied < count && !isFull;
      if (!isFull) continue;
      // What did not fit is passed over; what follows may be withdrawals that make room.
      from += 1;
      refusedCount += 1;
      isStepOver = refusedCount === refusalsPerStep;
    }
    this.#deltas.copyWithin(0, from * 3, this.#deltaCount * 3);
    this.#deltaCount -= from;
    if (refusedCount > 0) this.#retryLater(refusedCount);
  }

  #retryLater(refusedCount: number): void {
    const before = this.refusedCount;
    this.#refusedNow += refusedCount;
    if (this.refusedCount !== before) this.#onRefused(this.refusedCount);
    this.#retry ??= this.#clock.after(retryMs, () => {
      this.#retry = undefined;
      this.#refusedBefore = this.#refusedNow;
      this.#refusedNow = 0;
      this.#refresh();
    });
  }

  /** Every prefix was offered to the target: what an earlier pass found counts no longer. */
  #passOver(): void {
    const before = this.refusedCount;
    this.#refusedBefore = 0;
    if (this.refusedCount !== before) this.#onRefused(this.refusedCount);
  }

  #freeRetired(): void {
    for (const group of this.#retiring) this.#groups.free(group);
    this.#retiring = [];
  }
}
