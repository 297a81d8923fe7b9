// SPDX-License-Identifier: Apache-2.0
/**
 * Appliance.spec.config.watch: notices when a configuration may have changed.
 *
 * A folder is watched itself. Of a file the folder is, since editors put a new file in its place and
 * a ConfigMap moves a link on the way to it; what counts is which file stands there then.
 */
import { type FSWatcher, statSync, watch } from 'node:fs';
import { dirname } from 'node:path';
import type { Clock, Timer } from '../lib/clock.ts';

/** Editors write a file in several steps. */
const quietMs = 200;

/**
 * @param path - as loadConfig takes it
 * @param failed - it cannot be watched, or not any longer
 * @returns ends it
 */
export function watchConfig(
  path: string,
  clock: Clock,
  changed: () => void,
  failed: (error: unknown) => void,
): () => void {
  let quiet: Timer | undefined;
  let watcher: FSWatcher | undefined;
  try {
    const isFolder = statSync(path).isDirectory();
    let last = identityOf(path);
    watcher = watch(isFolder ? path : dirname(path), () => {
      const now = identityOf(path);
      if (!isFolder && now === last) return;
      last = now;
      quiet?.clear();
      quiet = clock.after(quietMs, changed);
    });
    watcher.on('error', failed);
  } catch (error) {
    failed(error);
  }
  return () => {
    quiet?.clear();
    watcher?.close();
  };
}

/** Another text when another file stands there, or it was written. */
function identityOf(path: string): string {
  const found = statSync(path, { throwIfNoEntry: false });
  return found === undefined ? '' : `${found.dev} ${found.ino} ${found.mtimeMs} ${found.size}`;
}
