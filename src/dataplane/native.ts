// SPDX-License-Identifier: Apache-2.0
/**
 * The binding to libegret: the only file that loads the library.
 *
 * `c` are the functions of native/egret.h that egretd calls, named as there without the prefix. What
 * the data plane calls has a TypeScript function below; the sockets of BGP, probes and netlink and the
 * mirror have theirs in src/appliance/host/native-sockets.ts. A negative result becomes an EgretError in one
 * place (`checked`), with the status as its cause. Handles are opaque; views are live typed arrays over
 * the arena, kept as long as it is open and never posted to another thread (a transferred view would be
 * detached). One call is V8's, not libegret's (shrinkHeap).
 */
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { getSystemErrorMessage } from 'node:util';
import koffi from 'koffi';
import { EgretError } from '../lib/errors.ts';
import { PORT_MAX, type Status, statuses } from './abi.gen.ts';

/** An opaque pointer of the library's. */
export type Handle = { readonly opaque: 'libegret' };

/** The status and errno of a failed call, as `cause` of its EgretError. */
export interface NativeCause {
  readonly status: Status;
  readonly errno: number;
}

// build/, and the installed program, hold the library next to the compiled scripts; sources that run in
// place find the one of build/.
const here = dirname(fileURLToPath(import.meta.url));
const buildDir = here.endsWith(join('js', 'src', 'dataplane'))
  ? join(here, '..', '..', '..')
  : join(here, '..', '..', 'build');

/** The forwarder's executable. */
export const forwarderPath = join(buildDir, 'egret-forwarder');

const library = koffi.load(join(buildDir, 'libegret.so'));

koffi.struct('egret_tcp_options', {
  local_address: 'const char *',
  remote_address: 'const char *',
  interface: 'const char *',
  local_port: 'uint16_t',
  remote_port: 'uint16_t',
  mark: 'uint32_t',
  ttl: 'uint8_t',
  min_ttl: 'uint8_t',
});

