// SPDX-License-Identifier: Apache-2.0
/**
 * Which arena egretd works on: the one that the previous instance left, when it is of this build and
 * large enough; otherwise a new one, with its sessions when their records can be converted
 * (docs/adr/0012-arena-compatibility.md).
 *
 * The new file is renamed over the old one when it is complete, so a crash in between loses nothing.
 * Both exist for a moment: without memory for two, the sessions are lost, and this is logged before.
 */
import { lstatSync, readdirSync, rmSync, statfsSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Log } from '../lib/log.ts';
import * as abi from './abi.gen.ts';
import { ArenaDataPlane, decodeLimits, encodeLimits, type Limits } from './arena.ts';
import * as native from './native.ts';
import { RecordReader } from './record.ts';

export interface ArenaOptions {
  /** RUN/arena, a link to the file. */
  readonly linkPath: string;
  /** Where a new arena is created (on tmpfs). */
  readonly sharedPath: string;
  /** Sizes of a new one; an arena that is adopted keeps its own. */
  readonly limits: Limits;
  /** Whether the sizes of an arena will do. */
  readonly isEnough: (found: Limits) => boolean;
  /** Stops whatever forwarder works on the arena. */
  readonly stopForwarder: () => Promise<void>;
  readonly log: Log;
}

type Found = Record<keyof typeof abi.arenaFound & string, number>;

export async function openArena(options: ArenaOptions): Promise<ArenaDataPlane> {
  const { linkPath, sharedPath, limits, log } = options;
  const adopted = adopt(options);
  if (adopted) return adopted;
  const found = inspect(linkPath);
  const why = found && obstacle(found, options);
  if (found && why === undefined) {
    const { sessions, record_version: recordVersion } = found;
    log.info({ sessions, recordVersion }, 'the arena is replaced, its sessions are kept');
    await options.stopForwarder();
    return convert(options);
  }
  if (found) {
    log.warn(
      { sessions: found.sessions, reason: why },
      'the arena is replaced, its sessions are lost',
    );
    await options.stopForwarder();
  }
  rmSync(linkPath, { force: true });
  rmSync(sharedPath, { force: true });
  const handle = native.arenaCreate(sharedPath, linkPath, encodeLimits(limits));
  symlinkSync(sharedPath, linkPath);
  return new ArenaDataPlane(handle, limits, false);
}

/** The arena of this build and of enough room, if there is one. */
function adopt({ linkPath, isEnough }: ArenaOptions): ArenaDataPlane | undefined {
  if (!lstatSync(linkPath, { throwIfNoEntry: false })) return undefined;
  const bytes = new Uint8Array(abi.limitsBytes);
  try {
    const handle = native.arenaOpen(linkPath, bytes);
    const limits = decodeLimits(bytes);
    if (isEnough(limits)) return new ArenaDataPlane(handle, limits, true);
    native.arenaClose(handle);
  } catch (error) {
    if (!isNone(error) && native.nativeStatusOf(error) !== 'NATIVE_ABI_MISMATCH') throw error;
  }
  return undefined;
}

/** Whether a call says that there is no arena, or that the file is none. */
function isNone(error: unknown): boolean {
  return native.nativeStatusOf(error) === 'NATIVE_BAD_ARENA' || native.isMissing(error);
}

function inspect(linkPath: string): Found | undefined {
  const bytes = new Uint8Array(abi.arenaFoundBytes);
  try {
    native.arenaInspect(linkPath, bytes);
  } catch (error) {
    if (!isNone(error)) throw error;
    return undefined;
  }
  const row = new RecordReader(abi.arenaFound, abi.arenaFoundBytes, bytes);
  const names = Object.keys(abi.arenaFound) as (keyof Found)[];
  return Object.fromEntries(names.map((name) => [name, row.get(0, name)])) as Found;
}

/** Why the sessions of an arena cannot be kept; undefined: they can. */
function obstacle(found: Found, { sharedPath, limits }: ArenaOptions): string | undefined {
  if (found.is_convertible === 0) {
    return `records of version ${found.record_version} are not known to this build`;
  }
  const { bavail, bsize } = statfsSync(dirname(sharedPath));
  const bytes = native.arenaBytes(encodeLimits(roomFor(found, limits)));
  if (bavail * bsize < bytes) return `${dirname(sharedPath)} has no room for a second arena`;
  return undefined;
}

/** Limits that have room for what is kept. */
function roomFor(found: Found, limits: Limits): Limits {
  return {
    ...limits,
    sessions: Math.max(limits.sessions, found.sessions_used),
    bindings: Math.max(limits.bindings, found.bindings_used),
    networks: Math.max(limits.networks, found.networks_used),
  };
}

/** The forwarder is stopped: nothing changes in the old arena any more. */
function convert({ linkPath, sharedPath, limits }: ArenaOptions): ArenaDataPlane {
  const found = inspect(linkPath);
  const room = found ? roomFor(found, limits) : limits;
  const handle = native.arenaConvert(linkPath, sharedPath, linkPath, encodeLimits(room));
  return new ArenaDataPlane(handle, room, true);
}

/**
 * Removes arenas in a folder that no process maps and whose run directory does not lead to them.
 *
 * @returns their paths
 */
export function removeStaleArenas(folder: string, name: RegExp): string[] {
  return readdirSync(folder)
    .filter((file) => name.test(file))
    .map((file) => join(folder, file))
    .filter((path) => native.arenaRemoveStale(path));
}
