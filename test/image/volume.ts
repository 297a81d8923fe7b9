// SPDX-License-Identifier: Apache-2.0
/** A FAT volume with a label, as an operator puts it on a stick: written by mtools, never mounted. */
import { mkdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { run } from '../lab/process.ts';

/** @param files - content by path below the root. @returns the path of the image */
export async function makeVolume(
  path: string,
  label: string,
  files: Readonly<Record<string, string>>,
): Promise<string> {
  const folder = `${path}.files`;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
  rmSync(path, { force: true });
  writeFileSync(path, '');
  truncateSync(path, 16 << 20);
  await run(['mkfs.vfat', '-n', label, path]);
  const tops = [...new Set(Object.keys(files).map((name) => name.split('/')[0] ?? ''))];
  await run(['mcopy', '-s', '-i', path, ...tops.map((name) => join(folder, name)), '::/']);
  return path;
}
