// SPDX-License-Identifier: Apache-2.0
/** Updates into a disk of plain files, whose power is cut at each write, sync and rename. */
import { createHash, generateKeyPairSync } from 'node:crypto';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { inChunks, PlainDisk, rootPartitionBytes } from '../../test/support/plain-disk.ts';
import { type UnsafeDisk, unsafeDisk } from '../../test/support/power-cut.ts';
import { seededRandom } from '../lib/random.ts';
import { parseGrubenv } from './grubenv.ts';
import { type Installed, install } from './install.ts';
import { readRecord, writeRecord } from './record.ts';
import { readLabel, verifyPart } from './slot.ts';
import type { PartName } from './update-head.ts';

let folder: string;
let disk: PlainDisk;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'egret-image-'));
  disk = new PlainDisk(folder);
});
afterEach(() => rmSync(folder, { recursive: true }));

const safe = (): UnsafeDisk => unsafeDisk(0, false, seededRandom(1));

interface Options {
  readonly allowsUnsigned?: boolean;
  readonly running?: 'a' | 'b';
  readonly isTried?: boolean;
}

async function run(
  update: Buffer,
  { open, files }: UnsafeDisk,
  { allowsUnsigned = false, running = 'a', isTried = false }: Options = {},
): Promise<Installed> {
  const lines = install(inChunks(update), {
    ...{ open, files, allowsUnsigned, recordPath: disk.recordPath, keys: disk.keys },
    box: disk.box(running, isTried),
    readyNetworks: async () => ['red'],
  });
  for (;;) {
    const next = await lines.next();
    if (next.done) return next.value;
  }
}

const bytesOf = (name: string): Buffer => readFileSync(join(folder, name));
/** Of files; to compare their bytes one by one takes long. */
const hashOf = (...names: string[]): string[] =>
  names.map((name) => createHash('sha256').update(bytesOf(name)).digest('hex'));
const slotA = (): string[] => hashOf('boot-a', 'root-a');

/** Slot b holds a whole update. */
async function isWhole(): Promise<boolean> {
  const { open } = safe();
  const slot = disk.box('a').slots.b;
  const head = await readLabel(open, slot);
  if (!head) return false;
  for (const part of head.manifest.parts) {
    await verifyPart(open, slot[part.name as PartName], part);
  }
  return true;
}

