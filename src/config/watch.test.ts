// SPDX-License-Identifier: Apache-2.0
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, it } from 'vitest';
import { systemClock } from '../lib/clock.ts';
import { watchConfig } from './watch.ts';

const folder = mkdtempSync(join(tmpdir(), 'egret-watch-'));
let stop = (): void => {};
afterEach(() => stop());

/** @returns expects that so many changes are reported, and no more */
function follow(path: string): (expected: number, what?: string) => Promise<void> {
  let count = 0;
  const told = (): void => {
    count += 1;
  };
  stop = watchConfig(path, systemClock, told, (error) => {
    throw error;
  });
  return async (expected, what = path) => {
    await expect.poll(() => count, { message: what }).toBe(expected);
    await sleep(300);
    expect(count, what).toBe(expected);
    count = 0;
  };
}

it('a file is followed when others take its place, and its neighbors are not', async () => {
  const file = join(folder, 'a.yaml');
  writeFileSync(file, 'a');
  const changes = follow(file);
  for (const text of ['one', 'three']) {
    writeFileSync(`${file}~`, text);
    renameSync(`${file}~`, file);
    await changes(1, text);
  }
  writeFileSync(join(folder, 'b.yaml'), 'b');
  await changes(0);
});

it('a link on the way to it is followed, and a folder', async () => {
  const mount = join(folder, 'mount');
  for (const version of ['1', '2']) {
    mkdirSync(join(mount, version), { recursive: true });
    writeFileSync(join(mount, version, 'c.yaml'), version);
  }
  symlinkSync('1', join(mount, 'data'));
  symlinkSync('data/c.yaml', join(mount, 'c.yaml'));
  for (const path of [join(mount, 'c.yaml'), mount]) {
    const changes = follow(path);
    symlinkSync('2', join(mount, 'next'));
    renameSync(join(mount, 'next'), join(mount, 'data'));
    await changes(1);
    stop();
    rmSync(join(mount, 'data'));
    symlinkSync('1', join(mount, 'data'));
  }
});

it('what cannot be watched is reported', () => {
  const errors: unknown[] = [];
  watchConfig(join(folder, 'nothing'), systemClock, assertNever, (error) => errors.push(error));
  expect(errors).toHaveLength(1);
  rmSync(folder, { recursive: true });
});

function assertNever(): never {
  throw new Error('nothing changes');
}
