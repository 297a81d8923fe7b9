// SPDX-License-Identifier: Apache-2.0
/**
 * A box: the image in QEMU, without KVM (TCG), inside a host of the lab.
 *
 *   const lab = await Lab.open();
 *   const outside = await lab.host('outside');
 *   const box = await Guest.create(outside, { firmware: 'uefi' });
 *   await box.start();
 *   await box.answers();                                   // SSH is up
 *   const { stdout } = await box.ssh('status', 'show version');
 *   await box.cutPower();
 *   await box.start();                                     // from the same disk
 *
 * QEMU and ssh run in the host's namespace, so that ports and names of taps are free there. The first
 * network card is QEMU's own network, by which ssh reaches the box; each tap is one more, and the test
 * joins it to what it likes. The disk is an overlay on the image, which is never written.
 *
 * An ssh client was seen to hang for minutes while the box starts: `timeout` ends each one.
 */

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { version } from '../../src/version.ts';
import type { Host } from '../lab/namespace.ts';
import { type Captured, type Running, run } from '../lab/process.ts';
import { askQmp } from './qmp.ts';
import { makeVolume } from './volume.ts';

const builtImage = fileURLToPath(new URL(`../../build/egret-${version}.qcow2`, import.meta.url));

/** How long a start may take. A wait ends on its event; alone it takes about 40 s. */
export const bootPatienceMs = 900_000;
/** Port in the host's namespace that leads to the box's SSH. */
const sshPort = 2222;

export interface GuestOptions {
  readonly firmware?: 'bios' | 'uefi';
  readonly memoryMiB?: number;
  /** qcow2 under the overlay; default: what `make image` has made. */
  readonly image?: string;
  /** Size of the disk; default: the image's. */
  readonly diskMiB?: number;
  /** Content of a volume EGRETCFG, by file name; the lab's key is added. `false`: no such volume. */
  readonly config?: Readonly<Record<string, string>> | false;
  /** More volumes: image files. */
  readonly volumes?: readonly string[];
  /** Names of taps that QEMU makes in the host's namespace, each for a network card. */
  readonly taps?: readonly string[];
}

export interface SshOptions {
  readonly stdin?: string | Readable;
  /** Statuses that are no failure; default 0. 255 is ssh's own, 124 `timeout`'s. */
  readonly statuses?: readonly number[] | 'any';
  readonly timeoutS?: number;
  /** More options of ssh, e.g. `-tt`. */
  readonly options?: readonly string[];
  /** Private key; default: the one on the volume EGRETCFG. */
  readonly key?: string;
}

export class Guest {
  readonly host: Host;
  readonly folder: string;
  /** The overlay: what the box has written. */
  readonly disk: string;
  /** Private key of admin and status. */
  readonly key: string;
  readonly #options: GuestOptions;
  readonly #volumes: readonly string[];
  #qemu: Running | undefined;

  private constructor(host: Host, options: GuestOptions, volumes: readonly string[]) {
    this.host = host;
    this.folder = host.folder;
    this.disk = join(host.folder, 'disk.qcow2');
    this.key = join(host.folder, 'key');
    this.#options = options;
    this.#volumes = volumes;
  }

  /** Makes disk, key and volumes; starts nothing. One box a host. */
  static async create(host: Host, options: GuestOptions = {}): Promise<Guest> {
    const key = join(host.folder, 'key');
    await run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', 'lab-operator', '-f', key]);
    const volumes = [...(options.volumes ?? [])];
    if (options.config !== false) {
      const files = { authorized_keys: readFileSync(`${key}.pub`, 'utf8'), ...options.config };
      volumes.unshift(await makeVolume(join(host.folder, 'egretcfg.img'), 'EGRETCFG', files));
    }
    const guest = new Guest(host, options, volumes);
    const image = options.image ?? builtImage;
    if (!existsSync(image)) throw new Error(`${image} is not there: make image`);
    const size = options.diskMiB === undefined ? [] : [`${options.diskMiB}M`];
    const backing = ['-f', 'qcow2', '-b', image, '-F', 'qcow2'];
    await run(['qemu-img', 'create', '-q', ...backing, guest.disk, ...size]);
    if (options.firmware === 'uefi') {
      writeFileSync(guest.#variables, readFileSync('/usr/share/OVMF/OVMF_VARS_4M.fd'));
    }
    return guest;
  }

  /** Switches it on. @param snapshot - a state that `save` has kept; default: from the disk */
  async start(snapshot?: string): Promise<void> {
    if (this.#qemu?.isRunning) throw new Error('the box runs');
    const loadvm = snapshot === undefined ? [] : ['-loadvm', snapshot];
    this.#qemu = this.host.start(['qemu-system-x86_64', ...this.#hardware(), ...loadvm]);
    await this.#waitFor('QEMU', () => existsSync(this.#qmp));
  }

  /** Waits until a login by SSH works. @returns what it took */
  async answers(user = 'status'): Promise<number> {
    const start = performance.now();
    await this.#waitFor('SSH', async () => {
      const { status } = await this.ssh(user, 'version', { statuses: 'any', timeoutS: 90 });
      return status === 0;
    });
    return performance.now() - start;
  }

