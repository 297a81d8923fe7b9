/**
 * The mirror: what each network's RIB selected, in the kernel's table of the same number, so that
 * the box itself, and whoever types `ip route`, sees it. Forwarding never depends on it.
 *
 *   RIB ──changes, one a prefix──▶ pump ──rows──▶ native/egretd/mirror.c ──▶ kernel
 *                                   ▲                  │
 *                      repairs ─────┴── settled, refused, changed by others
 *
 * Lowest in priority: changes wait in the RIB, coalesced, until the pump has room (mirror-pump.ts).
 * What the kernel holds is known per prefix (MirrorTable); a reconciliation reads the kernel's table in
 * slices, drops what the RIB does not have, and adds what the kernel lacks. It runs after a restart,
 * after lost notifications, and when a link went down (the kernel then takes the link's routes away
 * without saying so).
 */
import { constants } from 'node:os';
import { assert } from '../lib/assert.ts';
import type { Clock, Timer } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import type { Ipv4 } from '../net/ipv4.ts';
import type { HostState } from './host.ts';
import type { HostSnapshot } from './host-snapshot.ts';
import { openMirrorPump } from './mirror-pump.ts';
import { ForeignRoutes, readMirrorTable } from './mirror-read.ts';
import { type MirrorSource, MirrorTable, PathSets, tableShards } from './mirror-table.ts';
import type { MirrorNative } from './native.ts';
import { encodeDelRoute, type RouteMessage } from './route-codec.ts';
import type { Rtnetlink } from './rtnetlink.ts';

/** CPU time of the main thread in one go. */
const sliceMs = 8;
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
  /** No earlier life mirrored here (state file): routes of our protocol are others', too. */
  readonly isNew?: boolean;
  /** Protocols under which an earlier life mirrored (state file); those routes are removed. */
  readonly formerProtocols?: readonly number[];
}

export interface Mirror {
  /**
   * Adds a table and reads what an earlier life left there.
   *
   * @throws EgretError MIRROR_TABLE_FOREIGN when it holds routes of others
   */
  open(table: number, source: MirrorSource, options?: MirrorTableOptions): Promise<void>;
  /** The table's source has changes. */
  wake(table: number): void;
  /** Makes the kernel's table equal to the source. To be called when the network has converged. */
  reconcile(table: number): Promise<void>;
  status(table: number): MirrorStatus | undefined;
  /** Removes our routes from a table, and forgets it. */
  remove(table: number): Promise<void>;
  /** Removes all our routes: the orderly stop. */
  removeAll(): Promise<void>;
  /** Stops, and leaves the routes where they are. */
  close(): void;
}

export interface MirrorParts {
  readonly native: MirrorNative;
  readonly rtnetlink: Pick<Rtnetlink, 'dumpEach' | 'requestAll'>;
  readonly host: Pick<HostState, 'snapshot' | 'onChanged'>;
  readonly clock: Clock;
  readonly log: Log;
  /** rtm_protocol of the routes. */
  readonly protocol: number;
}

