// SPDX-License-Identifier: Apache-2.0
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { emptyState, RunDir } from './run-dir.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'egret-run-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

test('what is written is read by the next instance', () => {
  const state = { ...emptyState, addresses: { 'edge/exit': ['192.0.2.16'] }, routerId: '10.0.0.1' };
  const runDir = RunDir.take(folder);
  expect(runDir.readState()).toEqual(emptyState);
  runDir.writeState(state);
  expect(runDir.readState()).toEqual(state);
});

test('what an older version did not write has its default', () => {
  writeFileSync(join(folder, 'state.json'), '{"version":1,"routerId":"10.0.0.1","more":[]}');
  expect(RunDir.take(folder).readState()).toEqual({ ...emptyState, routerId: '10.0.0.1' });
});

test.each([
  '',
  'null',
  '{"version":2}',
  '{"version":1,"addresses":null}',
  '{"version":1,"announced":{"red":"10.0.0.1"}}',
  '{"version":1,"neighborsUp":[1]}',
])('a state file that is none of ours counts for nothing: %s', (text) => {
  writeFileSync(join(folder, 'state.json'), text);
  expect(RunDir.take(folder).readState()).toEqual(emptyState);
});

test('a run directory that cannot be one is an operating error', () => {
  const file = join(folder, 'file');
  writeFileSync(file, '');
  const unusable = expect.objectContaining({ code: 'RUN_DIR_UNUSABLE', exit: 1 });
  expect(() => RunDir.take(file)).toThrow(unusable);
  expect(() => RunDir.take(join(file, 'below'))).toThrow(unusable);
});

test('a run directory that takes no file is an operating error, with the reason', () => {
  for (const name of ['lock', 'egretd.pid']) {
    const path = join(folder, name);
    mkdirSync(path);
    expect(() => RunDir.take(folder)).toThrow(
      expect.objectContaining({
        code: 'RUN_DIR_UNUSABLE',
        message: expect.stringMatching(/: .*(EISDIR|on a directory)/),
      }),
    );
    rmSync(path, { recursive: true });
  }
});

test('sockets have room in the longest path that is taken', () => {
  const longest = join(folder, 'x'.repeat(107 - '/forwarder.sock'.length - folder.length - 1));
  expect(() => RunDir.take(`${longest}x`)).toThrow(/1 bytes too long for a socket/);
  expect(RunDir.take(longest).file('forwarder.sock').length).toBe(107);
});