test('a signed update is written to the other slot, recorded, and tried next', async () => {
  const { files, ...others } = safe();
  const before = slotA();
  const update = await disk.update('1.2.3', disk.privateKey);
  expect(await run(update, { files, ...others })).toEqual({ slot: 'b', version: '1.2.3' });
  expect(await isWhole()).toBe(true);
  expect(slotA()).toEqual(before);
  expect(disk.grubenv()).toHaveLength(1024);
  expect(disk.grubenv()).toMatch(/^# GRUB Environment Block\ngood=a\ntry=b\n#+$/);
  expect(await readRecord(files, disk.recordPath)).toMatchObject({
    trial: { slot: 'b', version: '1.2.3', networks: ['red'] },
  });
});

describe('refused, with nothing changed:', () => {
  const refusals: Record<string, () => Promise<[Buffer, string, Options?]>> = {
    'no signature': async () => [await disk.update('1.0.0', undefined), 'UPDATE_UNSIGNED'],
    'a key that is not trusted': async () => {
      const { privateKey } = generateKeyPairSync('ed25519');
      const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
      return [await disk.update('1.0.0', pem), 'UPDATE_UNSIGNED'];
    },
    'a version other than the signed one': async () => {
      const update = await disk.update('1.0.0', disk.privateKey);
      return [
        Buffer.from(update.toString('latin1').replace('1.0.0', '1.0.9'), 'latin1'),
        'UPDATE_UNSIGNED',
      ];
    },
    'a version before the floor': async () => {
      const record = { version: 1, floor: '1.0.0', trial: null, failed: null } as const;
      await writeRecord(safe().files, disk.recordPath, record);
      return [await disk.update('1.0.0-rc.1', disk.privateKey), 'UPDATE_TOO_OLD'];
    },
    'a version before the floor on the console': async () => {
      const record = { version: 1, floor: '1.0.0', trial: null, failed: null } as const;
      await writeRecord(safe().files, disk.recordPath, record);
      return [await disk.update('0.9.9', undefined), 'UPDATE_TOO_OLD', { allowsUnsigned: true }];
    },
    'no update': async () => [
      Buffer.from('#!/bin/sh\necho hello, this is no update\n'),
      'UPDATE_INVALID',
    ],
    nothing: async () => [Buffer.alloc(0), 'UPDATE_INVALID'],
    'the running slot is tried': async () => [
      await disk.update('1.0.0', disk.privateKey),
      'SLOT_UNCONFIRMED',
      { running: 'b', isTried: true },
    ],
  };
  test.each(Object.keys(refusals))('%s', async (name) => {
    const [update, code, options] = await refusals[name]!();
    const names = ['esp', 'boot-a', 'root-a', 'boot-b', 'root-b'];
    const before = hashOf(...names);
    await expect(run(update, safe(), options)).rejects.toMatchObject({ code });
    expect(hashOf(...names)).toEqual(before);
  });
});

test.each([
  ['cut in its last part', (update: Buffer) => update.subarray(0, -1)],
  [
    'with a byte changed',
    (update: Buffer) => Buffer.concat([update.subarray(0, -1), Buffer.of(update.at(-1)! ^ 1)]),
  ],
  ['with more behind it', (update: Buffer) => Buffer.concat([update, Buffer.of(0)])],
])('an update %s is refused, and is never tried', async (_, damage) => {
  const update = damage(await disk.update('1.0.0', disk.privateKey));
  await expect(run(update, safe())).rejects.toMatchObject({ code: 'UPDATE_INVALID' });
  expect(parseGrubenv(disk.grubenv())).toEqual({ good: 'a', try: undefined });
  expect(await readLabel(safe().open, disk.box('a').slots.b)).toBeUndefined();
});

test('a part that is too large for its partition is refused before anything is written', async () => {
  const update = await disk.update('1.0.0', disk.privateKey);
  const { open, files } = safe();
  const box = disk.box('a');
  const { b } = box.slots;
  const small = {
    ...box,
    slots: { ...box.slots, b: { ...b, root: { ...b.root, bytes: 110_000 } } },
  };
  const lines = install(inChunks(update), {
    ...{ open, files, allowsUnsigned: false, recordPath: disk.recordPath, keys: disk.keys },
    ...{ box: small, readyNetworks: async () => [] },
  });
  await expect(lines.next()).rejects.toMatchObject({ code: 'UPDATE_INVALID' });
  expect(bytesOf('root-b').equals(Buffer.alloc(rootPartitionBytes))).toBe(true);
});

test('an unsigned update is taken where that is allowed', async () => {
  const update = await disk.update('1.0.0', undefined);
  await run(update, safe(), { allowsUnsigned: true });
  expect(parseGrubenv(disk.grubenv()).try).toBe('b');
});

test('a disk that does not hold what was written is found by reading it', async () => {
  const update = await disk.update('1.0.0', disk.privateKey);
  const { open, files, ...others } = safe();
  const forgetful: typeof open = async (path, use) => {
    const storage = await open(path, use);
    if (!path.endsWith('root-b')) return storage;
    const write: typeof storage.write = (position, bytes) =>
      storage.write(position, position > 50_000 && position < 60_000 ? bytes.map(() => 0) : bytes);
    return { ...storage, write };
  };
  const unsafe = { open: forgetful, files, ...others };
  await expect(run(update, unsafe)).rejects.toMatchObject({ code: 'SLOT_DAMAGED' });
  expect(parseGrubenv(disk.grubenv()).try).toBeUndefined();
});

describe('an update over another one that is to be tried', () => {
  let first: Buffer;
  let second: Buffer;
  let saved: string;
  beforeEach(async () => {
    first = await disk.update('1.0.0', disk.privateKey);
    second = await disk.update('1.1.0', disk.privateKey);
    await run(first, safe());
    saved = mkdtempSync(join(tmpdir(), 'egret-image-'));
    cpSync(folder, saved, { recursive: true });
  });
  afterEach(() => rmSync(saved, { recursive: true }));

  const restore = (): void => {
    for (const name of ['esp', 'boot-b', 'root-b', 'data']) {
      cpSync(join(saved, name), join(folder, name), { recursive: true });
    }
  };

  test.each([true, false])(
    'the power is cut (%s), or a change fails, at each one',
    async (isCut) => {
      const whole = safe();
      await run(second, whole);
      const before = slotA();
      const seen = new Set<string>();
      for (let failing = 1; failing <= whole.count(); failing += 1) {
        restore();
        const unsafe = unsafeDisk(failing, isCut, seededRandom(failing));
        await expect(run(second, unsafe)).rejects.toThrow('input/output error');
        unsafe.settle();
        expect(slotA()).toEqual(before);
        const choice = parseGrubenv(disk.grubenv());
        expect(choice.good).toBe('a');
        // What is tried next is whole.
        if (choice.try) expect(await isWhole()).toBe(true);
        seen.add(`try ${choice.try}`);
        // And the next one succeeds.
        await run(second, safe());
        expect(parseGrubenv(disk.grubenv()).try).toBe('b');
      }
      expect([...seen].sort()).toEqual(['try b', 'try undefined']);
    },
  );
});

test('a record that is damaged is an empty one', async () => {
  const { files } = safe();
  for (const text of ['', '{', '{"version":2}', '{"version":1,"floor":"x"}']) {
    await writeRecord(files, disk.recordPath, {
      version: 1,
      floor: '1.0.0',
      trial: null,
      failed: null,
    });
    writeFileSync(disk.recordPath, text);
    expect((await readRecord(files, disk.recordPath)).floor).toBe('0.0.0');
  }
});
