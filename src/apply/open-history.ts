// SPDX-License-Identifier: Apache-2.0
/** The state directory, which belongs to one instance, and the history in it. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { History } from '../history/history.ts';
import { systemFiles } from '../lib/durable-files.ts';
import { EgretError } from '../lib/errors.ts';

/**
 * @param lock - takes a lock file until the process ends; false: another one holds it
 * @throws EgretError STATE_DIR_LOCKED, STATE_DIR_UNUSABLE
 */
export async function openHistory(path: string, lock: (path: string) => boolean): Promise<History> {
  try {
    // Configurations hold passwords.
    mkdirSync(path, { recursive: true, mode: 0o700 });
    if (!isOurs(path, lock)) throw new EgretError('STATE_DIR_LOCKED', { path });
    return await History.open(systemFiles, path);
  } catch (cause) {
    if (cause instanceof EgretError) throw cause;
    const { code, message } = cause as NodeJS.ErrnoException;
    throw new EgretError('STATE_DIR_UNUSABLE', { path, reason: code ?? message }, { cause });
  }
}

/** A disk that has become read-only takes no lock, and no change; what it has can be read. */
function isOurs(path: string, lock: (path: string) => boolean): boolean {
  try {
    return lock(join(path, 'lock'));
  } catch {
    return true;
  }
}
