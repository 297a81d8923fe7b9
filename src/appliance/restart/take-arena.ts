// SPDX-License-Identifier: Apache-2.0
/** The arena of an instance at its start: how large, adopted or made, and what others left is removed. */
import { statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import type { ArenaDataPlane, Limits } from '../../dataplane/arena.ts';
import { stopAnyForwarder } from '../../dataplane/forwarder-process.ts';
import { openArena, removeStaleArenas } from '../../dataplane/open-arena.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import type { Model } from '../../model/model.ts';
import { fits, hasRoom, limitsFor, networksMax, takeRoom } from '../host/limits.ts';
import { arenaName, type RunDir } from './run-dir.ts';

export interface TakeArenaOptions {
  readonly model: Model;
  readonly runDir: RunDir;
  readonly clock: Clock;
  readonly log: Log;
  readonly isForwarderExternal: boolean;
}

/**
 * @returns an arena with room for the Model
 * @throws ARENA_NOT_MADE, NATIVE_FAILED; ARENA_TOO_SMALL only beyond what any arena has
 */
export async function takeArena(options: TakeArenaOptions): Promise<ArenaDataPlane> {
  const { model, runDir, clock, log } = options;
  const folder = dirname(runDir.arenaPath);
  for (const path of removeStaleArenas(folder, arenaName)) {
    log.info({ path }, 'an arena that no run directory leads to is removed');
  }
  const { blocks, bsize } = statfsSync(folder);
  const wanted = limitsFor(model, blocks * bsize);
  const open = (limits: Limits, isEnough: (found: Limits) => boolean): Promise<ArenaDataPlane> =>
    openArena({
      linkPath: runDir.file('arena'),
      sharedPath: runDir.arenaPath,
      limits,
      isEnough,
      stopForwarder: () =>
        stopAnyForwarder(
          { ...runDir.forwarderPaths, isExternal: options.isForwarderExternal },
          clock,
          log,
        ),
      log,
    });
  let dataPlane = await open(wanted, (found) => fits(model, found));
  if (dataPlane.isInherited && !hasRoom(model, dataPlane)) {
    // Networks that were removed hold its slots: a larger one takes the sessions over.
    const networks = Math.min(networksMax, dataPlane.limits.networks + wanted.networks);
    dataPlane.close();
    dataPlane = await open({ ...wanted, networks }, () => false);
  }
  takeRoom(model, dataPlane);
  const { bytes, limits, isInherited } = dataPlane;
  log.info({ bytes, sharedBytes: blocks * bsize, limits, isInherited }, 'arena');
  return dataPlane;
}
