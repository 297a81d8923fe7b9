/**
 * The mirror: what each network's RIB selected, in the kernel's table of the same number, so that
 * the box itself, and whoever types `ip route`, sees it. Forwarding never depends on it.
 *
 *   RIB ──changes, one a prefix──▶ pump ──rows──▶ native/mirror.c ──▶ kernel
 *                                   ▲                  │
 *                      repairs ─────┴── settled, refused, changed by others
 *
 * Lowest in priority: changes wait in the RIB, coalesced, until fewer than inFlightMax routes are
 * unsettled. What the kernel holds is known per prefix (MirrorTable); a reconciliation reads the
 * kernel's table in slices, drops what the RIB does not have, and adds what the kernel lacks. It runs
 * after a restart, after lost notifications, and when a link went down (the kernel then takes the
 * link's routes away without saying so).
 */
import { constants } from 'node:os';
import { assert } from '../lib/assert.ts';
import type { Clock, Timer } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import type { Ipv4 } from '../net/ipv4.ts';
import { openByteStream } from './byte-stream.ts';
import type { HostSnapshot, HostState } from './host.ts';
import { decodeMirrorEvents, type MirrorPath, MirrorRows, mirrorPathsMax } from './mirror-codec.ts';
import { ForeignRoutes, readMirrorTable } from './mirror-read.ts';
import {
  type MirrorNextHop,
  type MirrorSource,
  MirrorTable,
  PathSets,
  tableShards,
} from './mirror-table.ts';
import type { MirrorNative } from './native.ts';
import { encodeDelRoute, type RouteMessage } from './route-codec.ts';
import type { Rtnetlink } from './rtnetlink.ts';

