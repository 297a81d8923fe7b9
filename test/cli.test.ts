// SPDX-License-Identifier: Apache-2.0
/** The command line, as far as it needs no daemon: help, usage, check, and no daemon that answers. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { version } from '../src/version.ts';

const folder = mkdtempSync(join(tmpdir(), 'egret-cli-'));
afterAll(() => rmSync(folder, { recursive: true }));

function egret(...argv: string[]) {
  const program = join(import.meta.dirname, '..', 'src', 'cli.ts');
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...argv], {
    encoding: 'utf8',
    timeout: 120_000,
  });
  return { status, stdout, stderr };
}

test.each([['help'], ['--help'], ['-h']])('egret %s lists the commands', (word) => {
  const { status, stdout } = egret(word);
  expect(status).toBe(0);
  for (const name of ['run', 'check', 'show', 'why', 'version']) {
    expect(stdout).toMatch(new RegExp(`^  ${name} `, 'm'));
  }
});

test.each([
  ['show', '--help'],
  ['help', 'show'],
])('egret %s %s explains one command', (...words) => {
  const { status, stdout } = egret(...words);
  expect(status).toBe(0);
  expect(stdout).toMatch(/egret show networks \| gateways/);
  expect(stdout).not.toMatch(/egret why/);
});

test.each([['version'], ['--version']])('egret %s', (word) => {
  expect(egret(word)).toMatchObject({ status: 0, stdout: `egret ${version}\n` });
});

test.each([
  [[], 'a command is needed'],
  [['shwo'], 'there is no command shwo; did you mean show?\n'],
  [['help', 'cehck'], 'there is no command cehck; did you mean check?'],
  [['show', 'network'], 'show has no view network; did you mean networks?'],
  [['show', 'pools', '--jsno'], 'there is no option --jsno; did you mean --json?'],
  [['show', 'pools', '-o', 'widr'], '--output takes wide or json, not widr; did you mean wide?'],
  [['show'], 'show needs a view'],
  [['show', 'roads'], 'show has no view roads'],
  [['show', 'pools', 'more'], 'show pools takes no more'],
  [['show', 'route', 'table', 'x'], 'needs a number, not x'],
  [['why', '10.0.0.1'], 'why takes CLIENT and DESTINATION'],
  [['run'], 'run needs --config PATH'],
  [['run', 'more', '--config', 'x'], 'run takes no more'],
  [['check', '--on-box'], 'check --on-box needs a PATH'],
  [['check', '--colour'], 'there is no option --colour'],
  [['show', 'pools', '--run-dir'], '--run-dir needs a value'],
  [['why', 'a'.repeat(100_000), '10.0.0.1'], 'aaaa… is too long'],
])('egret %j: usage, exit 1', (argv, what) => {
  const { status, stderr } = egret(...argv);
  expect({ status, stderr }).toMatchObject({ status: 1, stderr: expect.stringContaining(what) });
});

test('no daemon answers: exit 4', () => {
  const { status, stderr } = egret('show', 'networks', `--run-dir=${folder}`);
  expect(status).toBe(4);
  expect(stderr).toContain(join(folder, 'status.sock'));
});

test('a reader that closes early does not make a broken configuration valid', () => {
  const program = join(import.meta.dirname, '..', 'src', 'cli.ts');
  const broken = join(import.meta.dirname, 'config', 'broken');
  const command = `set -o pipefail; ${process.execPath} ${program} check ${broken} | true`;
  expect(spawnSync('bash', ['-c', command]).status).toBe(2);
});

test('a full disk is no success', () => {
  const program = join(import.meta.dirname, '..', 'src', 'cli.ts');
  const command = `${process.execPath} ${program} help > /dev/full`;
  const { status, stderr } = spawnSync('bash', ['-c', command], { encoding: 'utf8' });
  expect(status).toBe(1);
  expect(stderr).toContain('The output could not be written: ');
});

test('check: exit 0 or 2, and what is no file is refused', () => {
  const file = join(folder, 'a.yaml');
  writeFileSync(file, 'apiVersion: v1\nkind: Namespace\nmetadata: { name: a }\n');
  writeFileSync(join(folder, '.a.yaml.swp.yaml'), 'kind: [');
  expect(egret('check', file).status).toBe(0);
  expect(egret('check', folder).status).toBe(0);
  execFileSync('mkfifo', [join(folder, 'pipe')]);
  for (const path of ['/dev/zero', join(folder, 'pipe')]) {
    const { status, stdout } = egret('check', path);
    expect(status).toBe(2);
    expect(stdout).toContain(`${path}:1:1: is neither a file nor a folder`);
  }
});
