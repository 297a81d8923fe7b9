// SPDX-License-Identifier: Apache-2.0
/** What a start makes of a slot that is tried, on a disk of plain files. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { PlainDisk } from '../../test/support/plain-disk.ts';
import { unsafeDisk } from '../../test/support/power-cut.ts';
import { systemFiles } from '../lib/durable-files.ts';
import { seededRandom } from '../lib/random.ts';
import { formatGrubenv, parseGrubenv } from './grubenv.ts';
import { readRecord, type UpdateRecord, writeRecord } from './record.ts';
import { openStorage } from './storage.ts';
import { settle, type TrialSetting } from './trial.ts';

let folder: string;
let disk: PlainDisk;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'egret-image-'));
  disk = new PlainDisk(folder);
});
afterEach(() => rmSync(folder, { recursive: true }));

const trial = { slot: 'b', version: '2.0.0', networks: ['red'], trouble: '' } as const;
const installed: UpdateRecord = { version: 1, floor: '1.0.0', trial, failed: null };
const record = (): Promise<UpdateRecord> => readRecord(systemFiles, disk.recordPath);
const keep = (next: UpdateRecord): Promise<void> => writeRecord(systemFiles, disk.recordPath, next);

/** @param questions - how often the box is asked; it is healthy from `healthyFrom` on */
function setting(running: 'a' | 'b', isTried: boolean, healthyFrom: number, questions = 5) {
  let asked = 0;
  const asks: (readonly string[])[] = [];
  const how: TrialSetting = {
    ...{ open: openStorage, files: systemFiles, recordPath: disk.recordPath, log: () => {} },
    ...{ box: disk.box(running, isTried), version: '1.5.0' },
    trouble: async (networks) => {
      asks.push(networks);
      asked += 1;
      return asked >= healthyFrom ? undefined : 'network red is not ready: no route';
    },
    waits: async () => asked < questions,
  };
  return { how, asks };
}

test('a tried slot is confirmed once the box is healthy, and the floor rises to it', async () => {
  await keep(installed);
  const { how, asks } = setting('b', true, 3);
  expect(await settle(how)).toBe('confirmed');
  expect(asks).toEqual([['red'], ['red'], ['red']]);
  expect(parseGrubenv(disk.grubenv())).toEqual({ good: 'b', try: undefined });
  expect(await record()).toEqual({ version: 1, floor: '2.0.0', trial: null, failed: null });
  // Again in the same start, as after a restart of the service.
  expect(await settle(how)).toBe('confirmed');
  expect((await record()).failed).toBeNull();
});

test('one that does not become healthy in time leads back, and the good slot says why', async () => {
  await keep(installed);
  expect(await settle(setting('b', true, 99).how)).toBe('to restart');
  expect(parseGrubenv(disk.grubenv()).good).toBe('a');
  expect(await settle(setting('a', false, 1).how)).toBe('confirmed');
  expect(await record()).toEqual({
    ...{ version: 1, floor: '1.5.0', trial: null },
    failed: { slot: 'b', version: '2.0.0', trouble: 'network red is not ready: no route' },
  });
});

test('one that never came up is a failed one, and another trial clears it', async () => {
  await keep(installed);
  await settle(setting('a', false, 1).how);
  expect((await record()).failed?.trouble).toBe('it did not come up in time');
  await keep({ ...installed, failed: (await record()).failed });
  await settle(setting('b', true, 1).how);
  expect((await record()).failed).toBeNull();
});

test('without its record on /data a tried slot is not confirmed', async () => {
  const { how, asks } = setting('b', true, 1);
  expect(await settle(how)).toBe('to restart');
  expect(asks).toEqual([]);
  expect(parseGrubenv(disk.grubenv()).good).toBe('a');
});

test('a slot that GRUB has fallen back to, with grubenv empty, is not tried', async () => {
  disk.writeGrubenv('#'.repeat(1024));
  expect(await settle(setting('b', false, 99).how)).toBe('confirmed');
});

test('the power is cut while it is confirmed: the slot is good or not, and never lost', async () => {
  for (let failing = 1; failing <= 8; failing += 1) {
    disk.writeGrubenv(formatGrubenv('', { good: 'a', try: undefined }));
    await keep(installed);
    const unsafe = unsafeDisk(failing, true, seededRandom(failing));
    const { how } = setting('b', true, 1);
    await settle({ ...how, open: unsafe.open, files: unsafe.files }).catch(() => {});
    unsafe.settle();
    const { good } = parseGrubenv(disk.grubenv());
    await settle(setting(good, false, 1).how);
    const { failed, floor } = await record();
    expect(failed === null).toBe(good === 'b');
    expect(['1.5.0', '2.0.0']).toContain(floor);
  }
});