/** The functions as they are, their results unchecked. */
export const c = {
  errno: library.func('int egret_errno()'),
  logWrite: library.func('int egret_log_write(int, const void *, uint32_t)'),
  notify: library.func('int egret_notify(const char *)'),
  arenaBytes: library.func('uint64_t egret_arena_bytes(const void *)'),
  arenaCreate: library.func(
    'int egret_arena_create(const char *, const char *, const void *, _Out_ void **)',
  ),
  arenaInspect: library.func('int egret_arena_inspect(const char *, void *)'),
  arenaConvert: library.func(
    'int egret_arena_convert(const char *, const char *, const char *, const void *, _Out_ void **)',
  ),
  arenaRemoveStale: library.func('int egret_arena_remove_stale(const char *)'),
  arenaOpen: library.func('int egret_arena_open(const char *, void *, _Out_ void **)'),
  arenaClose: library.func('void egret_arena_close(void *)'),
  beginGeneration: library.func('int egret_arena_begin_generation(void *)'),
  commitGeneration: library.func('int egret_arena_commit_generation(void *)'),
  hasGeneration: library.func('int egret_arena_has_generation(void *)'),
  portSlot: library.func('int egret_port_slot(void *, const char *)'),
  networkSlot: library.func('int egret_network_slot(void *, uint32_t)'),
  addressSlot: library.func('int egret_address_slot(void *, uint32_t)'),
  releaseAddressSlot: library.func('int egret_address_slot_release(void *, uint32_t)'),
  publishPlan: library.func('int64_t egret_plan_publish(void *, const void *, uint32_t)'),
  planAcknowledged: library.func('int64_t egret_plan_acknowledged(void *)'),
  setGroup: library.func('int egret_fib_set_group(void *, uint32_t, const void *, uint32_t)'),
  apply: library.func('int egret_fib_apply(void *, uint16_t, const void *, uint32_t)'),
  fibLastStatus: library.func('int egret_fib_last_status(void *)'),
  reserve: library.func('int egret_fib_reserve(void *, uint16_t, uint32_t)'),
  clear: library.func('int egret_fib_clear(void *, uint16_t)'),
  reclaim: library.func('int egret_fib_reclaim(void *)'),
  memoryTrim: library.func('void egret_memory_trim(void *)'),
  usage: library.func('void egret_fib_usage(void *, _Out_ uint32_t *, _Out_ uint32_t *)'),
  portCounters: library.func('void *egret_port_counters(void *)'),
  dropCounters: library.func('void *egret_drop_counters(void *)'),
  workerCounters: library.func('void *egret_worker_counters(void *)'),
  forwarderHeartbeat: library.func('uint64_t egret_forwarder_heartbeat_ns(void *)'),
  readSessions: library.func(
    'int egret_sessions_read(void *, _Inout_ uint32_t *, void *, uint32_t)',
  ),
  readPool: library.func('int egret_pool_read(void *, uint16_t, void *)'),
  why: library.func('int egret_why(void *, uint32_t, uint32_t, void *)'),
  forwarderConnect: library.func(
    'int egret_forwarder_connect(const char *, int, _Out_ int *, _Out_ int *)',
  ),
  forwarderHolds: library.func(
    'int egret_forwarder_holds(int, _Out_ uint64_t *, _Out_ uint32_t *)',
  ),
  forwarderTakePorts: library.func(
    'int egret_forwarder_take_ports(int, int, void *, void *, void *)',
  ),
  forwarderAddPort: library.func('int egret_forwarder_add_port(int, uint16_t, uint32_t, int, int)'),
  forwarderRemovePort: library.func('int egret_forwarder_remove_port(int, uint16_t)'),
  forwarderSetNetlink: library.func('int egret_forwarder_set_netlink(int, int)'),
  forwarderOpenTrials: library.func('int egret_forwarder_open_trials(int)'),
  forwarderClearSessions: library.func(
    'int egret_forwarder_clear_sessions(int, uint32_t, uint32_t, uint32_t, uint32_t, _Inout_ uint32_t *)',
  ),
  neighborsRead: library.func(
    'int egret_neighbors_read(void *, _Inout_ uint32_t *, void *, uint32_t)',
  ),
  forwarderWake: library.func('int egret_forwarder_wake(int)'),
  forwarderStop: library.func('int egret_forwarder_stop(int)'),
  packetSocket: library.func('int egret_packet_socket(uint32_t)'),
  neighborSocket: library.func('int egret_neighbor_socket()'),
  tcpListen: library.func('int egret_tcp_listen(const egret_tcp_options *)'),
  tcpConnect: library.func(
    'int egret_tcp_connect(const egret_tcp_options *, const void *, uint32_t)',
  ),
  tcpMd5: library.func('int egret_tcp_md5(int, const char *, const void *, uint32_t)'),
  tcpState: library.func('int egret_tcp_state(int)'),
  tcpMinTtl: library.func('int egret_tcp_min_ttl(int, uint8_t, uint8_t)'),
  echoOpen: library.func('int egret_echo_open(const char *, const char *, uint32_t)'),
  echoSend: library.func('int egret_echo_send(int, uint16_t, uint16_t)'),
  echoReceive: library.func('int egret_echo_receive(int, uint16_t, uint16_t)'),
  close: library.func('int egret_close(int)'),
  peerCredentials: library.func(
    'int egret_peer_credentials(int, _Out_ uint32_t *, _Out_ uint32_t *)',
  ),
  lock: library.func('int egret_lock(const char *)'),
  netlinkOpen: library.func(
    'int egret_netlink_open(uint8_t, const uint32_t *, uint32_t, uint32_t, uint8_t, _Out_ int *)',
  ),
  netlinkSend: library.func('int egret_netlink_send(int, const void *, uint32_t)'),
  mirrorOpen: library.func('int egret_mirror_open(uint8_t, _Out_ void **, _Out_ int *)'),
  mirrorSubmit: library.func('int egret_mirror_submit(void *, const void *, uint32_t)'),
  mirrorHurry: library.func('void egret_mirror_hurry(void *)'),
  mirrorClose: library.func('void egret_mirror_close(void *)'),
} as const;

/**
 * Turns a negative status into an EgretError.
 *
 * @param call - its name in egret.h, without the prefix
 * @throws NATIVE_FAILED
 */
export function checked(call: string, result: number | bigint): number {
  const value = Number(result);
  if (value >= 0) return value;
  const status = statuses[-value] ?? 'NATIVE_BAD_ARGUMENT';
  const errno = status === 'NATIVE_SYSTEM' ? Number(c.errno()) : 0;
  const reason = errno === 0 ? '' : getSystemErrorMessage(-errno);
  const cause: NativeCause = { status, errno };
  throw new EgretError('NATIVE_FAILED', { call, code: status, reason }, { cause });
}

/** The status behind a failed call, for callers that can go on from it. */
export function nativeStatusOf(error: unknown): Status | undefined {
  if (!(error instanceof EgretError) || error.code !== 'NATIVE_FAILED') return undefined;
  return (error.cause as NativeCause).status;
}

