// SPDX-License-Identifier: Apache-2.0
/**
 * The container image: a layout whose digests are true, and a root file system in which egretd runs with the
 * 64 MiB of shared memory that engines give, and the capabilities that the manual names.
 */
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { test } from 'tap';
import { containerPath } from '../../images/container.ts';
import { Lab } from '../lab/namespace.ts';
import { run, until } from '../lab/process.ts';

interface Descriptor {
  readonly digest: string;
  readonly size: number;
}
interface Config {
  readonly config: { readonly Entrypoint: readonly string[] };
  readonly rootfs: { readonly diff_ids: readonly string[] };
}

const sharedMemory = '64m';
/** docs/install.md: NET_ADMIN, and of what engines leave a container by themselves these. */
const capabilities = [
  ...['NET_ADMIN', 'NET_RAW', 'NET_BIND_SERVICE', 'CHOWN', 'KILL', 'SETUID', 'SETGID'],
  'SYS_CHROOT', // for the test alone
];

test('the container image', async (t) => {
  const lab = await Lab.open();
  t.teardown(() => lab.close());
  const host = await lab.host('container');
  const layout = join(host.folder, 'layout');
  await mkdir(layout);
  await run(['tar', '-C', layout, '-xf', containerPath]);
  const blob = ({ digest }: Descriptor): Promise<Buffer> =>
    readFile(join(layout, 'blobs', digest.replace(':', '/')));
  const json = async <T>(descriptor: Descriptor): Promise<T> =>
    JSON.parse((await blob(descriptor)).toString()) as T;
  const sha256 = (bytes: Uint8Array): string =>
    `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

  const index = JSON.parse(await readFile(join(layout, 'index.json'), 'utf8')) as {
    manifests: [Descriptor];
  };
  const manifest = await json<{ config: Descriptor; layers: [Descriptor] }>(index.manifests[0]);
  const config = await json<Config>(manifest.config);
  const [layer] = manifest.layers;

  await t.test('is a layout whose digests are true', async (t) => {
    t.match(JSON.parse(await readFile(join(layout, 'oci-layout'), 'utf8')), {
      imageLayoutVersion: '1.0.0',
    });
    for (const descriptor of [index.manifests[0], manifest.config, layer]) {
      const bytes = await blob(descriptor);
      t.equal(sha256(bytes), descriptor.digest);
      t.equal(bytes.length, descriptor.size);
    }
    t.equal((await readdir(join(layout, 'blobs/sha256'))).length, 3, 'and nothing else');
    t.strictSame(config.rootfs.diff_ids, [sha256(gunzipSync(await blob(layer)))]);
  });

  const root = join(host.folder, 'root');
  await mkdir(root);
  await run([
    'tar',
    '-C',
    root,
    '--numeric-owner',
    '-xzf',
    join(layout, 'blobs', layer.digest.replace(':', '/')),
  ]);

  await t.test('runs', async (t) => {
    const { stdout } = await host.run(contained(root, ['/usr/bin/egret', 'version']));
    t.match(stdout, /^egret \d/);
    await host.run(contained(root, ['/usr/bin/egret', 'check', '/etc/egret']));
  });

  await t.test('egretd and the forwarder fit into its shared memory', async (t) => {
    const egretd = host.start(contained(root, config.config.Entrypoint));
    const program = join(root, 'usr/lib/egret');
    const client = [join(program, 'node'), join(program, 'js/src/cli.js')];
    const where = ['--run-dir', join(root, 'run/egret')];
    const answer = await until('it answers', async () => {
      if (!egretd.isRunning) throw new Error(egretd.output());
      return run([...client, ...where, 'show', 'networks', '--json']);
    });
    t.match(JSON.parse(answer.stdout), { rows: [] });
    t.match(egretd.output(), /"sessions":50000/, 'with the limits that it ships');
    t.match(egretd.output(), /"name":"egret-forwarder".*"msg":"forwarder started"/);
    const { stdout: first } = await run(['pgrep', '-P', `${egretd.pid}`]);
    process.kill(Number(first), 'SIGTERM');
    t.strictSame(await egretd.ended, { status: 0, signal: null }, 'it stops in order');
  });
});

/** The words that start a program as an engine does, as far as it matters here. */
function contained(root: string, argv: readonly string[]): string[] {
  const bounding = ['-all', ...capabilities.map((name) => `+${name.toLowerCase()}`)].join(',');
  const prepare = [
    ...['mount --make-rprivate /', 'mount --bind "$1" "$1"', 'cd "$1"', 'mount -t proc proc proc'],
    ...['mount -t tmpfs tmpfs dev', 'mkdir dev/shm', 'touch dev/null dev/urandom'],
    ...['mount --bind /dev/null dev/null', 'mount --bind /dev/urandom dev/urandom'],
    `mount -t tmpfs -o size=${sharedMemory} tmpfs dev/shm`,
    'shift',
    `exec setpriv --bounding-set ${bounding} --inh-caps -all \\`,
    '  env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot . "$@"',
  ];
  const apart = ['--mount', '--pid', '--fork', '--kill-child', '--uts', '--ipc'];
  return ['unshare', ...apart, 'sh', '-euc', prepare.join('\n'), 'contained', root, ...argv];
}
