// SPDX-License-Identifier: Apache-2.0
/** Finds forwarders among the processes of this box, by name and command line, and stops them. */
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import * as calls from './forwarder-calls.ts';
import * as native from './native.ts';

/** Where the forwarder of an arena is found. */
export interface ForwarderPlace {
  readonly socketPath: string;
  readonly pidPath: string;
  readonly arenaPath: string;
  /** true: a supervisor starts and stops it (systemd); we only connect. */
  readonly isExternal: boolean;
}

/** How long a forwarder that was asked to stop may take before it is killed. */
const stopTimeoutMs = 3_000;
const pollMs = 10;
const connectTimeoutMs = 2_000;

/** Whether a process runs and is a forwarder: another process may have its number by now. */
export function isForwarder(pid: number | undefined): pid is number {
  if (pid === undefined) return false;
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const end = stat.lastIndexOf(')');
    return stat.slice(stat.indexOf('(') + 1, end) === 'egret-forwarder' && stat[end + 2] !== 'Z';
  } catch {
    return false;
  }
}

/** Forwarders of this network namespace that were started for an arena: a path means one box only there. */
function forwardersHere(arenaPath: string): number[] {
  const network = readlinkSync('/proc/self/ns/net');
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => {
      if (!isForwarder(pid)) return false;
      try {
        const argv = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
        return argv.includes(arenaPath) && readlinkSync(`/proc/${pid}/ns/net`) === network;
      } catch {
        return false; // it has just exited
      }
    });
}

/** Waits until a forwarder has exited, and kills it when that takes too long. */
export async function forwarderEnds(pid: number, clock: Clock): Promise<void> {
  const deadline = clock.nowMs() + stopTimeoutMs;
  while (isForwarder(pid)) {
    if (clock.nowMs() > deadline) process.kill(pid, 'SIGKILL');
    await new Promise<void>((resolve) => clock.after(pollMs, resolve));
  }
}

/**
 * Kills a forwarder that runs but does not answer, or that cannot be reached since the run directory was
 * deleted: it would keep the arena, and forward in parallel with the new one.
 */
export async function killUnreachable(
  { pidPath, arenaPath, isExternal }: ForwarderPlace,
  clock: Clock,
  log: Log,
): Promise<void> {
  if (isExternal) return;
  const pids = new Set(forwardersHere(arenaPath));
  if (existsSync(pidPath)) pids.add(Number(readFileSync(pidPath, 'utf8')));
  for (const pid of pids) {
    if (!isForwarder(pid)) continue;
    log.error({ pid }, 'forwarder does not answer, it is killed');
    process.kill(pid, 'SIGKILL');
    await forwarderEnds(pid, clock);
  }
}

/** Stops the forwarder at the other end of a connection, of whatever build it is. */
export async function stopForwarder(fd: number, pid: number, clock: Clock): Promise<void> {
  calls.forwarderStop(fd);
  native.closeFd(fd);
  await forwarderEnds(pid, clock);
}

/** Stops the forwarder of an arena, of whatever build it is; none is there afterwards. */
export async function stopAnyForwarder(
  place: ForwarderPlace,
  clock: Clock,
  log: Log,
): Promise<void> {
  if (existsSync(place.socketPath)) {
    try {
      const { fd, pid } = calls.forwarderConnect(place.socketPath, connectTimeoutMs);
      await stopForwarder(fd, pid, clock);
    } catch (error) {
      log.debug({ error }, 'no forwarder answers');
    }
  }
  await killUnreachable(place, clock, log);
}
