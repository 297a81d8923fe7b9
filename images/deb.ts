// SPDX-License-Identifier: Apache-2.0
/**
 * `make deb`: build/egret_VERSION_amd64.deb for Debian 12, of what `make install` installs and the scripts
 * in images/debian. The same bytes each time.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { epochFrom } from '../scripts/image/settings.ts';
import { version } from '../src/version.ts';
import { install } from './install.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

/** What the binaries link, what egretd calls (nft), what a reload takes (kill), and what makes users. */
const depends = [
  ...['libc6 (>= 2.36)', 'libstdc++6 (>= 12)', 'nftables', 'procps'],
  'systemd | systemd-standalone-sysusers',
];

/** Of one package: the folder that becomes it, and its file. */
export const debPath = join(root, `build/egret_${version}_amd64.deb`);

/** Paths of regular files below a folder, sorted. */
function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((path) => lstatSync(path).isFile())
    .sort();
}

function control(installedBytes: number): string {
  const fields: Readonly<Record<string, string>> = {
    Package: 'egret',
    Version: version,
    Architecture: 'amd64',
    Maintainer: 'Egret maintainers <maintainers@egret.invalid>',
    'Installed-Size': String(Math.ceil(installedBytes / 1024)),
    Depends: depends.join(', '),
    Section: 'net',
    Priority: 'optional',
    Description: [
      'egress gateway for many VRFs',
      ' Sends the packets of each client out through the right external network, with',
      " the source address of the client's egress gateway, even when two networks use",
      ' the same addresses. BGP with each network, one routing table each.',
    ].join('\n'),
  };
  return Object.entries(fields)
    .map(([name, value]) => `${name}: ${value}\n`)
    .join('');
}

/** Makes the package. */
export function makeDeb(): void {
  const folder = join(root, 'build/deb');
  rmSync(folder, { recursive: true, force: true });
  install(folder, '/usr');
  const files = filesBelow(folder);
  const sums = files.map((path) => {
    const sum = createHash('md5').update(readFileSync(path)).digest('hex');
    return `${sum}  ${relative(folder, path)}\n`;
  });
  const bytes = files.reduce((sum, path) => sum + lstatSync(path).size, 0);
  const about = join(folder, 'DEBIAN');
  mkdirSync(about, { mode: 0o755 });
  writeFileSync(join(about, 'control'), control(bytes));
  writeFileSync(join(about, 'md5sums'), sums.join(''));
  for (const name of ['postinst', 'prerm', 'postrm']) {
    copyFileSync(join(root, 'images/debian', name), join(about, name));
    chmodSync(join(about, name), 0o755);
  }
  // zstd: xz takes a minute more, for a file that is a tenth smaller.
  execFileSync('dpkg-deb', ['--root-owner-group', '-Zzstd', '-z10', '--build', folder, debPath], {
    env: { ...process.env, SOURCE_DATE_EPOCH: String(epochFrom(process.env['SOURCE_DATE_EPOCH'])) },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  rmSync(folder, { recursive: true });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.umask(0o022);
  makeDeb();
  process.stdout.write(`${relative(process.cwd(), debPath)}\n`);
}
