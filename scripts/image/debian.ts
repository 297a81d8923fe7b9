// SPDX-License-Identifier: Apache-2.0
/**
 * Debian's part of the root: the packages, unpacked and configured by mmdebstrap in a folder, without
 * loop devices, mounts or a container engine.
 *
 * The tree is kept as a tar file for a day, for images of the same packages: of the build's time it
 * takes the most. `make clean` removes it.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type Settings, work } from './settings.ts';
import type { Tools } from './tool.ts';

const packages = [
  // To start, and to run services.
  ...['systemd', 'systemd-sysv', 'udev', 'dbus', 'kmod', 'initramfs-tools', 'busybox', 'zstd'],
  // In the place of `unneeded`, which would do it by scripts.
  'usr-is-merged',
  // Disks: growing and checking /data.
  ...['e2fsprogs', 'fdisk'],
  // What egretd calls and what Node links.
  ...['iproute2', 'nftables', 'procps', 'libstdc++6', 'netbase'],
  // Names, time, SSH.
  ...['systemd-resolved', 'systemd-timesyncd', 'openssh-server'],
];

/** Perl, and what drew it in: removed once all is configured. */
const unneeded = ['usrmerge', 'libfile-find-rule-perl', 'libnumber-compare-perl'].concat(
  ['libtext-glob-perl', 'perl', 'libperl5.36', 'perl-modules-5.36'],
  ['libgdbm-compat4', 'libgdbm6'],
);

/** Parts of the kernel without a use in a gateway; some of them have let attackers in elsewhere. */
const modules = [
  ...['sound', 'arch/x86/kvm', 'drivers/gpu', 'drivers/media', 'drivers/net/wireless'],
  ...['drivers/net/wwan', 'drivers/infiniband', 'drivers/staging', 'drivers/isdn', 'drivers/iio'],
  ...['drivers/bluetooth', 'drivers/comedi', 'drivers/video', 'drivers/target', 'drivers/nvdimm'],
  ...['drivers/block/drbd', 'drivers/md/bcache', 'drivers/md/dm-vdo', 'drivers/nvme/target'],
  ...['9p', 'bluetooth', 'ceph', 'dccp', 'mac80211', 'openvswitch', 'rds', 'sctp', 'smc']
    .concat(['sunrpc', 'tipc', 'wireless', 'batman-adv', 'atm', 'can', 'nfc', 'rxrpc'])
    .map((folder) => `net/${folder}`),
  ...['9p', 'afs', 'bcachefs', 'btrfs', 'ceph', 'dlm', 'erofs', 'f2fs', 'gfs2', 'jfs', 'netfs']
    .concat(['nfs', 'nfsd', 'ntfs3', 'ocfs2', 'orangefs', 'reiserfs', 'smb', 'ubifs', 'xfs'])
    .map((folder) => `fs/${folder}`),
];

/** Files of packages that a box without a shell never reads; copyrights stay. */
const excluded = [
  ...['/usr/share/man/*', '/usr/share/info/*', '/usr/share/locale/*', '/usr/share/doc/*'],
  ...[
    '/usr/share/bash-completion/*',
    '/usr/share/zoneinfo/*',
    '/lib/udev/hwdb.d/*',
    '/usr/include/*',
  ],
  '/usr/lib/x86_64-linux-gnu/gconv/*',
  ...modules.map((folder) => `/lib/modules/*/kernel/${folder}/*`),
];
const included = [
  ...['/usr/share/doc/*/copyright', '/usr/share/zoneinfo/UTC', '/usr/share/zoneinfo/Etc/UTC'],
];

/**
 * The tree's time, 2026-01-01, whatever the image's: so the same tree is kept for all of them. Times of
 * files become the image's when it is packed.
 */
const treeEpoch = '1767225600';
const keptMs = 24 * 3600 * 1000;

