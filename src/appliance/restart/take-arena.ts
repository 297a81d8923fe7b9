// SPDX-License-Identifier: Apache-2.0
/** The arena of an instance at its start: how large, adopted or made, and what others left is removed. */
import { statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import type { ArenaDataPlane } from '../../dataplane/arena.ts';
import { stopAnyForwarder } from '../../dataplane/forwarder-process.ts';
import { openArena, removeStaleArenas } from '../../dataplane/open-arena.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import type { Model } from '../../model/model.ts';
import { fits, limitsFor } from '../host/limits.ts';
import { arenaName, type RunDir } from './run-dir.ts';

export interface TakeArenaOptions {
  readonly model: Model;
  readonly runDir: RunDir;
  readonly clock: Clock;
  readonly log: Log;
  readonly isForwarderExternal: boolean;
}

/** @throws ARENA_NOT_MADE, NATIVE_FAILED */
export async function takeArena(options: TakeArenaOptions): Promise<ArenaDataPlane> {
  const { model, runDir, clock, log } = options;
  const folder = dirname(runDir.arenaPath);
  for (const path of removeStaleArenas(folder, arenaName)) {
    log.info({ path }, 'an arena that no run directory leads to is removed');
  }
  const { blocks, bsize } = statfsSync(folder);
  const dataPlane = await openArena({
    linkPath: runDir.file('arena'),
    sharedPath: runDir.arenaPath,
    limits: limitsFor(model, blocks * bsize),
    isEnough: (limits) => fits(model, limits),
    stopForwarder: () =>
      stopAnyForwarder(
        { ...runDir.forwarderPaths, isExternal: options.isForwarderExternal },
        clock,
        log,
      ),
    log,
  });
  const { bytes, limits, isInherited } = dataPlane;
  log.info({ bytes, sharedBytes: blocks * bsize, limits, isInherited }, 'arena');
  return dataPlane;
}
