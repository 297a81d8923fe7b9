/**
 * The mirror's pump: hands what changed to the thread that tells the kernel (native/egretd/mirror.h), and
 * notes in each MirrorTable what became of it.
 *
 *   repairs, then changes of each table ──rows──▶ thread ──▶ kernel
 *                                                   │
 *   MirrorTable ◀──────── settled, refused ─────────┘
 *
 * At most inFlightMax routes are unsettled; all else waits in the sources, where it can still be
 * coalesced. When to look at a prefix again is mirror.ts's to decide.
 */
import { constants } from 'node:os';
import { assert } from '../lib/assert.ts';
import type { Clock } from '../lib/clock.ts';
import type { Ipv4 } from '../net/ipv4.ts';
import { openByteStream } from './byte-stream.ts';
import {
  decodeMirrorEvents,
  type MirrorEventListener,
  type MirrorPath,
  MirrorRows,
  mirrorPathsMax,
} from './mirror-codec.ts';
import type { MirrorNextHop, MirrorTable, PathSets } from './mirror-table.ts';
import type { MirrorNative } from './native.ts';

const rowsMax = 1024;
/** Less than MIRROR_QUEUE_ROUTES, so that the thread's queue never refuses. */
const inFlightMax = 8192;
/** CPU time of the main thread in one go. */
const sliceMs = 8;

export interface MirrorPump {
  /** There is work: looks at it after pending I/O. */
  wake(): void;
  /** Until everything that is known of a table now is settled, or the pump closed. */
  idle(table: MirrorTable): Promise<void>;
  /** From here on nothing is more important to the thread. */
  hurry(): void;
  close(): void;
}

export interface MirrorPumpParts {
  readonly native: MirrorNative;
  readonly clock: Clock;
  /** rtm_protocol of the routes. */
  readonly protocol: number;
  /** The tables to pump for; they come and go. */
  readonly tables: ReadonlyMap<number, MirrorTable>;
  readonly pathSets: PathSets;
  readonly ifindexOf: (name: string) => number | undefined;
}

export interface MirrorPumpListener extends Pick<MirrorEventListener, 'foreignChange' | 'overrun'> {
  /** A route was refused, which the table knows by now. */
  refused(): void;
  /** The thread is gone: nothing is settled any more. */
  ended(): void;
}

export function openMirrorPump(
  { native, clock, protocol, tables, pathSets, ifindexOf }: MirrorPumpParts,
  listener: MirrorPumpListener,
): MirrorPump {
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
  let idleWaiters: (() => void)[] = [];
  let isClosed = false;

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
        foreignChange: listener.foreignChange,
        overrun: listener.overrun,
      }),
    listener.ended,
  );

  function wake(): void {
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
        wake();
        break;
      }
    }
    // Whatever brings a table nearer to its rest ends here: settle, too, wakes the pump.
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
      listener.refused();
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
      const ifindex = ifindexOf(name);
      if (ifindex === undefined) return undefined;
      if (paths.length < mirrorPathsMax) paths.push({ ifindex, address });
    }
    return paths;
  }

  function settle(sequence: number): void {
    while (settled < sequence) {
      settled += 1;
      const entry = sent[settled % inFlightMax]!;
      entry.table?.settled(entry.address, entry.length, entry.pathSet, entry.errno);
      entry.table = undefined;
      if (entry.errno !== 0) listener.refused();
    }
    wake();
  }

  async function idle(table: MirrorTable): Promise<void> {
    wake();
    while (!isClosed && !table.isIdle)
      await new Promise<void>((resolve) => {
        idleWaiters.push(resolve);
      });
  }

  return {
    wake,
    idle,
    hurry() {
      if (!isClosed) native.hurry(handle);
    },
    close() {
      isClosed = true;
      stream.close();
      native.close(handle);
      for (const tell of idleWaiters) tell();
    },
  };
}
