// SPDX-License-Identifier: Apache-2.0
/** `make install` into a folder: a program that runs from there, and nothing but what it needs. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { afterAll, describe, expect, test } from 'vitest';
import { install, productionPackages } from '../../images/install.ts';
import { commands } from '../../src/cli/commands.ts';
import { version } from '../../src/version.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), `egret-install-${process.pid}-`));
const program = join(folder, 'usr/lib/egret');
install(folder, '/usr');
afterAll(() => rmSync(folder, { recursive: true }));

const filesOf = (path: string): string[] =>
  readdirSync(path, { recursive: true, encoding: 'utf8' }).filter((name) =>
    statSync(join(path, name)).isFile(),
  );
const read = (path: string): string => readFileSync(join(folder, path), 'utf8');

/** Runs the installed program with what a system has in PATH. */
const egret = (...words: string[]) =>
  spawnSync(join(folder, 'usr/bin/egret'), words, {
    encoding: 'utf8',
    env: { PATH: '/usr/bin:/bin' },
  });

describe('the installed program', () => {
  test('runs by its link', () => {
    const { status, stdout } = egret('version');
    expect(stdout).toBe('egret 0.1.0\n');
    expect(status).toBe(0);
  });

  test('checks a configuration, with its own npm packages', () => {
    const { status, stderr } = egret('check', join(root, 'test/config/seed'));
    expect(stderr).toBe('');
    expect(status).toBe(0);
  });

  test('loads its library', () => {
    const native = join(program, 'js/src/dataplane/native.js');
    const script = `const { arenaBytes } = await import('${native}'); console.log(typeof arenaBytes);`;
    const argv = ['--input-type=module', '-e', script];
    expect(execFileSync(join(program, 'node'), argv, { encoding: 'utf8' })).toBe('function\n');
  });

  test('has the launcher of the login shell', () => {
    const argv = ['-c', 'version'];
    expect(execFileSync(join(program, 'egret-login'), argv, { encoding: 'utf8' })).toBe(
      `egret ${version}\n`,
    );
  });

  test('has no test, and no package that only builds or tests need', () => {
    expect(filesOf(program).filter((path) => /\.test\.|\.ts$|\.map$|README/.test(path))).toEqual(
      [],
    );
    const packages = productionPackages();
    expect(packages).toContain('node_modules/yaml');
    expect(packages.filter((path) => /typescript|vitest|tap$|node-linux/.test(path))).toEqual([]);
    const binaries = filesOf(program).filter((path) => path.endsWith('.node'));
    expect(binaries).toHaveLength(1);
  });
});

describe('what the system reads', () => {
  test('units start files that are installed', () => {
    const units = readdirSync(join(folder, 'usr/lib/systemd/system'));
    expect(units.sort()).toEqual(['egret-forwarder.service', 'egretd.service']);
    for (const unit of units) {
      const text = read(`usr/lib/systemd/system/${unit}`);
      const started = /^ExecStart=(\S+)/m.exec(text)?.[1] ?? '';
      expect(existsSync(join(folder, started)), started).toBe(true);
    }
  });

  test('neither unit stops the other', () => {
    for (const unit of ['egretd', 'egret-forwarder']) {
      const text = read(`usr/lib/systemd/system/${unit}.service`);
      expect(text).not.toMatch(/^(BindsTo|PartOf|Requires|Requisite|Conflicts|PropagatesStopTo)=/m);
    }
  });

  test('groups, the user of the forwarder, and folders have a line each', () => {
    const users = read('usr/lib/sysusers.d/egret.conf');
    for (const name of ['g egret-status', 'g egret-admin', 'u egret-forwarder']) {
      expect(users).toContain(`\n${name} `);
    }
    expect(read('usr/lib/tmpfiles.d/egret.conf')).toContain('\nd /run/egret ');
  });

  test('the man page explains every command', () => {
    const page = gunzipSync(readFileSync(join(folder, 'usr/share/man/man8/egret.8.gz'))).toString();
    for (const { name } of commands)
      expect(page).toContain(`\n.SS ${name.replaceAll('-', '\\-')}\n`);
  });

  test('bash completes every command', () => {
    const script = join(folder, 'usr/share/bash-completion/completions/egret');
    const words = (typed: string, ...before: string[]): string[] => {
      const line = ['egret', ...before, typed].map((word) => `'${word}'`).join(' ');
      const ask = `. '${script}'; COMP_WORDS=(${line}); COMP_CWORD=${before.length + 1}; _egret; echo "\${COMPREPLY[@]}"`;
      return execFileSync('bash', ['-c', ask], { encoding: 'utf8' }).trim().split(/\s+/);
    };
    expect(words('')).toEqual(commands.map(({ name }) => name));
    expect(words('networ', 'show')).toContain('networks');
  });
});

test('another prefix stands in the units', () => {
  const other = join(folder, 'other');
  install(other, '/opt/egret');
  const unit = readFileSync(join(other, 'opt/egret/lib/systemd/system/egretd.service'), 'utf8');
  expect(unit).toContain('ExecStart=/opt/egret/lib/egret/egret run ');
});
