// SPDX-License-Identifier: Apache-2.0
/**
 * Another build of Egret: its native half compiled from changed sources, with the same scripts.
 *
 * Objects are copied with their times, so that make compiles only what the change touches.
 */
import { cp, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from './process.ts';

const rootDir = fileURLToPath(new URL('../..', import.meta.url));
/** For every file, while other programs run. */
const compileMs = 300_000;

/** A file below native/, what is replaced in it, and by what. */
export type Change = readonly [file: string, before: string, after: string];

/** @returns the launcher of a build with these changes, which lies in `folder` */
export async function otherBuild(folder: string, changes: readonly Change[]): Promise<string> {
  const build = join(folder, 'build');
  await mkdir(build, { recursive: true });
  const copied = ['Makefile', 'package.json', 'package-lock.json', 'tsconfig.json', 'native'];
  const built = [
    'js',
    'o',
    'egret',
    'libegret.so',
    'egret-forwarder',
    'layout_print',
    'abi_hash_values.h',
  ];
  for (const name of [...copied, ...built.map((name) => join('build', name))]) {
    await cp(join(rootDir, name), join(folder, name), {
      recursive: true,
      preserveTimestamps: true,
    });
  }
  await symlink(join(rootDir, 'node_modules'), join(folder, 'node_modules'));
  for (const [file, before, after] of changes) {
    const path = join(folder, 'native', file);
    const text = await readFile(path, 'utf8');
    if (!text.includes(before)) throw new Error(`${file} has no ${before}`);
    await writeFile(path, text.replace(before, after));
  }
  const make = ['make', '-C', folder, '--assume-old=node_modules'];
  await run([...make, 'build/libegret.so', 'build/egret-forwarder'], { timeoutMs: compileMs });
  return join(build, 'egret');
}
