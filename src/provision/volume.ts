// SPDX-License-Identifier: Apache-2.0
/**
 * What a folder gives to a box: configuration files and keys. Three forms are known: Egret's own,
 * cloud-init's NoCloud and OpenStack's config drive. A folder may have more than one.
 *
 *   *.yaml  authorized_keys  authorized_keys.status  user_ca.pub          Egret's own
 *   user-data  meta-data                                                  NoCloud
 *   openstack/latest/meta_data.json  openstack/latest/user_data           config drive
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { seedFromCloudInit } from './cloud-init.ts';
import { configName, type Say, type Seed } from './seed.ts';

/** Larger files are no configuration of a box. */
const fileBytesMax = 16 << 20;
/** Reads what there is; a folder without anything gives an empty seed. */
export function readSeed(folder: string, say: Say): Seed {
  // Names of FAT and of ISO 9660 without extensions may come in capitals.
  const names = new Map(
    readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ name }) => [name.toLowerCase(), name]),
  );
  const read = (path: string): Buffer | undefined => readBounded(join(folder, path), say);
  const linesOf = (name: string): string[] => {
    const path = names.get(name);
    return path === undefined ? [] : keyLines(read(path)?.toString('utf8') ?? '');
  };

  const configs = new Map<string, Buffer>();
  for (const [lower, name] of names) {
    if (!/\.ya?ml$/.test(lower)) continue;
    const content = read(name);
    if (!configName.test(name.replace(/\.[^.]*$/, (end) => end.toLowerCase()))) {
      say(`${JSON.stringify(name)} is no name of a configuration file; it is not taken`);
    } else if (content) {
      configs.set(
        name.replace(/\.[^.]*$/, (end) => end.toLowerCase()),
        content,
      );
    }
  }
  const cloud = seedFromCloudInit(read, say);
  const statusKeys = linesOf('authorized_keys.status');
  const status = [...statusKeys, ...(cloud.statusKeys ?? [])];
  return {
    configs: new Map([...cloud.configs, ...configs]),
    adminKeys: [...linesOf('authorized_keys'), ...cloud.adminKeys],
    statusKeys: status.length > 0 ? status : undefined,
    userCas: linesOf('user_ca.pub'),
  };
}

/** Lines of a file of keys, without comments, of either line ending. */
export function keyLines(text: string): string[] {
  return text
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
}

/** undefined: there is none. */
function readBounded(path: string, say: Say): Buffer | undefined {
  const { size } = statSync(path, { throwIfNoEntry: false }) ?? {};
  if (size === undefined) return undefined;
  if (size > fileBytesMax) {
    say(`${path} has ${size} bytes, more than ${fileBytesMax}; it is not taken`);
    return undefined;
  }
  return readFileSync(path);
}
