// SPDX-License-Identifier: Apache-2.0
/**
 * What `egret show system` says of the box, from /proc (proc(5)), /sys, os-release(5) and systemd. What a
 * box does not have, such as a sensor in a guest, is shown as `-`.
 */
import { existsSync, readdirSync, readFileSync, statfsSync } from 'node:fs';
import { cpus, loadavg, uptime } from 'node:os';
import { runProgram } from '../lib/programs.ts';
import { formatDuration } from './table.ts';

/** Where to read; another root in tests. */
export interface FactSources {
  /** '' on a box. */
  readonly root: string;
  /** Of Egret. */
  readonly version: string;
  /** Runs a program of the system. */
  readonly run: typeof runProgram;
}

export const boxFacts = { root: '', run: runProgram } as const;

export interface Fact {
  readonly name: string;
  readonly value: string;
}

export async function systemFacts({ root, run, version }: FactSources): Promise<Fact[]> {
  const read = (path: string): string => {
    try {
      return readFileSync(`${root}${path}`, 'utf8').trim();
    } catch {
      return '';
    }
  };
  const facts: Record<string, string> = {
    egret: version,
    node: process.version,
    system: /^PRETTY_NAME="?([^"\n]*)/m.exec(read('/etc/os-release'))?.[1] ?? '',
    kernel: read('/proc/sys/kernel/osrelease'),
    slot: /(?:^| )egret\.slot=(\S+)/.exec(read('/proc/cmdline'))?.[1] ?? '',
    uptime: formatDuration(uptime() * 1000),
    cpu: `${cpus().length} cores, load ${loadavg()
      .map((load) => load.toFixed(2))
      .join(' ')}`,
    memory: memory(read('/proc/meminfo')),
    disk: disk(`${root}/data`) || disk(root || '/'),
    temperature: temperature(root, read),
    ntp: await clock(root, run),
    'failed units': await failedUnits(root, run),
  };
  return Object.entries(facts).map(([name, value]) => ({ name, value: value || '-' }));
}

const mib = (bytes: number): string => `${Math.round(bytes / 1_048_576)} MiB`;

function memory(text: string): string {
  const kib = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1]);
  const [total, available] = [kib('MemTotal') * 1024, kib('MemAvailable') * 1024];
  return Number.isNaN(total) ? '' : `${mib(available)} of ${mib(total)} available`;
}

function disk(path: string): string {
  try {
    const { bsize, blocks, bavail } = statfsSync(path);
    return `${mib(bavail * bsize)} of ${mib(blocks * bsize)} available on ${path}`;
  } catch {
    return '';
  }
}

/** The hottest zone, in °C. */
function temperature(root: string, read: (path: string) => string): string {
  const folder = '/sys/class/thermal';
  if (!existsSync(`${root}${folder}`)) return '';
  const degrees = readdirSync(`${root}${folder}`)
    .filter((name) => name.startsWith('thermal_zone'))
    .flatMap((name) => read(`${folder}/${name}/temp`) || [])
    .map((text) => Number(text) / 1000);
  return degrees.length === 0 ? '' : `${Math.max(...degrees).toFixed(1)} °C`;
}

const hasSystemd = (root: string): boolean => existsSync(`${root}/run/systemd/system`);

/** systemd-timesyncd makes this file when the clock is right. */
async function clock(root: string, run: typeof runProgram): Promise<string> {
  if (!hasSystemd(root)) return '';
  if (existsSync(`${root}/run/systemd/timesync/synchronized`)) return 'synchronized';
  const { status, output } = await run('timedatectl', ['show', '--property=NTPSynchronized']);
  if (status !== 0) return 'not known';
  return output.includes('=yes') ? 'synchronized' : 'not synchronized';
}

async function failedUnits(root: string, run: typeof runProgram): Promise<string> {
  if (!hasSystemd(root)) return '';
  const words = ['list-units', '--failed', '--plain', '--no-legend', '--no-pager'];
  const { status, output } = await run('systemctl', words);
  if (status !== 0) return 'not known';
  const names = output.split('\n').flatMap((line) => line.split(' ')[0] || []);
  return names.length === 0 ? 'none' : names.join(' ');
}
