// SPDX-License-Identifier: Apache-2.0
/** The calls to the forwarder over its socket (native/egretd/control_client.c), their results checked. */
import { PORT_MAX, statuses } from './abi.gen.ts';
import { c, checked } from './native.ts';

/** A port whose descriptor the forwarder holds. */
export interface HeldPort {
  readonly slot: number;
  readonly ifindex: number;
  readonly fd: number;
}

/** @returns also a forwarder that was built from another abi.h, which can only be queried and stopped */
export function forwarderConnect(
  path: string,
  timeoutMs: number,
): { fd: number; pid: number; isSameAbi: boolean } {
  const fd = [-1];
  const pid = [0];
  const result = Number(c.forwarderConnect(path, timeoutMs, fd, pid));
  const isSameAbi = statuses[-result] !== 'NATIVE_ABI_MISMATCH';
  if (isSameAbi) checked('forwarder_connect', result);
  return { fd: fd[0]!, pid: pid[0]!, isSameAbi };
}

/** The inode of the arena that a forwarder works on (0: it does not say), and its sessions. */
export function forwarderHolds(fd: number): { arenaInode: bigint; sessions: number } {
  const arenaInode = [0n];
  const sessions = [0];
  checked('forwarder_holds', c.forwarderHolds(fd, arenaInode, sessions));
  return { arenaInode: BigInt(arenaInode[0]!), sessions: sessions[0]! };
}

export function forwarderTakePorts(fd: number, timeoutMs: number): HeldPort[] {
  const slots = new Uint16Array(PORT_MAX);
  const ifindexes = new Uint32Array(PORT_MAX);
  const fds = new Int32Array(PORT_MAX);
  const count = checked(
    'forwarder_take_ports',
    c.forwarderTakePorts(fd, timeoutMs, slots, ifindexes, fds),
  );
  return Array.from({ length: count }, (_, i) => ({
    slot: slots[i]!,
    ifindex: ifindexes[i]!,
    fd: fds[i]!,
  }));
}

export const forwarderAddPort = (fd: number, port: HeldPort, isDiscarding: boolean): number =>
  checked(
    'forwarder_add_port',
    c.forwarderAddPort(fd, port.slot, port.ifindex, port.fd, isDiscarding ? 1 : 0),
  );
export const forwarderRemovePort = (fd: number, slot: number): number =>
  checked('forwarder_remove_port', c.forwarderRemovePort(fd, slot));
export const forwarderSetNetlink = (fd: number, netlinkFd: number): number =>
  checked('forwarder_set_netlink', c.forwarderSetNetlink(fd, netlinkFd));
/** @returns egretd's end of the stream of trials */
export const forwarderOpenTrials = (fd: number): number =>
  checked('forwarder_open_trials', c.forwarderOpenTrials(fd));

/** What sessions to remove: of a network slot (NONE: any), of inside and outside addresses. */
export interface SessionsCleared {
  readonly network: number;
  readonly inside: number;
  readonly insideMask: number;
  readonly outside: number;
}

/** Removes sessions in a slice of the table. */
export function forwarderClearSessions(
  fd: number,
  { network, inside, insideMask, outside }: SessionsCleared,
  cursor: number,
): { removed: number; cursor: number } {
  const moving = [cursor];
  const removed = checked(
    'forwarder_clear_sessions',
    c.forwarderClearSessions(fd, network, inside, insideMask, outside, moving),
  );
  return { removed, cursor: moving[0]! };
}

export const forwarderWake = (fd: number): number => Number(c.forwarderWake(fd));
export const forwarderStop = (fd: number): number => Number(c.forwarderStop(fd));