/** Makes the tree at `root`, a folder that does not exist yet. */
export function unpackDebian(root: string, settings: Settings, tools: Tools): void {
  const wanted = [...packages, ...settings.agents, settings.kernel];
  const suites = [
    ['debian', 'bookworm'],
    ['debian', 'bookworm-updates'],
    ['debian-security', 'bookworm-security'],
  ].map(([archive, suite]) => `deb ${settings.mirror}/${archive} ${suite} main`);
  const options = [
    ...['--mode=root', '--variant=essential', '--format=tar'],
    `--include=${wanted.join(',')}`,
    '--aptopt=APT::Install-Recommends "false"',
    // The initramfs is made later, with the image's own settings: its configuration, which is there
    // before the package, must stay.
    '--dpkgopt=force-confold',
    '--setup-hook=mkdir -p "$1/etc/initramfs-tools"',
    '--setup-hook=echo update_initramfs=no >"$1/etc/initramfs-tools/update-initramfs.conf"',
    `--customize-hook=chroot "$1" dpkg --purge ${unneeded.join(' ')}`,
    ...excluded.map((path) => `--dpkgopt=path-exclude=${path}`),
    ...included.map((path) => `--dpkgopt=path-include=${path}`),
  ];
  const tar = keptTar([...options, ...suites]);
  if (!existsSync(tar)) {
    tools.run('mmdebstrap', [...options, 'bookworm', `${tar}.new`, ...suites], {
      environment: { SOURCE_DATE_EPOCH: treeEpoch },
    });
    renameSync(`${tar}.new`, tar);
  }
  tools.run('mkdir', [root]);
  tools.run('tar', ['-C', root, '--numeric-owner', '--xattrs', '--xattrs-include=*', '-xf', tar]);
}

/** Where the tree of these options is kept. Others, and one that is too old, are removed. */
function keptTar(options: readonly string[]): string {
  const hash = createHash('sha256').update(options.join('\n')).digest('hex').slice(0, 16);
  const name = `debian-${hash}.tar`;
  for (const other of readdirSync(work).filter((each) => each.startsWith('debian-'))) {
    const path = join(work, other);
    if (other !== name || Date.now() - statSync(path).mtimeMs > keptMs) rmSync(path);
  }
  return join(work, name);
}

/** Names and versions of the packages in `root`, by dpkg's own list. */
export interface DebianPackage {
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
  /** Source package. */
  readonly source: string;
  readonly sourceVersion: string;
  readonly maintainer: string;
}

export function debianPackages(root: string, tools: Tools): DebianPackage[] {
  const fields = ['Package', 'Version', 'Architecture', 'source:Package', 'source:Version'];
  const format = `${[...fields, 'Maintainer'].map((field) => `\${${field}}`).join('\t')}\n`;
  const folder = join(root, 'var/lib/dpkg');
  const lines = tools.capture('dpkg-query', [`--admindir=${folder}`, '-W', '-f', format]);
  return lines
    .trimEnd()
    .split('\n')
    .map((line) => {
      const [name, version, architecture, source, sourceVersion, maintainer] = line.split('\t');
      if (!name || !version || !architecture || !source || !sourceVersion || !maintainer) {
        throw new Error(`dpkg-query: ${line}`);
      }
      return { name, version, architecture, source, sourceVersion, maintainer };
    });
}

/** Removes what of Debian's tree must not be in an image, or is of no use in one. */
export function removeTraces(root: string): void {
  // Secrets and identities, which each box makes for itself.
  const below = (folder: string, pattern: RegExp): string[] =>
    readdirSync(join(root, folder))
      .filter((name) => pattern.test(name))
      .map((name) => join(folder, name));
  const paths = [
    ...['etc/machine-id', 'var/lib/dbus/machine-id', 'etc/.pwd.lock'],
    ...below('etc/ssh', /^ssh_host_|^sshd_config\.d$/),
    // What was so before the last package, by the order of installation.
    ...below('etc', /^(passwd|group|shadow|gshadow|subuid|subgid)-$|\.bak$/),
    ...below('var/lib/dpkg', /-old$|^lock/),
    // For packages' scripts, at installation.
    ...['etc/apt', 'usr/lib/udev/hwdb.bin', 'var/lib/apt', 'var/lib/ucf', 'var/cache', 'var/log'],
    ...['run', 'tmp', 'var/tmp'].flatMap((folder) => below(folder, /^/)),
  ];
  for (const path of paths) rmSync(join(root, path), { recursive: true, force: true });
  for (const folder of ['var/cache', 'var/log']) mkdirSync(join(root, folder), { mode: 0o755 });
}

/** The kernel's version, as modules name it. There is one kernel. */
export function kernelRelease(root: string): string {
  const [release, another] = readdirSync(join(root, 'lib/modules'));
  if (!release || another) throw new Error('not exactly one kernel in the tree');
  return release;
}
