// SPDX-License-Identifier: Apache-2.0
/**
 * A Debian 12 box, booted by its own systemd, in the network namespace of a host of the lab: what a
 * package does to a system can be tried without one. The tree comes from Debian's archive, once for all
 * tests (build/debian-box.tar).
 */
import { existsSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Host } from './namespace.ts';
import { type Captured, type Running, type RunOptions, run, until } from './process.ts';

const script = fileURLToPath(new URL('debian-box.sh', import.meta.url));
const tar = fileURLToPath(new URL('../../build/debian-box.tar', import.meta.url));
/** systemd, and what a package of ours depends on: it is installed without a network. */
const packages = [
  'systemd',
  'systemd-sysv',
  'dbus',
  'nftables',
  'procps',
  'iproute2',
  'libstdc++6',
];
const environment = ['PATH=/usr/sbin:/usr/bin:/sbin:/bin', 'DEBIAN_FRONTEND=noninteractive'];

/** Unpacks a tree without Egret in it. */
export async function unpackDebian(root: string): Promise<void> {
  if (!existsSync(tar)) {
    const words = ['--mode=root', '--variant=apt', `--include=${packages.join(',')}`];
    await run(['mmdebstrap', ...words, 'bookworm', `${tar}.new.tar`], { timeoutMs: 900_000 });
    await rename(`${tar}.new.tar`, tar);
  }
  await mkdir(root, { recursive: true });
  await run(['tar', '-C', root, '--numeric-owner', '-xf', tar]);
}

export class DebianBox {
  /** Its root, as the host sees it. */
  readonly root: string;
  readonly #running: Running;
  readonly #pid: number;

  private constructor(root: string, running: Running, pid: number) {
    this.root = root;
    this.#running = running;
    this.#pid = pid;
  }

  /** Boots it. Nothing runs in it but what Debian starts. */
  static async boot(host: Host): Promise<DebianBox> {
    const root = join(host.folder, 'debian');
    await unpackDebian(root);
    const running = host.start([script, root, basename(host.namespace)]);
    const childOf = async (pid: number): Promise<number> =>
      Number((await run(['pgrep', '-P', `${pid}`])).stdout);
    const pid = await until('systemd is started', async () => {
      if (!running.isRunning) throw new Error(running.output());
      return childOf(await childOf(running.pid));
    });
    const box = new DebianBox(root, running, pid);
    await until('the box has booted', async () => {
      const state = await box.run(['systemctl', 'is-system-running'], { statuses: 'any' });
      return state.stdout.trim() === 'running';
    });
    return box;
  }

  /** Runs a program in it. */
  run(argv: readonly string[], options?: RunOptions): Promise<Captured> {
    const enter = ['nsenter', '-t', `${this.#pid}`, '-m', '-u', '-i', '-n', '-p', '-C'];
    return run([...enter, 'env', '-i', ...environment, ...argv], options);
  }

  /** Of a unit: one property of systemd's. */
  async property(unit: string, name: string): Promise<string> {
    return (await this.run(['systemctl', 'show', '-p', name, '--value', unit])).stdout.trim();
  }

  async journal(unit: string): Promise<string> {
    return (await this.run(['journalctl', '--no-pager', '-o', 'cat', '-u', unit])).stdout;
  }

  async powerOff(): Promise<void> {
    await this.run(['systemctl', 'poweroff', '--force', '--no-block'], { statuses: 'any' });
    await this.#running.ended;
    await rm(this.root, { recursive: true, force: true });
  }
}
