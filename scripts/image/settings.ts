// SPDX-License-Identifier: Apache-2.0
/**
 * What `make image` is asked for, from its environment, and where everything lies that it makes.
 *
 * KERNEL             Debian kernel package without `linux-image-`; `amd64` for bare metal
 * AGENTS             packages to add, of those in `agents`
 * SOURCE_DATE_EPOCH  seconds; all times in the image; default: the last commit's
 * LEVEL              1 to 22, how hard the slot's root is compressed; 1 saves a minute in trials
 * SIGNING_KEY        private Ed25519 key in PEM that signs updates; default: a development key
 * MIRROR             where Debian packages are fetched from
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const source = fileURLToPath(new URL('../..', import.meta.url));
/** Pieces, of which the files in `outputs` are made, and which are kept for the next run. */
export const work = join(source, 'build/image');
export const outputs = join(source, 'build');

export interface Settings {
  readonly version: string;
  /** Name of the Debian package. */
  readonly kernel: string;
  readonly agents: readonly string[];
  readonly epoch: number;
  readonly level: number;
  readonly mirror: string;
  /** Path; undefined: the development key. */
  readonly signingKey: string | undefined;
}

/** Guests' agents that may be added. */
const agents = ['qemu-guest-agent', 'open-vm-tools'];

/** @throws Error that names what is wrong in the environment */
export function settingsFrom(environment: NodeJS.ProcessEnv): Settings {
  const { version } = JSON.parse(readFileSync(join(source, 'package.json'), 'utf8')) as {
    version: string;
  };
  const wanted = (environment['AGENTS'] ?? '').split(/[\s,]+/).filter(Boolean);
  for (const name of wanted) {
    if (!agents.includes(name)) throw new Error(`AGENTS: ${name} is none of ${agents.join(', ')}`);
  }
  const kernel = environment['KERNEL'] || '6.12-cloud-amd64';
  if (!/^[a-z0-9.+-]+$/.test(kernel)) throw new Error(`KERNEL: '${kernel}' is no package name`);
  return {
    version,
    kernel: `linux-image-${kernel}`,
    agents: wanted.toSorted(),
    epoch: epochFrom(environment['SOURCE_DATE_EPOCH']),
    level: numberFrom('LEVEL', environment['LEVEL'] || '15', 22),
    mirror: environment['MIRROR'] || 'http://deb.debian.org',
    signingKey: environment['SIGNING_KEY'] || undefined,
  };
}

/** @param text - SOURCE_DATE_EPOCH. @returns seconds: it, or the time of the last commit */
export function epochFrom(text: string | undefined): number {
  const lastCommit = ['-C', source, 'log', '-1', '--format=%ct'];
  const seconds = text || execFileSync('git', lastCommit, { encoding: 'utf8' }).trim();
  return numberFrom('SOURCE_DATE_EPOCH', seconds, 2 ** 32);
}

function numberFrom(name: string, text: string, max: number): number {
  if (!/^\d+$/.test(text) || Number(text) > max) throw new Error(`${name}: '${text}' is no number`);
  return Number(text);
}
