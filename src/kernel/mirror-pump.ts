// SPDX-License-Identifier: Apache-2.0
/**
 * The mirror's pump: hands what changed to the thread that tells the kernel (native/egretd/mirror.h), and
 * notes in each MirrorTable what became of it.
 *
 *   a table's repairs, then its changes ──rows──▶ thread ──▶ kernel
 *                                                   │
 *   MirrorTable ◀──────── settled, refused ─────────┘
 *
 * Each table is a customer of the work queue. At most inFlightMax routes of all tables together are
 * unsettled. A table that finds no room waits its turn, and its changes wait in its source, where they
 * are coalesced. mirror.ts decides when a prefix is checked again.
 */
import { constants } from 'node:os';
import { assert } from '../lib/assert.ts';
import type { Worker, WorkQueue } from '../lib/work-queue.ts';
import type { Ipv4 } from '../net/ipv4.ts';
import { ByteStream } from './byte-stream.ts';
import {
  decodeMirrorEvents,
  type MirrorEventListener,
  type MirrorPath,
  MirrorRows,
  mirrorPathsMax,
} from './mirror-codec.ts';
import type { MirrorNextHop, MirrorTable, PathSets } from './mirror-table.ts';
import type { MirrorNative } from './native.ts';

/** Prefixes of a table that are checked in one step; not all of them need a row. */
const prefixesPerStep = 128;
/** Less than MIRROR_QUEUE_ROUTES, so that the thread's queue never refuses. */
const inFlightMax = 8192;

export interface MirrorPumpParts {
  readonly native: MirrorNative;
  readonly queue: WorkQueue;
  /** rtm_protocol of the routes. */
  readonly protocol: number;
  readonly pathSets: PathSets;
  readonly ifindexOf: (name: string) => number | undefined;
}

export interface MirrorPumpListener extends Pick<MirrorEventListener, 'foreignChange' | 'overrun'> {
  /** A route was refused, which the table knows by now. */
  refused(): void;
  /** The thread has stopped: nothing is settled any more. */
  ended(): void;
}

interface SentRoute {
  table: MirrorTable | undefined;
  address: Ipv4;
  length: number;
  /** 0: it is a removal. */
  pathSet: number;
  errno: number;
}

