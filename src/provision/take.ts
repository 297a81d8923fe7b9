// SPDX-License-Identifier: Apache-2.0
/**
 * Takes a seed over to /data, whole or not at all, whatever moment the power is cut.
 *
 * A configuration is taken only by a box that has none: what an operator has edited is never written
 * over. Keys are taken when they are other than those last taken from the same source, so that a lost
 * key is replaced by a volume with another one, and a volume that stays attached changes nothing.
 */
import { createHash } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { configName, type Say, type Seed } from './seed.ts';

/**
 * @param source - a name for where it comes from
 * @param data - /data
 */
export function take(seed: Seed, source: string, data: string, say: Say): void {
  takeConfigs(seed, data, say);
  takeKeys(seed, source, data, say);
}

/** Files are gathered in a folder that gets its name when it is complete, and then moved. */
function takeConfigs({ configs }: Seed, data: string, say: Say): void {
  const target = join(data, 'etc/egret');
  const gathered = join(data, 'etc/egret.seed');
  mkdirSync(target, { recursive: true });
  const isConfigured = readdirSync(target).some((name) => configName.test(name));
  if (!isConfigured && !existsSync(gathered) && configs.size > 0) {
    const incomplete = `${gathered}.new`;
    rmSync(incomplete, { recursive: true, force: true });
    mkdirSync(incomplete);
    for (const [name, content] of configs) writeDurably(join(incomplete, name), content, 0o640);
    syncFolder(incomplete);
    renameSync(incomplete, gathered);
    syncFolder(dirname(gathered));
    say(`took ${[...configs.keys()].join(', ')}`);
  } else if (configs.size > 0) {
    say('the box has a configuration: none is taken');
  }
  if (!existsSync(gathered)) return;
  for (const name of readdirSync(gathered)) renameSync(join(gathered, name), join(target, name));
  syncFolder(target);
  rmdirSync(gathered);
}

function takeKeys(seed: Seed, source: string, data: string, say: Say): void {
  const { adminKeys, statusKeys, userCas } = seed;
  const files: Record<string, readonly string[]> = {
    'authorized_keys/admin': adminKeys,
    'authorized_keys/status': statusKeys ?? adminKeys,
    'user_ca.pub': userCas,
  };
  const given = Object.entries(files).filter(([, lines]) => lines.length > 0);
  if (given.length === 0) return;
  const hash = createHash('sha256').update(JSON.stringify(given)).digest('hex');
  const folder = join(data, 'ssh');
  // What was last taken of each source, a line each: HASH SOURCE.
  const taken = join(folder, 'taken');
  const known = existsSync(taken) ? readFileSync(taken, 'utf8').split('\n').filter(Boolean) : [];
  const mark = `${hash} ${source}`;
  if (known.includes(mark)) return;
  mkdirSync(join(folder, 'authorized_keys'), { recursive: true });
  for (const [name, lines] of given) {
    const path = join(folder, name);
    writeDurably(`${path}.new`, Buffer.from(`${lines.join('\n')}\n`), 0o644);
    renameSync(`${path}.new`, path);
    syncFolder(dirname(path));
    say(`took ${lines.length} keys for ${basename(path)}`);
  }
  const marks = [...known.filter((line) => !line.endsWith(` ${source}`)), mark];
  writeDurably(`${taken}.new`, Buffer.from(`${marks.join('\n')}\n`), 0o644);
  renameSync(`${taken}.new`, taken);
  syncFolder(folder);
}

function writeDurably(path: string, content: Buffer, mode: number): void {
  writeFileSync(path, content, { mode, flush: true });
}

function syncFolder(path: string): void {
  const folder = openSync(path, 'r');
  fsyncSync(folder);
  closeSync(folder);
}
