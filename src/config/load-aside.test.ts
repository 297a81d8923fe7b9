// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { loadConfig, readConfig } from './load.ts';
import { resolveConfigAside } from './load-aside.ts';

const folder = mkdtempSync(join(tmpdir(), 'egret-load-'));
afterAll(() => rmSync(folder, { recursive: true }));

const file = join(folder, 'pods.yaml');
const writePods = (count: number, spec = ''): void => {
  const pod = (i: number): string =>
    `{ apiVersion: v1, kind: Pod, metadata: { name: p${i} }, spec: { ${spec} }, status: { podIP: 10.0.${i >> 8}.${i & 255} } }\n`;
  writeFileSync(file, Array.from({ length: count }, (_, i) => pod(i)).join('---\n'));
};

test('a Model is the one that loadConfig makes, and no step takes more than a part of it', async () => {
  writePods(2500);
  let pauses = 0;
  const loaded = await resolveConfigAside(readConfig(file), async () => {
    pauses += 1;
  });
  expect(loaded.kind).toBe('model');
  expect(loaded).toEqual(loadConfig(file));
  expect(pauses).toBeGreaterThan(3);
});

test('errors are those of loadConfig, the first thousand', async () => {
  writePods(2500, 'hostNetwork: 1');
  const aside = await resolveConfigAside(readConfig(file), async () => {});
  const loaded = loadConfig(file);
  if (aside.kind !== 'errors' || loaded.kind !== 'errors') throw new Error('it was accepted');
  expect(loaded.errors.length).toBe(2500);
  expect(aside.errors).toEqual(loaded.errors.slice(0, 1000));
});

test('a small configuration and one that is not there are read as well', async () => {
  writePods(3);
  expect(await resolveConfigAside(readConfig(file), async () => {})).toEqual(loadConfig(file));
  const none = await resolveConfigAside(readConfig(join(folder, 'none')), async () => {});
  expect(none).toMatchObject({ kind: 'errors', errors: [{ at: { file: join(folder, 'none') } }] });
});

test('this thread is not blocked meanwhile', async () => {
  writePods(2500);
  let turns = 0;
  const timer = setInterval(() => {
    turns += 1;
  }, 1);
  await resolveConfigAside(readConfig(file), async () => {});
  clearInterval(timer);
  expect(turns).toBeGreaterThan(5);
});
