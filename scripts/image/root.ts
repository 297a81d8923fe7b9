// SPDX-License-Identifier: Apache-2.0
/**
 * The root of a slot: Debian's tree, Egret as `make install` puts it, the files below images/root,
 * users and the choice of units; then a squashfs of it all.
 */
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { install } from '../../images/install.ts';
import { removeTraces } from './debian.ts';
import { source } from './settings.ts';
import type { Tools } from './tool.ts';

/** Mount points, which Debian does not have. */
const folders = ['data', 'etc/egret', 'var/lib/egret', 'usr/lib/egret/keys'];

const enabled = [
  ...['systemd-networkd', 'systemd-resolved', 'systemd-timesyncd', 'ssh'],
  ...['egret-default-network', 'egret-provision', 'egret-grow', 'egret-banner.path'],
  ...['egret-forwarder', 'egretd', 'egret-image.socket', 'egret-confirm'],
];
/** A box without package management, with consoles of its own, which waits for no network. */
const masked = [
  ...['systemd-networkd-wait-online.service', 'dpkg-db-backup.timer', 'e2scrub_all.timer'],
  ...['e2scrub_reap.service', 'fstrim.timer', 'systemd-pstore.service', 'remote-fs.target'],
  ...['getty@.service', 'serial-getty@.service', 'console-getty.service', 'debug-shell.service'],
  // It would keep the list of what the last boot has left undone, in memory.
  ...['systemd-boot-system-token.service', 'systemd-firstboot.service'],
];

/**
 * Turns Debian's tree at `root` into a slot's.
 *
 * @param trusted - public keys of updates, by the name of their file
 */
export function furnishRoot(
  root: string,
  trusted: ReadonlyMap<string, string>,
  tools: Tools,
): void {
  // As on any Debian box.
  install(root, '/usr');
  for (const folder of folders) mkdirSync(join(root, folder), { recursive: true, mode: 0o755 });
  copyTree(join(source, 'images/root'), root);
  for (const [name, pem] of trusted) writeFileSync(join(root, 'usr/lib/egret/keys', name), pem);
  addUsers(root, tools);
  tools.run('systemctl', ['--root', root, '--quiet', 'enable', ...enabled]);
  tools.run('systemctl', ['--root', root, '--quiet', 'mask', ...masked]);
  removeTraces(root);
  // Empty: filled at the start from /data. A missing one would make it a first boot.
  writeFileSync(join(root, 'etc/machine-id'), '');
  const resolved = join(root, 'etc/resolv.conf');
  rmSync(resolved, { force: true });
  symlinkSync('../run/systemd/resolve/stub-resolv.conf', resolved);
}

/** Copies files with the modes that git knows: executable or not; all are root's. */
export function copyTree(from: string, to: string): void {
  mkdirSync(to, { recursive: true, mode: 0o755 });
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) {
      copyTree(source, target);
      continue;
    }
    rmSync(target, { force: true });
    cpSync(source, target);
    chmodSync(target, statSync(source).mode & 0o100 ? 0o755 : 0o644);
  }
}

/**
 * Who may log in: by a key alone (password `*`: none fits, but the account is not locked), with
 * Egret's shell. Groups say which socket of egretd they may open.
 */
function addUsers(root: string, tools: Tools): void {
  const users = [
    { name: 'status', uid: 800, groups: 'egret-status' },
    { name: 'admin', uid: 801, groups: 'egret-status,egret-admin' },
  ];
  tools.run('systemd-sysusers', [`--root=${root}`]);
  for (const { name, uid, groups } of users) {
    const account = ['--uid', String(uid), '--user-group', '--groups', groups, '--password', '*'];
    const home = ['--no-create-home', '--home-dir', '/', '--shell', '/usr/lib/egret/egret-login'];
    tools.run('useradd', ['--root', root, ...account, ...home, name]);
  }
}

/**
 * Packs the tree, without what GRUB reads from the boot partition.
 *
 * @param level - of zstd
 */
export function packRoot(root: string, image: string, level: number, tools: Tools): void {
  if (existsSync(image)) rmSync(image);
  const options = ['-noappend', '-no-progress', '-quiet', '-comp', 'zstd', '-b', '256K'];
  const left = ['-wildcards', '-e', 'boot/*'];
  tools.run('mksquashfs', [root, image, ...options, '-Xcompression-level', String(level), ...left]);
}
