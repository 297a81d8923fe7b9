// SPDX-License-Identifier: Apache-2.0
/**
 * The mirror: what each network's RIB selected, in the kernel's table of the same number, so that
 * the box itself uses it and `ip route` shows it. Forwarding never depends on it.
 *
 *   RIB ──changes, one a prefix──▶ pump ──rows──▶ native/egretd/mirror.c ──▶ kernel
 *                                   ▲                  │
 *                      repairs ─────┴── settled, refused, changed by others
 *
 * Lowest in priority: changes wait in the RIB, coalesced, until the pump has room (mirror-pump.ts).
 * What the kernel holds is recorded per prefix (MirrorTable); a reconciliation reads the kernel's table in
 * slices, drops what the RIB does not have, and adds what the kernel lacks. It runs after a restart,
 * after lost notifications, and when a link went down (the kernel then takes the link's routes away
 * without saying so).
 */
import { constants } from 'node:os';
import { assert } from '../lib/assert.ts';
import type { Clock, Timer } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import type { WorkQueue } from '../lib/work-queue.ts';
import type { Ipv4 } from '../net/ipv4.ts';
import type { HostState } from './host.ts';
import type { HostSnapshot } from './host-snapshot.ts';
import { MirrorPump } from './mirror-pump.ts';
import { type Foreign, ForeignRoutes, readForeignRoutes, readMirrorTable } from './mirror-read.ts';
import { type MirrorSource, MirrorTable, PathSets, tableShards } from './mirror-table.ts';
import type { MirrorNative } from './native.ts';
import { encodeDelRoute, type RouteMessage } from './route-codec.ts';
import type { Rtnetlink } from './rtnetlink.ts';

const retryDelayMinMs = 1000;
const retryDelayMaxMs = 60_000;
const reconcileDelayMs = 500;
/** After a read that failed. */
const reconcileRetryMs = 5000;

export interface MirrorStatus {
  /** Routes that the kernel holds for us, with the next hops that they have now. */
  readonly mirrored: number;
  /** Routes that it refused; they are tried again. */
  readonly failed: number;
  /** Routes on their way. */
  readonly pending: number;
  readonly isReconciling: boolean;
  /** The source has changes that the mirror has not taken yet. */
  readonly isBehind: boolean;
}

export interface MirrorTableOptions {
  /** The table is also others' (main): their routes are no error. */
  readonly isShared?: boolean;
  /** No previous instance mirrored here (state file): routes of our protocol are others', too. */
  readonly isNew?: boolean;
  /** Protocols under which a previous instance mirrored (state file); those routes are removed. */
  readonly previousProtocols?: readonly number[];
}

export interface MirrorParts {
  readonly native: MirrorNative;
  readonly rtnetlink: Pick<Rtnetlink, 'dumpEach' | 'requestAll'>;
  readonly host: Pick<HostState, 'snapshot' | 'onChanged'>;
  readonly clock: Clock;
  readonly queue: WorkQueue;
  readonly log: Log;
  /** rtm_protocol of the routes. */
  readonly protocol: number;
}

interface Reconciliation {
  /** It is asked for again meanwhile. */
  isAgain: boolean;
  finished: Promise<void>;
}

export class Mirror {
  readonly #parts: MirrorParts;
  readonly #pump: MirrorPump;
  readonly #tables = new Map<number, MirrorTable>();
  readonly #reconciling = new Map<number, Reconciliation>();
  readonly #pathSets = new PathSets();
  readonly #stopListening: () => void;
  #isClosed = false;
  #retryTimer: Timer | undefined;
  #retryDelayMs = retryDelayMinMs;
  #reconcileTimer: Timer | undefined;
  #snapshot: HostSnapshot;
  #downCount: number;