const rowsMax = 1024;
/** Less than MIRROR_QUEUE_ROUTES, so that the thread's queue never refuses. */
const inFlightMax = 8192;
/** CPU time of the main thread in one go. */
const sliceMs = 8;
const retryDelayMinMs = 1000;
const retryDelayMaxMs = 60_000;
const reconcileDelayMs = 500;

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
  readonly rtnetlink: Rtnetlink;
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
  const rows = new MirrorRows(rowsMax);
  // What was submitted, by sequence number modulo inFlightMax.
  const sent = Array.from({ length: inFlightMax }, () => ({
    table: undefined as MirrorTable | undefined,
    address: 0,
    length: 0,
    pathSet: 0,
    errno: 0,
  }));
  let submitted = 0;
  let settled = 0;
  let isPumpingSoon = false;
  let isClosed = false;
  let retryTimer: Timer | undefined;
  let retryDelayMs = retryDelayMinMs;
  let reconcileTimer: Timer | undefined;
  let idleWaiters: (() => void)[] = [];
  let snapshot = host.snapshot();
  let downCount = countDowns(snapshot);

  const { handle, events } = native.open(protocol);
  const stream = openByteStream(
    events,
    clock,
    (bytes) =>
      decodeMirrorEvents(bytes, {
        progressed: settle,
        failed(sequence, errno) {
          sent[sequence % inFlightMax]!.errno = errno;
        },
        foreignChange,
        overrun() {
          log.warn('mirror: notifications were lost; reading the tables again');
          reconcileSoon();
        },
      }),
    () => log.error('mirror: its thread has ended'),
  );
  const stopListening = host.onChanged(hostChanged);

  function hostChanged(now: HostSnapshot): void {
    snapshot = now;
    // What was refused may do now.
    retryDelayMs = retryDelayMinMs;
    retryTimer?.clear();
    retryTimer = undefined;
    retrySoon(retryDelayMinMs);
    const count = countDowns(now);
    if (count === downCount) return;
    downCount = count;
    reconcileSoon();
  }

  function reconcileSoon(): void {
    reconcileTimer?.clear();
    reconcileTimer = clock.after(reconcileDelayMs, () => {
      for (const table of tables.values()) reconcileInBackground(table);
    });
  }

  // -- The pump -----------------------------------------------------------------------------------

  function pumpSoon(): void {
    if (isPumpingSoon || isClosed) return;
    isPumpingSoon = true;
    clock.soon(() => {
      isPumpingSoon = false;
      if (!isClosed) pump();
    });
  }

  function pump(): void {
    const startMs = clock.threadCpuMs();
    while (submitted - settled + rowsMax <= inFlightMax && fillRows() > 0) {
      if (rows.count > 0) {
        const taken = native.submit(handle, rows.bytes, rows.count);
        assert(taken === rows.count, 'the mirror has room for what is in flight');
      }
      if (clock.threadCpuMs() - startMs > sliceMs) {
        pumpSoon();
        break;
      }
    }
    const waiters = idleWaiters;
    idleWaiters = [];
    for (const look of waiters) look();
  }

  /**
   * Fills the rows from repairs, then from the sources, an equal share of each table.
   *
   * @returns how many prefixes were looked at; not all of them need a row
   */
  function fillRows(): number {
    rows.count = 0;
    let looked = 0;
    for (const table of tables.values())
      while (
        looked < rowsMax &&
        table.takeRepair((address, length) =>
          put(table, address, length, table.wanted(address, length), true),
        )
      )
        looked += 1;
    const dirty = [...tables.values()].filter((table) => table.isDirty && !table.isClosing);
    for (const [index, table] of dirty.entries()) {
      const share = Math.floor((rowsMax - looked) / (dirty.length - index));
      if (share === 0) continue;
      const visited = table.source.takeChanges(share, (address, length, nextHops) =>
        put(table, address, length, nextHops, false),
      );
      looked += visited;
      table.isDirty = visited === share;
    }
    return looked;
  }

  /** One row, unless the kernel holds just that already. */
  function put(
    table: MirrorTable,
    address: Ipv4,
    length: number,
    nextHops: readonly MirrorNextHop[],
    isRepair: boolean,
  ): void {
    const paths = resolve(nextHops);
    if (paths === undefined) {
      table.refused(address, length, constants.errno.ENODEV);
      retrySoon(retryDelayMs);
      return;
    }
    const pathSet = pathSets.numberOf(paths);
    const isSettled = !table.isInFlight(address, length);
    if (isSettled && pathSet !== 0 && table.installed.get(address, length) === pathSet) return;
    if (pathSet === 0 && !isRepair && isSettled && !table.isKnown(address, length)) return;
    submitted += 1;
    const entry = sent[submitted % inFlightMax]!;
    entry.table = table;
    entry.address = address;
    entry.length = length;
    entry.pathSet = pathSet;
    entry.errno = 0;
    table.submitted(address, length);
    rows.push(table.table, address, length, paths);
  }

  /** @returns undefined when an interface is missing */
  function resolve(nextHops: readonly MirrorNextHop[]): readonly MirrorPath[] | undefined {
    const paths: MirrorPath[] = [];
    for (const { interface: name, address } of nextHops) {
      const link = snapshot.links.get(name);
      if (!link) return undefined;
      if (paths.length < mirrorPathsMax) paths.push({ ifindex: link.ifindex, address });
    }
    return paths;
  }

  function settle(sequence: number): void {
    while (settled < sequence) {
      settled += 1;
      const entry = sent[settled % inFlightMax]!;
      entry.table?.settled(entry.address, entry.length, entry.pathSet, entry.errno);
      entry.table = undefined;
      if (entry.errno !== 0) retrySoon(retryDelayMs);
    }
    pumpSoon();
  }

  /** Until everything that is known of a table now is settled. */
  async function idle(table: MirrorTable): Promise<void> {
    while (!isClosed && !table.isIdle) {
      await new Promise<void>((resolve) => {
        idleWaiters.push(resolve);
        pumpSoon();
      });
    }
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
      for (const table of failed) void inSlices((shard) => table.retry(shard)).then(pumpSoon);
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

  function reconcile(table: MirrorTable): Promise<void> {
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
        await idle(table);
      } while (job.isAgain && !isClosed);
    };
    job.finished = run().finally(() => reconciling.delete(table.table));
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
    pumpSoon();
  }

  async function removeTable(table: MirrorTable): Promise<void> {
    table.isClosing = true;
    await reconciling.get(table.table)?.finished.catch(() => {});
    await idle(table);
    await inSlices((shard) => table.repairAll(shard));
    await idle(table);
    tables.delete(table.table);
  }

  return {
    open: openTable,
    wake(number) {
      const table = tables.get(number);
      if (!table) return;
      table.isDirty = true;
      pumpSoon();
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
      native.hurry(handle);
      await Promise.all([...tables.values()].map(removeTable));
    },
    close() {
      if (isClosed) return;
      isClosed = true;
      stopListening();
      retryTimer?.clear();
      reconcileTimer?.clear();
      stream.close();
      native.close(handle);
      for (const tell of idleWaiters) tell();
    },
  };
}

function countDowns(snapshot: HostSnapshot): number {
  let count = 0;
  for (const link of snapshot.links.values()) count += link.downCount;
  return count;
}
