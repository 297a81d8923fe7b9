// SPDX-License-Identifier: Apache-2.0
/**
 * A consumer's own queue of the prefixes whose outcome changed: the FIB, the mirror, a monitor.
 *
 * A prefix is queued once however often it changes, and the consumer reads the state that is current
 * then. So a slow consumer holds up neither producers nor other consumers, and its queue is never
 * longer than the table.
 */
import type { Ipv4 } from '../net/ipv4.ts';
import { Lap } from './lap.ts';
import { dirtyFor, kindConnected, presentFor, rowKinds } from './prefix-table.ts';
import type { NextHop, NextHopSetId, RouteSource } from './route.ts';
import type { RouteStore } from './route-store.ts';
import { RowQueue } from './row-queue.ts';

/** Those that are being closed included. */
export const consumersMax = 8;

/** What a consumer reads of a changed prefix. The object is reused: copy what must last. */
export interface RouteChange {
  readonly address: Ipv4;
  readonly length: number;
  /** 0: withdrawn. */
  readonly set: NextHopSetId;
  /** Kind of the best path; undefined: withdrawn. */
  readonly kind: RouteSource['kind'] | undefined;
  /** Whether it received a route before. */
  readonly wasPresent: boolean;
  /** What it received last; kept only for the consumer that `remembers`. */
  readonly previousSet: NextHopSetId;
}

export interface ConsumerOptions {
  /** Changes wait; called once until they are all taken. */
  readonly onDirty: () => void;
  /** The RIB has decided all that came, though not all of it may have been taken. */
  readonly onIdle?: () => void;
  /** A set has other members now. */
  readonly onSetChanged?: (set: NextHopSetId, members: readonly NextHop[]) => void;
  /** No prefix points to a set, and none did when this consumer read it last: its number is void. */
  readonly onSetFreed?: (set: NextHopSetId) => void;
  /** Holds a set until it has read the change that replaces it. One consumer of a RIB may. */
  readonly remembers?: boolean;
  /** Connected routes are none: for it, a prefix with a connected best route has no route. */
  readonly isLearnedOnly?: boolean;
  /** Wants each prefix again when the members of its set change. */
  readonly isExpanded?: boolean;
}

/** The RIB's side of a consumer. */
export interface ConsumerHooks {
  /** `sweep` wants to be called until `isSweeping` is false. */
  readonly onSweep: () => void;
  readonly onDrained: () => void;
  readonly onClosed: () => void;
}

export class RibConsumer {
  readonly options: ConsumerOptions;
  readonly #store: RouteStore;
  readonly #queue = new RowQueue();
  /** This consumer's flags of a row. */
  readonly #dirty: number;
  readonly #present: number;
  readonly #hooks: ConsumerHooks;
  readonly #change = {
    address: 0,
    length: 0,
    set: 0,
    kind: undefined as RouteSource['kind'] | undefined,
    wasPresent: false,
    previousSet: 0,
  };
  #isSignalled = false;
  /** Over the table, to refresh or to close. */
  readonly #lap = new Lap();
  #isClosed = false;

  constructor(store: RouteStore, number: number, options: ConsumerOptions, hooks: ConsumerHooks) {
    this.#store = store;
    this.options = options;
    this.#dirty = dirtyFor(number);
    this.#present = presentFor(number);
    this.#hooks = hooks;
  }

  /** Prefixes that wait. */
  get pendingCount(): number {
    return this.#queue.count;
  }

  /** Reads up to `changesMax` changed prefixes. @returns how many */
  take(changesMax: number, visit: (change: RouteChange) => void): number {
    let taken = 0;
    for (; taken < changesMax && this.#queue.count > 0; taken += 1) {
      this.#deliver(this.#queue.shift(), visit);
    }
    if (this.#queue.count === 0) {
      this.#isSignalled = false;
      this.#hooks.onDrained();
    }
    return taken;
  }

  /** Whether what this consumer received last for a prefix was a route. */
  has(address: Ipv4, length: number): boolean {
    const row = this.#store.prefixes.find(address, length);
    return row !== 0 && this.#store.prefixes.has(row, this.#present);
  }

  /** Queues a row whose outcome changed. */
  mark(row: number): void {
    if (this.#isClosed) return;
    const { prefixes } = this.#store;
    if (prefixes.has(row, this.#dirty)) return;
    if (!prefixes.has(row, this.#present) && this.#setOf(row) === 0) return;
    prefixes.raise(row, this.#dirty);
    this.#queue.push(row);
  }

  /** Queues every prefix again, in slices. */
  refresh(): void {
    if (this.#isClosed) return;
    this.#lap.begin();
    this.#hooks.onSweep();
  }

  /** Notifies the consumer, once until it has taken everything. */
  signal(): void {
    if (this.#isSignalled || this.#queue.count === 0) return;
    this.#isSignalled = true;
    this.options.onDirty();
  }

  /** Delivers nothing any more, and clears this consumer's flags, in slices. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    while (this.#queue.count > 0) this.#queue.shift();
    this.#lap.begin();
    this.#hooks.onSweep();
  }

  /** Whether rows are still to be visited. */
  get isSweeping(): boolean {
    return !this.#lap.isDone;
  }

  /** Visits some rows: queues them, or once closed clears what they hold for it. */
  sweep(rowsMax: number): void {
    const { prefixes } = this.#store;
    this.#lap.run(prefixes, rowsMax, (row) => {
      if (this.#isClosed) this.#forget(row);
      else this.mark(row);
    });
    if (this.#isClosed && !this.isSweeping) this.#hooks.onClosed();
  }

  #forget(row: number): void {
    const { prefixes } = this.#store;
    prefixes.lower(row, this.#dirty | this.#present);
    const delivered = prefixes.deliveredOf(row);
    if (this.options.remembers && delivered !== 0) {
      prefixes.putDelivered(row, 0);
      this.#store.sets.release(delivered);
    }
    this.#store.releaseIfEmpty(row);
  }

  #deliver(row: number, visit: (change: RouteChange) => void): void {
    const { prefixes } = this.#store;
    const change = this.#change;
    change.address = prefixes.addressOf(row);
    change.length = prefixes.lengthOf(row);
    change.set = this.#setOf(row);
    change.kind = change.set === 0 ? undefined : rowKinds[prefixes.kindOf(row)];
    change.previousSet = this.options.remembers ? prefixes.deliveredOf(row) : 0;
    change.wasPresent = prefixes.has(row, this.#present);
    prefixes.lower(row, this.#dirty | this.#present);
    if (change.set !== 0) prefixes.raise(row, this.#present);
    if (change.set !== 0 || change.wasPresent) visit(change);
    if (this.options.remembers && change.set !== change.previousSet) {
      if (change.set !== 0) this.#store.sets.retain(change.set);
      prefixes.putDelivered(row, change.set);
      if (change.previousSet !== 0) this.#store.sets.release(change.previousSet);
    }
    if (change.set === 0) this.#store.releaseIfEmpty(row);
  }

  /** The set as this consumer sees it. */
  #setOf(row: number): NextHopSetId {
    const { prefixes } = this.#store;
    if (this.options.isLearnedOnly && prefixes.kindOf(row) === kindConnected) return 0;
    return prefixes.setOf(row);
  }
}