  constructor(parts: MirrorParts) {
    this.#parts = parts;
    const { native, queue, protocol, host, log } = parts;
    this.#snapshot = host.snapshot();
    this.#downCount = countDowns(this.#snapshot);
    const ifindexOf = (name: string): number | undefined => this.#snapshot.links.get(name)?.ifindex;
    const pathSets = this.#pathSets;
    this.#pump = new MirrorPump(
      { native, queue, protocol, pathSets, ifindexOf },
      {
        refused: () => this.#retrySoon(this.#retryDelayMs),
        foreignChange: (table, address, length) => this.#foreignChange(table, address, length),
        overrun: () => {
          log.warn('mirror: notifications were lost; reading the tables again');
          this.#reconcileSoon();
        },
        ended: () => {
          log.error('mirror: its thread has stopped; the kernel keeps the routes that it has');
          this.close();
        },
      },
    );
    this.#stopListening = host.onChanged((snapshot) => this.#hostChanged(snapshot));
  }

  /**
   * Adds a table and reads what a previous instance left there.
   *
   * @returns routes of others that it holds: then nothing was done, and it can be tried again
   * @throws EgretError NETLINK_REFUSED
   */
  async open(
    number: number,
    source: MirrorSource,
    { isShared = false, isNew = false, previousProtocols = [] }: MirrorTableOptions = {},
  ): Promise<Foreign | undefined> {
    assert(!this.#tables.has(number), 'a table is mirrored once');
    const { rtnetlink, protocol } = this.#parts;
    const table = new MirrorTable(number, source);
    const previous: RouteMessage[] = [];
    const foreign = new ForeignRoutes(number, this.#snapshot);
    const ours = isNew ? undefined : protocol;
    await readMirrorTable(rtnetlink, table, ours, this.#pathSets, (route) => {
      if (previousProtocols.includes(route.protocol)) previous.push(route);
      else foreign.add(route);
    });
    const refused = isShared ? undefined : foreign.found();
    if (refused) return refused;
    await rtnetlink.requestAll(previous.map(encodeDelRoute));
    // An interrupted dump was read twice. A route that only the first reading had was removed since.
    await this.#eachShard((shard) => table.forgetUnseen(shard));
    this.#tables.set(number, table);
    table.isDirty = true;
    this.#pump.wake(table);
    return undefined;
  }

  /** Routes of others in a table that is mirrored. @throws EgretError NETLINK_REFUSED */
  readForeign(number: number): Promise<Foreign | undefined> {
    const { rtnetlink, protocol } = this.#parts;
    return readForeignRoutes(rtnetlink, number, [protocol], this.#snapshot);
  }

  /** The table's source has changes. */
  wake(number: number): void {
    const table = this.#tables.get(number);
    if (!table) return;
    table.isDirty = true;
    this.#pump.wake(table);
  }

  /** Makes the kernel's table equal to the source. To be called when the network has converged. */
  async reconcile(number: number): Promise<void> {
    const table = this.#tables.get(number);
    if (table) await this.#reconcile(table);
  }

  status(number: number): MirrorStatus | undefined {
    const table = this.#tables.get(number);
    if (!table) return undefined;
    return {
      mirrored: table.mirroredCount,
      failed: table.failed.count,
      pending: table.inFlight.size + table.repairCount,
      isReconciling: this.#reconciling.has(number),
      isBehind: table.isDirty,
    };
  }

  /** Removes our routes from a table, and forgets it. */
  async remove(number: number): Promise<void> {
    const table = this.#tables.get(number);
    if (table) await this.#removeTable(table);
  }

  /** Removes all our routes: the orderly stop. */
  async removeAll(): Promise<void> {
    this.#pump.hurry();
    await Promise.all([...this.#tables.values()].map((table) => this.#removeTable(table)));
  }

  /** Stops, and leaves the routes where they are. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#stopListening();
    this.#retryTimer?.clear();
    this.#reconcileTimer?.clear();
    this.#pump.close();
  }

  async #removeTable(table: MirrorTable): Promise<void> {
    table.isClosing = true;
    await this.#reconciling.get(table.table)?.finished.catch(() => {});
    await this.#pump.idle(table);
    await this.#eachShard((shard) => table.repairAll(shard));
    await this.#pump.idle(table);
    this.#tables.delete(table.table);
    this.#pump.forget(table);
  }

  // -- What others do, and what was refused -------------------------------------------------------

  #hostChanged(now: HostSnapshot): void {
    this.#snapshot = now;
    // What was refused may do now. A retry that is near stays: the host may change all the time.
    if (this.#retryDelayMs > retryDelayMinMs) {
      this.#retryDelayMs = retryDelayMinMs;
      this.#retryTimer?.clear();
      this.#retryTimer = undefined;
    }
    this.#retrySoon(retryDelayMinMs);
    const count = countDowns(now);
    if (count === this.#downCount) return;
    this.#downCount = count;
    this.#reconcileSoon();
  }

  #foreignChange(number: number, address: Ipv4, length: number): void {
    const table = this.#tables.get(number);
    if (!table) return;
    // Before or after what is on its way? Only the kernel knows.
    if (table.isInFlight(address, length)) this.#reconcileSoon();
    if (!table.installed.delete(address, length)) return;
    // Not at once: another daemon that wants the same prefix would answer, without end.
    table.failed.set(address, length, constants.errno.EEXIST, 0);
    this.#retrySoon(retryDelayMinMs);
  }

  #retrySoon(delayMs: number): void {
    if (this.#retryTimer || this.#isClosed) return;
    this.#retryTimer = this.#parts.clock.after(delayMs, () => {
      this.#retryTimer = undefined;
      const failed = [...this.#tables.values()].filter((table) => table.failed.count > 0);
      if (failed.length === 0) {
        this.#retryDelayMs = retryDelayMinMs;
        return;
      }
      this.#retryDelayMs = Math.min(this.#retryDelayMs * 2, retryDelayMaxMs);
      for (const table of failed) {
        void this.#eachShard((shard) => table.retry(shard)).then(() => this.#pump.wake(table));
      }
    });
  }

  /** Runs over the shards of a table, as a customer of the work queue. */
  async #eachShard(visit: (shard: number) => void): Promise<void> {
    let shard = 0;
    await this.#parts.queue.job(() => {
      if (this.#isClosed) return false;
      visit(shard);
      shard += 1;
      return shard < tableShards;
    });
  }

  // -- Reading the kernel's tables ----------------------------------------------------------------

  #reconcileSoon(delayMs = reconcileDelayMs): void {
    this.#reconcileTimer?.clear();
    if (this.#isClosed) return;
    this.#reconcileTimer = this.#parts.clock.after(delayMs, () => {
      for (const table of this.#tables.values()) this.#reconcileInBackground(table);
    });
  }

  #reconcileInBackground(table: MirrorTable): void {
    this.#reconcile(table).catch((error: unknown) => {
      const { log } = this.#parts;
      if (!this.#isClosed)
        log.error({ error, table: table.table }, 'mirror: reconciliation failed');
    });
  }

  /** A table that is being emptied needs none, and would not be pumped to its end. */
  async #reconcile(table: MirrorTable): Promise<void> {
    if (table.isClosing) return;
    const running = this.#reconciling.get(table.table);
    if (running) {
      running.isAgain = true;
      return running.finished;
    }
    const job: Reconciliation = { isAgain: false, finished: Promise.resolve() };
    job.finished = this.#readAgain(table, job)
      .catch((error: unknown) => {
        this.#reconcileSoon(reconcileRetryMs);
        throw error;
      })
      .finally(() => this.#reconciling.delete(table.table));
    this.#reconciling.set(table.table, job);
    return job.finished;
  }

  async #readAgain(table: MirrorTable, job: Reconciliation): Promise<void> {
    const { rtnetlink, protocol } = this.#parts;
    do {
      job.isAgain = false;
      await readMirrorTable(rtnetlink, table, protocol, this.#pathSets, () => {});
      await this.#eachShard((shard) => table.sweep(shard));
      if (!table.isClosing) {
        table.source.refresh();
        table.isDirty = true;
      }
      await this.#pump.idle(table);
    } while (job.isAgain && !this.#isClosed && !table.isClosing);
  }
}

function countDowns(snapshot: HostSnapshot): number {
  let count = 0;
  for (const link of snapshot.links.values()) count += link.downCount;
  return count;
}