  /** Runs a command on the box: words, as an operator types them behind `ssh USER@BOX`. */
  ssh(user: string, words: string, options: SshOptions = {}): Promise<Captured> {
    const seconds = options.timeoutS ?? 120;
    const known = ['-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null'];
    const quiet = [
      '-F',
      'none',
      '-o',
      'BatchMode=yes',
      '-o',
      'ConnectTimeout=15',
      '-o',
      'LogLevel=ERROR',
    ];
    const login = ['-i', options.key ?? this.key, '-p', String(sshPort), `${user}@127.0.0.1`];
    // Of an option that is given twice, ssh takes the first.
    const ssh = ['ssh', ...(options.options ?? []), ...known, ...quiet, ...login, words];
    return this.host.run(['timeout', '-k', '5', String(seconds), ...ssh], {
      timeoutMs: (seconds + 15) * 1000,
      ...(options.stdin === undefined ? {} : { stdin: options.stdin }),
      ...(options.statuses === undefined ? {} : { statuses: options.statuses }),
    });
  }

  /** Everything that the box has written to its serial line since it was created. */
  console(): string {
    return existsSync(this.#serialLog) ? readFileSync(this.#serialLog, 'latin1') : '';
  }

  /** Waits until the serial line has shown a text. @param from - position in `console()` */
  async shows(pattern: RegExp, from = 0): Promise<void> {
    await this.#waitFor(`${pattern} on the console`, () =>
      pattern.test(this.console().slice(from)),
    );
  }

  /** Types at the serial console. */
  async type(text: string): Promise<void> {
    const line = createConnection(this.#serial);
    await new Promise<void>((resolve, reject) => {
      line.once('error', reject);
      line.write(text, () => resolve());
    });
    // The port gives one byte at a time to a guest that is slow.
    await sleep(1000);
    line.destroy();
  }

  /** Waits until it has switched itself off. */
  async isOff(): Promise<void> {
    await this.#waitFor('power off', () => !this.#qemu?.isRunning);
  }

  /** As if the plug were pulled. */
  async cutPower(): Promise<void> {
    await this.#qemu?.stop('SIGKILL');
  }

  /** The reset button. */
  async reset(): Promise<void> {
    await askQmp(this.#qmp, 'system_reset');
  }

  /** Keeps the whole state, memory included, in the overlay; `start(name)` continues from it. */
  async save(name: string): Promise<void> {
    const said = await askQmp(this.#qmp, 'human-monitor-command', {
      'command-line': `savevm ${name}`,
    });
    if (said !== '') throw new Error(`savevm: ${said}`);
  }

  get #qmp(): string {
    return join(this.folder, 'qmp');
  }

  get #serial(): string {
    return join(this.folder, 'serial');
  }

  get #serialLog(): string {
    return join(this.folder, 'serial.log');
  }

  get #variables(): string {
    return join(this.folder, 'efi-variables.fd');
  }

  #hardware(): string[] {
    const { firmware = 'bios', memoryMiB = 1024, taps = [] } = this.#options;
    const code = '/usr/share/OVMF/OVMF_CODE_4M.fd';
    const board =
      firmware === 'bios'
        ? ['-machine', 'pc']
        : ['-machine', 'q35']
            .concat(['-drive', `if=pflash,format=raw,readonly=on,file=${code}`])
            .concat(['-drive', `if=pflash,format=raw,file=${this.#variables}`]);
    const forward = `restrict=on,hostfwd=tcp:127.0.0.1:${sshPort}-:22`;
    const cards = [
      ['-netdev', `user,id=n0,${forward}`, ...card(0)],
      ...taps.map((name, index) => [
        ...['-netdev', `tap,id=n${index + 1},ifname=${name},script=no,downscript=no`],
        ...card(index + 1),
      ]),
    ].flat();
    const serial = `path=${this.#serial},server=on,wait=off,logfile=${this.#serialLog},logappend=on`;
    return [
      ...board,
      ...['-accel', 'tcg', '-cpu', 'max', '-smp', '2', '-m', String(memoryMiB)],
      ...['-display', 'none', '-monitor', 'none', '-no-user-config'],
      ...['-chardev', `socket,id=serial,${serial}`, '-serial', 'chardev:serial'],
      ...['-qmp', `unix:${this.#qmp},server=on,wait=off`],
      ...disk(0, this.disk, 'format=qcow2,discard=unmap'),
      ...this.#volumes.flatMap((path, index) => disk(index + 1, path, 'format=raw,readonly=on')),
      ...['-device', 'virtio-rng-pci,addr=0x1c', ...cards],
    ];
  }

  async #waitFor(what: string, ask: () => boolean | Promise<boolean>): Promise<void> {
    const end = performance.now() + bootPatienceMs;
    while (!(await ask())) {
      const isLate = performance.now() > end;
      if (isLate || (what !== 'power off' && !this.#qemu?.isRunning)) {
        const why = isLate ? `not within ${bootPatienceMs / 1000} s` : 'QEMU has exited';
        throw new Error(`${what}: ${why}\n${this.#qemu?.output()}\n${this.console().slice(-4000)}`);
      }
      await sleep(500);
    }
  }
}

/** Slots are fixed, so that names of interfaces are: ens3, ens4, … on BIOS boards, enp0s3, … else. */
function card(index: number): string[] {
  const mac = `52:54:00:65:67:${index.toString(16).padStart(2, '0')}`;
  return ['-device', `virtio-net-pci,netdev=n${index},mac=${mac},addr=${index + 3}`];
}

function disk(index: number, path: string, options: string): string[] {
  const drive = `if=none,id=disk${index},file=${path},${options}`;
  return ['-drive', drive, '-device', `virtio-blk-pci,drive=disk${index},addr=${16 + index}`];
}