export class MirrorPump {
  readonly #parts: MirrorPumpParts;
  readonly #listener: MirrorPumpListener;
  readonly #handle: ReturnType<MirrorNative['open']>['handle'];
  readonly #stream: ByteStream;
  readonly #rows = new MirrorRows(prefixesPerStep);
  readonly #workers = new Map<MirrorTable, Worker>();
  /** Tables that found no room. */
  #waiting: MirrorTable[] = [];
  /** What was submitted, by sequence number modulo inFlightMax. */
  readonly #sent: SentRoute[] = Array.from({ length: inFlightMax }, () => ({
    table: undefined,
    address: 0,
    length: 0,
    pathSet: 0,
    errno: 0,
  }));
  #submitted = 0;
  #settled = 0;
  readonly #idleWaiters = new Map<MirrorTable, (() => void)[]>();
  #isClosed = false;

  constructor(parts: MirrorPumpParts, listener: MirrorPumpListener) {
    this.#parts = parts;
    this.#listener = listener;
    const { handle, events } = parts.native.open(parts.protocol);
    this.#handle = handle;
    const decoded: MirrorEventListener = {
      progressed: (sequence) => this.#settle(sequence),
      failed: (sequence, errno) => {
        this.#sent[sequence % inFlightMax]!.errno = errno;
      },
      foreignChange: listener.foreignChange,
      overrun: listener.overrun,
    };
    this.#stream = new ByteStream(events, parts.queue, {
      take: (bytes) => decodeMirrorEvents(bytes, decoded),
      ended: listener.ended,
    });
  }

  /** A table has changes or repairs. */
  wake(table: MirrorTable): void {
    if (this.#isClosed) return;
    const worker = this.#workers.get(table) ?? { work: () => this.#step(table) };
    this.#workers.set(table, worker);
    this.#parts.queue.add(worker);
  }

  /** Until everything that is known of a table now is settled, or the pump closed. */
  async idle(table: MirrorTable): Promise<void> {
    this.wake(table);
    while (!this.#isClosed && !table.isIdle) {
      await new Promise<void>((resolve) => {
        this.#idleWaiters.set(table, [...(this.#idleWaiters.get(table) ?? []), resolve]);
      });
    }
  }

  /** A table that is idle and is no longer mirrored. */
  forget(table: MirrorTable): void {
    const worker = this.#workers.get(table);
    if (worker) this.#parts.queue.remove(worker);
    this.#workers.delete(table);
  }

  /** From here on nothing is more important to the thread. */
  hurry(): void {
    if (!this.#isClosed) this.#parts.native.hurry(this.#handle);
  }

  close(): void {
    this.#isClosed = true;
    for (const worker of this.#workers.values()) this.#parts.queue.remove(worker);
    this.#stream.close();
    this.#parts.native.close(this.#handle);
    for (const waiters of this.#idleWaiters.values()) for (const go of waiters) go();
  }

  get #hasRoom(): boolean {
    return this.#submitted - this.#settled + prefixesPerStep <= inFlightMax;
  }

  #step(table: MirrorTable): boolean {
    if (!this.#hasRoom) {
      this.#waiting.push(table);
      return false;
    }
    const checked = this.#fillRows(table);
    const rows = this.#rows;
    if (rows.count > 0) {
      const taken = this.#parts.native.submit(this.#handle, rows.bytes, rows.count);
      assert(taken === rows.count, 'the mirror has room for what is in flight');
    }
    this.#tellIdle(table);
    return checked === prefixesPerStep;
  }

  /** @returns how many prefixes were checked; fewer than a step's: there are no more */
  #fillRows(table: MirrorTable): number {
    this.#rows.count = 0;
    let checked = 0;
    const repair = (address: Ipv4, length: number): void =>
      this.#put(table, address, length, table.wanted(address, length), true);
    while (checked < prefixesPerStep && table.takeRepair(repair)) checked += 1;
    const left = prefixesPerStep - checked;
    if (left === 0 || !table.isDirty || table.isClosing) return checked;
    const visited = table.source.takeChanges(left, (address, length, nextHops) =>
      this.#put(table, address, length, nextHops, false),
    );
    table.isDirty = visited === left;
    return checked + visited;
  }

  /** One row, unless the kernel holds just that already. */
  #put(
    table: MirrorTable,
    address: Ipv4,
    length: number,
    nextHops: readonly MirrorNextHop[],
    isRepair: boolean,
  ): void {
    const paths = this.#resolve(nextHops);
    if (paths === undefined) {
      table.refused(address, length, constants.errno.ENODEV);
      this.#listener.refused();
      return;
    }
    const pathSet = this.#parts.pathSets.numberOf(paths);
    const isSettled = !table.isInFlight(address, length);
    if (isSettled && pathSet !== 0 && table.installed.get(address, length) === pathSet) return;
    if (pathSet === 0 && !isRepair && isSettled && !table.isKnown(address, length)) return;
    this.#submitted += 1;
    const entry = this.#sent[this.#submitted % inFlightMax]!;
    entry.table = table;
    entry.address = address;
    entry.length = length;
    entry.pathSet = pathSet;
    entry.errno = 0;
    table.submitted(address, length);
    this.#rows.push(table.table, address, length, paths);
  }

  /** @returns undefined when an interface is missing */
  #resolve(nextHops: readonly MirrorNextHop[]): readonly MirrorPath[] | undefined {
    const paths: MirrorPath[] = [];
    for (const { interface: name, address } of nextHops) {
      const ifindex = this.#parts.ifindexOf(name);
      if (ifindex === undefined) return undefined;
      if (paths.length < mirrorPathsMax) paths.push({ ifindex, address });
    }
    return paths;
  }

  #settle(sequence: number): void {
    while (this.#settled < sequence) {
      this.#settled += 1;
      const entry = this.#sent[this.#settled % inFlightMax]!;
      entry.table?.settled(entry.address, entry.length, entry.pathSet, entry.errno);
      entry.table = undefined;
      if (entry.errno !== 0) this.#listener.refused();
    }
    for (const table of this.#idleWaiters.keys()) this.#tellIdle(table);
    if (!this.#hasRoom) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const table of waiting) this.wake(table);
  }

  #tellIdle(table: MirrorTable): void {
    const waiters = this.#idleWaiters.get(table);
    if (waiters === undefined || !table.isIdle) return;
    this.#idleWaiters.delete(table);
    for (const go of waiters) go();
  }
}