/** The errno of a failed call; 0: none, the library itself refused. */
function errnoOf(error: unknown): number {
  if (nativeStatusOf(error) !== 'NATIVE_SYSTEM') return 0;
  return ((error as EgretError).cause as NativeCause).errno;
}

/** Whether a call failed because there is no such file. */
export const isMissing = (error: unknown): boolean =>
  errnoOf(error) === constants.errno.ENOENT || errnoOf(error) === constants.errno.ENOTDIR;

/** Writes a line, its newline included, to standard error without waiting. @returns false: it is lost */
export function writeLog(line: string): boolean {
  const bytes = Buffer.from(line);
  return c.logWrite(2, bytes, bytes.length) === 1;
}

/** Notifies the supervisor, if one started this process: lines of NAME=VALUE (sd_notify(3)). */
export const notifySupervisor = (state: string): void => void c.notify(state);

// -- Arena ----------------------------------------------------------------------------------------

export const arenaBytes = (limits: Uint8Array): number => Number(c.arenaBytes(limits));

/** Makes an arena. @throws ARENA_NOT_MADE when the system refuses the file or its memory */
function arenaMade(path: string, limits: Uint8Array, make: (out: Handle[]) => number): Handle {
  const out: Handle[] = [undefined as unknown as Handle];
  try {
    checked('arena_create', make(out));
  } catch (cause) {
    const errno = errnoOf(cause);
    if (errno === 0) throw cause;
    const reason = getSystemErrorMessage(-errno);
    throw new EgretError('ARENA_NOT_MADE', { path, bytes: arenaBytes(limits), reason }, { cause });
  }
  return out[0]!;
}

/** @param owner - the link by which its instance finds it; @throws ARENA_NOT_MADE */
export const arenaCreate = (path: string, owner: string, limits: Uint8Array): Handle =>
  arenaMade(path, limits, (out) => c.arenaCreate(path, owner, limits, out));
/** @throws ARENA_NOT_MADE, also while a forwarder works on the old one */
export const arenaConvert = (
  from: string,
  path: string,
  owner: string,
  limits: Uint8Array,
): Handle => arenaMade(path, limits, (out) => c.arenaConvert(from, path, owner, limits, out));
/** @param found - filled with what there is (struct egret_arena_found) */
export const arenaInspect = (path: string, found: Uint8Array): number =>
  checked('arena_inspect', c.arenaInspect(path, found));
/** @returns whether the file was an arena that nothing needs, and is removed */
export const arenaRemoveStale = (path: string): boolean => c.arenaRemoveStale(path) === 1;

/** @param limits - filled with what the arena was made with */
export function arenaOpen(path: string, limits: Uint8Array): Handle {
  const out: Handle[] = [undefined as unknown as Handle];
  checked('arena_open', c.arenaOpen(path, limits, out));
  return out[0]!;
}

export const arenaClose = (arena: Handle): void => c.arenaClose(arena);
export const beginGeneration = (arena: Handle): number =>
  checked('arena_begin_generation', c.beginGeneration(arena));
export const commitGeneration = (arena: Handle): number =>
  checked('arena_commit_generation', c.commitGeneration(arena));
export const hasGeneration = (arena: Handle): boolean => c.hasGeneration(arena) === 1;
export const portSlot = (arena: Handle, name: string): number =>
  checked('port_slot', c.portSlot(arena, name));
export const networkSlot = (arena: Handle, routeTableIndex: number): number =>
  checked('network_slot', c.networkSlot(arena, routeTableIndex));
export const addressSlot = (arena: Handle, address: number): number =>
  checked('address_slot', c.addressSlot(arena, address));
/** @returns false while something still uses it */
export const releaseAddressSlot = (arena: Handle, address: number): boolean =>
  c.releaseAddressSlot(arena, address) === 0;

// -- Plan and FIB ---------------------------------------------------------------------------------

export const publishPlan = (arena: Handle, plan: Uint8Array): number =>
  checked('plan_publish', c.publishPlan(arena, plan, plan.byteLength));
export const planAcknowledged = (arena: Handle): number => Number(c.planAcknowledged(arena));
export const setGroup = (arena: Handle, group: number, paths: Uint8Array, count: number): number =>
  checked('fib_set_group', c.setGroup(arena, group, paths, count));
