// SPDX-License-Identifier: Apache-2.0
/**
 * The image's first boot: takes config and authorized keys from the folders that it is given, mounted
 * volumes and /data itself (images/root/usr/lib/egret-image/provision calls it before sshd and egretd
 * start).
 *
 *   node provision.js /data /run/egret-image/volumes/EGRETCFG …
 *
 * Nothing that a volume holds stops the box: what cannot be read is logged and left out.
 */
import { basename } from 'node:path';
import { take } from './provision/take.ts';
import { readSeed } from './provision/volume.ts';

const [data = '/data', ...volumes] = process.argv.slice(2);
for (const folder of [...volumes, data]) {
  const log = (line: string): void => {
    process.stderr.write(`${folder}: ${line}\n`);
  };
  try {
    take(readSeed(folder, log), basename(folder), data, log);
  } catch (error) {
    log(error instanceof Error ? error.message : String(error));
  }
}