export function openMirror({ native, rtnetlink, host, clock, log, protocol }: MirrorParts): Mirror {
  const tables = new Map<number, MirrorTable>();
  const reconciling = new Map<number, { isAgain: boolean; finished: Promise<void> }>();
  const pathSets = new PathSets();
  let isClosed = false;
  let retryTimer: Timer | undefined;
  let retryDelayMs = retryDelayMinMs;
  let reconcileTimer: Timer | undefined;
  let snapshot = host.snapshot();
  let downCount = countDowns(snapshot);

  const pump = openMirrorPump(
    {
      native,
      clock,
      protocol,
      tables,
      pathSets,
      ifindexOf: (name) => snapshot.links.get(name)?.ifindex,
    },
    {
      refused: () => retrySoon(retryDelayMs),
      foreignChange,
      overrun() {
        log.warn('mirror: notifications were lost; reading the tables again');
        reconcileSoon();
      },
      ended() {
        log.error('mirror: its thread has ended; the kernel keeps the routes that it has');
        close();
      },
    },
  );
  const stopListening = host.onChanged(hostChanged);

  function hostChanged(now: HostSnapshot): void {
    snapshot = now;
    // What was refused may do now. A retry that is near stays: the host may change all the time.
    if (retryDelayMs > retryDelayMinMs) {
      retryDelayMs = retryDelayMinMs;
      retryTimer?.clear();
      retryTimer = undefined;
    }
    retrySoon(retryDelayMinMs);
    const count = countDowns(now);
    if (count === downCount) return;
    downCount = count;
    reconcileSoon();
  }

  function reconcileSoon(delayMs = reconcileDelayMs): void {
    reconcileTimer?.clear();
    if (isClosed) return;
    reconcileTimer = clock.after(delayMs, () => {
      for (const table of tables.values()) reconcileInBackground(table);
    });
  }

  // -- What others do, and what was refused -------------------------------------------------------

  function foreignChange(number: number, address: Ipv4, length: number): void {
    const table = tables.get(number);
    if (!table) return;
    // Before or after what is on its way? Only the kernel knows.
    if (table.isInFlight(address, length)) reconcileSoon();
    if (!table.installed.delete(address, length)) return;
    // Not at once: another daemon that wants the same prefix would answer, without end.
    table.failed.set(address, length, constants.errno.EEXIST, 0);
    retrySoon(retryDelayMinMs);
  }

  function retrySoon(delayMs: number): void {
    if (retryTimer || isClosed) return;
    retryTimer = clock.after(delayMs, () => {
      retryTimer = undefined;
      const failed = [...tables.values()].filter((table) => table.failed.count > 0);
      if (failed.length === 0) {
        retryDelayMs = retryDelayMinMs;
        return;
      }
      retryDelayMs = Math.min(retryDelayMs * 2, retryDelayMaxMs);
      for (const table of failed) void inSlices((shard) => table.retry(shard)).then(pump.wake);
    });
  }

  /** Runs over the shards of a table, with pauses. */
  async function inSlices(visit: (shard: number) => void): Promise<void> {
    let startMs = clock.threadCpuMs();
    for (let shard = 0; shard < tableShards && !isClosed; shard += 1) {
      visit(shard);
      if (clock.threadCpuMs() - startMs < sliceMs) continue;
      await new Promise<void>((resolve) => clock.soon(resolve));
      startMs = clock.threadCpuMs();
    }
  }

  // -- Reading the kernel's tables ----------------------------------------------------------------

  /** A table that is being emptied needs none, and would not be pumped to its end. */
  async function reconcile(table: MirrorTable): Promise<void> {
    if (table.isClosing) return;
    const running = reconciling.get(table.table);
    if (running) {
      running.isAgain = true;
      return running.finished;
    }
    const job = { isAgain: false, finished: Promise.resolve() };
    const run = async (): Promise<void> => {
      do {
        job.isAgain = false;
        await readMirrorTable(rtnetlink, table, protocol, pathSets, () => {});
        await inSlices((shard) => table.sweep(shard));
        if (!table.isClosing) {
          table.source.refresh();
          table.isDirty = true;
        }
        await pump.idle(table);
      } while (job.isAgain && !isClosed && !table.isClosing);
    };
    job.finished = run()
      .catch((error: unknown) => {
        reconcileSoon(reconcileRetryMs);
        throw error;
      })
      .finally(() => reconciling.delete(table.table));
    reconciling.set(table.table, job);
    return job.finished;
  }

  function reconcileInBackground(table: MirrorTable): void {
    reconcile(table).catch((error: unknown) => {
      if (!isClosed) log.error({ error, table: table.table }, 'mirror: reconciliation failed');
    });
  }

  async function openTable(
    number: number,
    source: MirrorSource,
    { isShared = false, isNew = false, formerProtocols = [] }: MirrorTableOptions = {},
  ): Promise<void> {
    assert(!tables.has(number), 'a table is mirrored once');
    const table = new MirrorTable(number, source);
    const former: RouteMessage[] = [];
    const foreign = new ForeignRoutes(snapshot);
    const ours = isNew ? undefined : protocol;
    await readMirrorTable(rtnetlink, table, ours, pathSets, (route) => {
      if (formerProtocols.includes(route.protocol)) former.push(route);
      else foreign.add(route);
    });
    if (!isShared) foreign.refuse(number);
    await rtnetlink.requestAll(former.map(encodeDelRoute));
    // An interrupted dump may have been seen twice; what it saw first and not again is gone.
    await inSlices((shard) => table.forgetUnseen(shard));
    tables.set(number, table);
    table.isDirty = true;
    pump.wake();
  }

  async function removeTable(table: MirrorTable): Promise<void> {
    table.isClosing = true;
    await reconciling.get(table.table)?.finished.catch(() => {});
    await pump.idle(table);
    await inSlices((shard) => table.repairAll(shard));
    await pump.idle(table);
    tables.delete(table.table);
  }

  function close(): void {
    if (isClosed) return;
    isClosed = true;
    stopListening();
    retryTimer?.clear();
    reconcileTimer?.clear();
    pump.close();
  }

  return {
    open: openTable,
    wake(number) {
      const table = tables.get(number);
      if (!table) return;
      table.isDirty = true;
      pump.wake();
    },
    async reconcile(number) {
      const table = tables.get(number);
      if (table) await reconcile(table);
    },
    status(number) {
      const table = tables.get(number);
      if (!table) return undefined;
      return {
        mirrored: table.mirroredCount,
        failed: table.failed.count,
        pending: table.inFlight.size + table.repairCount,
        isReconciling: reconciling.has(number),
        isBehind: table.isDirty,
      };
    },
    async remove(number) {
      const table = tables.get(number);
      if (table) await removeTable(table);
    },
    async removeAll() {
      pump.hurry();
      await Promise.all([...tables.values()].map(removeTable));
    },
    close,
  };
}

function countDowns(snapshot: HostSnapshot): number {
  let count = 0;
  for (const link of snapshot.links.values()) count += link.downCount;
  return count;
}