/** @returns how many deltas were applied; fewer than given: see isFibFull */
export const applyDeltas = (
  arena: Handle,
  network: number,
  deltas: Uint32Array,
  count: number,
): number => checked('fib_apply', c.apply(arena, network, deltas, count));
/** Whether the last applyDeltas stopped for want of room, and not to be called again at once. */
export const isFibFull = (arena: Handle): boolean => c.fibLastStatus(arena) !== 0;
/** Keeps plies free for a network as long as it has taken fewer. */
export const reservePlies = (arena: Handle, network: number, plies: number): number =>
  checked('fib_reserve', c.reserve(arena, network, plies));
export const clearNetwork = (arena: Handle, network: number): number =>
  checked('fib_clear', c.clear(arena, network));
export const reclaim = (arena: Handle): boolean => c.reclaim(arena) === 1;
/** Gives memory of this process back to the system that it does not need now, V8's heap excepted. */
export const trimMemory = (arena: Handle): void => c.memoryTrim(arena);
export function fibUsage(arena: Handle): { pliesUsed: number; pliesMax: number } {
  const used = [0];
  const max = [0];
  c.usage(arena, used, max);
  return { pliesUsed: used[0]!, pliesMax: max[0]! };
}

// -- Reading --------------------------------------------------------------------------------------

const words = (pointer: unknown, count: number): BigUint64Array =>
  new BigUint64Array(koffi.view(pointer as never, count * 8));

export const portCounterView = (arena: Handle, perPort: number): BigUint64Array =>
  words(c.portCounters(arena), PORT_MAX * perPort);
export const dropCounterView = (arena: Handle, perPort: number): BigUint64Array =>
  words(c.dropCounters(arena), PORT_MAX * perPort);
export const workerCounterView = (arena: Handle, count: number): BigUint64Array =>
  words(c.workerCounters(arena), count);

/** On CLOCK_MONOTONIC. */
export const forwarderHeartbeatNs = (arena: Handle): bigint => BigInt(c.forwarderHeartbeat(arena));

export function readSessions(
  arena: Handle,
  cursor: number,
  rows: Uint8Array,
  rowsMax: number,
): { count: number; cursor: number } {
  const moving = [cursor];
  const count = checked('sessions_read', c.readSessions(arena, moving, rows, rowsMax));
  return { count, cursor: moving[0]! };
}

export function readNeighbors(
  arena: Handle,
  cursor: number,
  rows: Uint8Array,
  rowsMax: number,
): { count: number; cursor: number } {
  const moving = [cursor];
  const count = checked('neighbors_read', c.neighborsRead(arena, moving, rows, rowsMax));
  return { count, cursor: moving[0]! };
}

/** @returns false when no such address has a slot */
export const readPool = (arena: Handle, slot: number, row: Uint8Array): boolean =>
  c.readPool(arena, slot, row) === 0;
export const why = (arena: Handle, client: number, destination: number, row: Uint8Array): number =>
  checked('why', c.why(arena, client, destination, row));

// -- Descriptors ----------------------------------------------------------------------------------

export const packetSocket = (ifindex: number): number =>
  checked('packet_socket', c.packetSocket(ifindex));
export const neighborSocket = (): number => checked('neighbor_socket', c.neighborSocket());
export const closeFd = (fd: number): number => Number(c.close(fd));

/** @returns the lock's descriptor, or undefined when another process holds it */
export function lock(path: string): number | undefined {
  try {
    return checked('lock', c.lock(path));
  } catch (error) {
    if (errnoOf(error) === constants.errno.EWOULDBLOCK) return undefined;
    throw error;
  }
}

// -- V8's heap ------------------------------------------------------------------------------------

// V8's own interface (v8-isolate.h), as C++ names it: Node does not hand this part on to scripts.
const isolate = findIsolate();
const moderatePressure = 1;

function findIsolate() {
  try {
    const node = koffi.load(null);
    return {
      current: node.func('void *_ZN2v87Isolate10GetCurrentEv()'),
      memoryPressure: node.func(
        'void _ZN2v87Isolate26MemoryPressureNotificationENS_19MemoryPressureLevelE(void *, int)',
      ),
    };
  } catch {
    return undefined; // another V8 than the pinned one
  }
}

/**
 * Makes V8 collect, move together what is left and give back the pages that come free. It does so
 * by and by, in short steps; `gc()` would be one long one and keep the pages (docs/adr/0009-heap.md).
 */
export function shrinkHeap(): void {
  isolate?.memoryPressure(isolate.current(), moderatePressure);
}
/** A Node whose V8 spells these names otherwise shrinks its heap when it likes. */
export const canShrinkHeap = isolate !== undefined;
