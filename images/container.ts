// SPDX-License-Identifier: Apache-2.0
/**
 * `make container`: build/egret-VERSION.oci.tar, a container image as an OCI layout (image-spec v1.1):
 * Debian's essential packages and our own, in one layer. Made by mmdebstrap, tar, and this script, without a
 * container engine; the same bytes each time from the same state of Debian's archive.
 *
 *   oci-layout, index.json ─▶ manifest ─┬▶ config: what is started, and the layer's digest
 *   (blobs are named by their SHA-256)  └▶ layer: the root file system, tar and gzip
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { epochFrom } from '../scripts/image/settings.ts';
import { version } from '../src/version.ts';
import { debPath } from './deb.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

export const containerPath = join(root, `build/egret-${version}.oci.tar`);

/** What our package depends on; users are made without systemd. */
const packages = ['libstdc++6', 'nftables', 'procps', 'systemd-standalone-sysusers'];
/** Files of packages that nothing reads in a container. */
const excluded = ['doc', 'info', 'locale', 'man', 'bash-completion'].map(
  (folder) => `/usr/share/${folder}/*`,
);
/** Of our package, systemd's files. */
const unused = ['usr/lib/systemd/system', 'usr/lib/tmpfiles.d', 'etc/systemd'];

/** egretd starts the forwarder itself: there is no other supervisor. */
const entrypoint = [
  ...['/usr/bin/egret', 'run', '--config', '/etc/egret'],
  ...['--state-dir', '/var/lib/egret', '--start-empty'],
];

/**
 * Engines give a container 64 MiB of shared memory. Without limits a quarter of it is taken, 4,096
 * sessions; these take some 37 MiB. A folder that is mounted over /etc/egret replaces them.
 */
const limits = `apiVersion: egret.dev/v1
kind: Appliance
metadata:
  name: container
spec:
  limits:
    sessions: 50000
    routes: 100000
`;

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

const sha256 = (bytes: Uint8Array | string): string =>
  createHash('sha256').update(bytes).digest('hex');

/** Debian's part and ours. @returns an uncompressed tar */
function rootFileSystem(folder: string, environment: NodeJS.ProcessEnv): Buffer {
  const tar = join(folder, 'root.tar');
  const added = join(folder, 'limits.yaml');
  writeFileSync(added, limits, { mode: 0o644 });
  const words = [
    ...['--mode=root', '--variant=essential', `--include=${packages.join(',')}`],
    ...excluded.map((path) => `--dpkgopt=path-exclude=${path}`),
    '--dpkgopt=path-include=/usr/share/doc/*/copyright',
    `--customize-hook=upload ${debPath} /egret.deb`,
    '--customize-hook=chroot "$1" dpkg --install /egret.deb',
    '--customize-hook=rm "$1"/egret.deb "$1"/var/log/dpkg.log "$1"/var/log/alternatives.log',
    ...unused.map((path) => `--customize-hook=rm -rf "$1"/${path}`),
    `--customize-hook=upload ${added} /etc/egret/limits.yaml`,
  ];
  execFileSync('mmdebstrap', [...words, 'bookworm', tar], {
    env: environment,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  return readFileSync(tar);
}

/** Makes the image. */
export function makeContainer(): void {
  const folder = join(root, 'build/container');
  const blobs = join(folder, 'layout/blobs/sha256');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(blobs, { recursive: true });
  const epoch = epochFrom(process.env['SOURCE_DATE_EPOCH']);
  const environment = { ...process.env, SOURCE_DATE_EPOCH: String(epoch) };
  const blob = (mediaType: string, bytes: Uint8Array | string): Descriptor => {
    const hash = sha256(bytes);
    writeFileSync(join(blobs, hash), bytes);
    return { mediaType, digest: `sha256:${hash}`, size: Buffer.byteLength(bytes) };
  };
  const image = 'application/vnd.oci.image';
  const tar = rootFileSystem(folder, environment);
  const layer = blob(`${image}.layer.v1.tar+gzip`, gzipSync(tar, { level: 6 }));
  const created = new Date(epoch * 1000).toISOString();
  const about = {
    'org.opencontainers.image.title': 'egret',
    'org.opencontainers.image.version': version,
    'org.opencontainers.image.licenses': 'Apache-2.0',
  };
  const config = blob(
    `${image}.config.v1+json`,
    JSON.stringify({
      created,
      architecture: 'amd64',
      os: 'linux',
      config: {
        Entrypoint: entrypoint,
        Env: ['PATH=/usr/sbin:/usr/bin:/sbin:/bin'],
        StopSignal: 'SIGTERM',
        Volumes: { '/var/lib/egret': {} },
        Labels: about,
      },
      rootfs: { type: 'layers', diff_ids: [`sha256:${sha256(tar)}`] },
      history: [{ created, created_by: 'images/container.ts' }],
    }),
  );
  const manifestType = `${image}.manifest.v1+json`;
  const manifest = blob(
    manifestType,
    JSON.stringify({
      schemaVersion: 2,
      mediaType: manifestType,
      config,
      layers: [layer],
      annotations: about,
    }),
  );
  const index = {
    schemaVersion: 2,
    mediaType: `${image}.index.v1+json`,
    manifests: [
      {
        ...manifest,
        platform: { architecture: 'amd64', os: 'linux' },
        annotations: { 'org.opencontainers.image.ref.name': version },
      },
    ],
  };
  const layout = join(folder, 'layout');
  writeFileSync(join(layout, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }));
  writeFileSync(join(layout, 'index.json'), JSON.stringify(index));
  const same = ['--sort=name', `--mtime=@${epoch}`, '--owner=0', '--group=0', '--numeric-owner'];
  const entries = ['oci-layout', 'index.json', 'blobs'];
  execFileSync('tar', [...same, '--format=ustar', '-C', layout, '-cf', containerPath, ...entries]);
  rmSync(folder, { recursive: true });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.umask(0o022);
  makeContainer();
  process.stdout.write(`${relative(process.cwd(), containerPath)}\n`);
}
