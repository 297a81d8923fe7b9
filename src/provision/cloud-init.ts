// SPDX-License-Identifier: Apache-2.0
/**
 * The part of cloud-init's data that concerns this box: SSH keys, and files for /etc/egret.
 *
 * Of `#cloud-config`: `ssh_authorized_keys`, `users[].ssh_authorized_keys` (those of a user `status`
 * are for the read-only user, all others for admin), `write_files` with a path in /etc/egret. Of the
 * meta-data: `public-keys` (NoCloud) and `public_keys` (config drive). Everything else, scripts first
 * of all, is deliberately not read.
 */
import { basename, dirname } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { parse } from 'yaml';
import { configName, type Say, type Seed } from './seed.ts';

type Read = (path: string) => Buffer | undefined;

const configFolders = ['/etc/egret', '/data/etc/egret'];

export function seedFromCloudInit(read: Read, say: Say): Omit<Seed, 'userCas'> {
  const configs = new Map<string, Buffer>();
  const adminKeys: string[] = [];
  const statusKeys: string[] = [];

  for (const path of ['meta-data', 'openstack/latest/meta_data.json']) {
    const data = parsed(path, read, say);
    adminKeys.push(...keysIn(data['public-keys']), ...keysIn(data['public_keys']));
  }
  for (const path of ['user-data', 'openstack/latest/user_data']) {
    const text = read(path)?.toString('utf8');
    if (text === undefined || text.trim() === '') continue;
    if (!text.startsWith('#cloud-config')) {
      say(`${path} does not begin with #cloud-config; it is not read`);
      continue;
    }
    const data = parsed(path, read, say);
    adminKeys.push(...keysIn(data['ssh_authorized_keys']));
    for (const user of listOf(data['users'])) {
      const { name, ssh_authorized_keys: keys } = recordOf(user);
      (name === 'status' ? statusKeys : adminKeys).push(...keysIn(keys));
    }
    for (const file of listOf(data['write_files'])) {
      const { path: target, content, encoding } = recordOf(file);
      if (typeof target !== 'string') continue;
      if (!configFolders.includes(dirname(target)) || !configName.test(basename(target))) {
        say(`${path}: ${JSON.stringify(target)} is no file of /etc/egret; it is not written`);
        continue;
      }
      try {
        configs.set(basename(target), decoded(String(content ?? ''), String(encoding ?? '')));
      } catch (error) {
        say(`${path}: ${target}: ${error instanceof Error ? error.message : error}`);
      }
    }
  }
  return { configs, adminKeys, statusKeys: statusKeys.length > 0 ? statusKeys : undefined };
}

/** JSON is YAML, too. */
function parsed(path: string, read: Read, say: Say): Record<string, unknown> {
  const content = read(path);
  if (!content) return {};
  try {
    return recordOf(parse(content.toString('utf8'), { maxAliasCount: 100 }));
  } catch (error) {
    say(`${path}: ${error instanceof Error ? error.message : error}`);
    return {};
  }
}

function recordOf(value: unknown): Record<string, unknown> {
  return value !== null && typeof value === 'object' ? (value as Record<string, unknown>) : {};
}

function listOf(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

/** Keys come as a text, a list, or a record of texts, lists or records, by the cloud. */
function keysIn(value: unknown): string[] {
  if (typeof value === 'string') {
    return value
      .split(/\r?\n/)
      .map((line) => line.trim())
      .filter((line) => /^(ssh-|ecdsa-|sk-|cert-authority|restrict)/.test(line));
  }
  if (value === null || typeof value !== 'object') return [];
  return Object.values(value).flatMap(keysIn);
}

/** write_files' encodings. @throws Error for others, and for what is no gzip */
function decoded(content: string, encoding: string): Buffer {
  const parts = encoding.toLowerCase().replace('gz+', 'gzip+').split('+').filter(Boolean);
  let bytes = Buffer.from(content, 'utf8');
  for (const part of parts.toReversed()) {
    if (part === 'b64' || part === 'base64') bytes = Buffer.from(bytes.toString('utf8'), 'base64');
    else if (part === 'gzip' || part === 'gz')
      bytes = gunzipSync(bytes, { maxOutputLength: 16 << 20 });
    else if (part !== 'text/plain')
      throw new Error(`encoding ${JSON.stringify(encoding)} is unknown`);
  }
  return bytes;
}
