// SPDX-License-Identifier: Apache-2.0
/**
 * The history on a real disk, with operations that fail or after which the power is cut. At each of
 * them, what is opened afterwards is the old configuration or the new one, whole.
 */
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ConfigFile } from '../config/config-set.ts';
import { type FileOperations, systemFiles } from '../lib/durable-files.ts';
import { History, type RunningRecord, versionsMax } from './history.ts';
import type { VersionOrigin } from './version.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'egret-history-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const origin = (message: string, previous = 0): VersionOrigin => ({
  ...{ time: '2026-01-01T00:00:00.000Z', who: 'alice', message, kind: 'applied', from: null },
  ...{ previous, folder: '/etc/egret' },
});
const record: Omit<RunningRecord, 'running'> = {
  ...{ version: 1, configPath: '/etc/egret', pending: null, reverted: [], refused: '' },
};
const files = (text: string): ConfigFile[] => [
  { path: '/etc/egret/a.yaml', bytes: Buffer.from(text.repeat(1000)) },
  { path: '/etc/egret/b.yaml', bytes: Buffer.from('\u{feff}bytes \0 as they are') },
];
const open = (operations = systemFiles): Promise<History> => History.open(operations, folder);
const runningText = async (history: History): Promise<string | undefined> =>
  (await history.filesOf(history.record!.running))?.[0]?.bytes?.toString().slice(0, 3);

/** What changes something, in the order in which it is done. */
const changes = ['makeFolder', 'write', 'sync', 'rename', 'remove', 'syncFolder'] as const;

interface Interrupted {
  readonly operations: FileOperations;
  /** How many changes were begun. */
  readonly count: () => number;
  /** The power is cut now. */
  readonly cut: () => void;
}

/**
 * @param failing - number of the change that fails, from 1; 0: none
 * @param isCut - the power is cut there: nothing is done any more, files that were written and not
 *   forced to disk have lost half of their bytes, and moves into a folder that was not are undone
 */
function interrupted(failing: number, isCut: boolean): Interrupted {
  let count = 0;
  const unsynced = new Set<string>();
  const moved = new Map<string, Buffer | undefined>();
  const cut = (): void => {
    for (const path of unsynced) cutShort(path);
    for (const [path, bytes] of moved) {
      if (bytes) writeFileSync(path, bytes);
      else rmSync(path, { force: true });
    }
  };
  const operations = { ...systemFiles } as Record<string, unknown>;
  for (const name of changes) {
    operations[name] = async (...words: [string, ...unknown[]]) => {
      count += 1;
      if (count === failing || (isCut && failing > 0 && count > failing)) {
        if (count === failing && isCut) cut();
        throw Object.assign(new Error(`${name} fails`), { code: 'EIO' });
      }
      const target = `${words.at(-1)}`;
      if (name === 'rename')
        moved.set(target, existsSync(target) ? readFileSync(target) : undefined);
      await (systemFiles[name] as (...given: unknown[]) => Promise<void>)(...words);
      if (name === 'write') unsynced.add(words[0]);
      if (name === 'sync') unsynced.delete(words[0]);
      // A file that is moved before it is forced to disk may arrive empty.
      if (name === 'rename' && unsynced.delete(words[0])) unsynced.add(target);
      if (name === 'syncFolder') {
        for (const path of moved.keys()) if (dirname(path) === words[0]) moved.delete(path);
      }
    };
  }
  return { operations: operations as unknown as FileOperations, count: () => count, cut };
}

function cutShort(path: string): void {
  if (existsSync(path)) truncateSync(path, Math.floor(readFileSync(path).length / 2));
}

/** What is done, to a history in which version 1 runs: the text that runs before and afterwards. */
const deeds: Readonly<Record<string, readonly [(history: History) => Promise<unknown>, string]>> = {
  'a version is added': [(history) => history.add(origin('new', 1), files('new'), record), 'new'],
  'one is added that waits for confirm': [
    (history) =>
      history.add(origin('new', 1), files('new'), {
        ...record,
        pending: { previous: 1, who: 'alice', until: '', bootId: 'b', untilAgeMs: 1 },
      }),
    'new',
  ],
  'one is reverted': [(history) => history.point({ ...record, running: 1, reverted: [2] }), 'old'],
};

describe.each(Object.entries(deeds))('while %s', (_, [deed, after]) => {
  const prepare = async (): Promise<'old' | 'two'> => {
    const history = await open();
    await history.add(origin('old'), files('old'), record);
    if (after !== 'old') return 'old';
    await history.add(origin('two', 1), files('two'), record);
    return 'two';
  };

  async function countChanges(): Promise<number> {
    await prepare();
    const all = interrupted(0, false);
    const history = await open(all.operations);
    await deed(history);
    rmSync(folder, { recursive: true });
    folder = mkdtempSync(join(tmpdir(), 'egret-history-'));
    return all.count();
  }

  test('a power cut at each change leaves the old one or the new one', async () => {
    const most = await countChanges();
    expect(most).toBeGreaterThan(3);
    const seen = new Set<string | undefined>();
    for (let failing = 1; failing <= most + 1; failing += 1) {
      rmSync(folder, { recursive: true });
      folder = mkdtempSync(join(tmpdir(), 'egret-history-'));
      const before = await prepare();
      const { operations, cut } = interrupted(failing, true);
      await open(operations)
        .then(deed)
        .catch(() => {});
      // Or just behind the last one.
      if (failing > most) cut();
      const reopened = await open();
      const text = await runningText(reopened);
      expect([before, after]).toContain(text);
      seen.add(text);
      expect(readdirSync(folder).filter((name) => name.endsWith('.json'))).toEqual([
        'running.json',
      ]);
      const numbers = reopened.versions.map(({ version }) => `${version}`);
      expect(readdirSync(join(folder, 'versions')).sort()).toEqual(numbers);
      await reopened.add(origin('next', 1), files('nxt'), record);
      expect(await runningText(await open())).toBe('nxt');
    }
    expect(seen.size).toBe(2);
  });

  test('a failure at each change leaves the old one, here and on disk', async () => {
    const most = await countChanges();
    for (let failing = 2; failing <= most; failing += 1) {
      rmSync(folder, { recursive: true });
      folder = mkdtempSync(join(tmpdir(), 'egret-history-'));
      const before = await prepare();
      const { operations } = interrupted(failing, false);
      const history = await open(operations);
      const failed = await deed(history).then(
        () => false,
        () => true,
      );
      const expected = failed ? before : after;
      expect(await runningText(history)).toBe(expected);
      expect(await runningText(await open())).toBe(expected);
      await history.add(origin('next', 1), files('nxt'), record);
      expect(await runningText(await open())).toBe('nxt');
    }
  });
});

test('versions keep what was said of them, and bytes as they were', async () => {
  const history = await open();
  await history.add(origin('first'), files('one'), record);
  await history.add({ ...origin('ünï "x"', 1), kind: 'rollback', from: 1 }, files('two'), record);
  const again = await open();
  expect(again.versions).toMatchObject([
    { version: 1, message: 'first', who: 'alice', previous: 0 },
    { version: 2, message: 'ünï "x"', kind: 'rollback', from: 1, previous: 1 },
  ]);
  expect(again.record).toEqual({ ...record, running: 2 });
  expect((await again.filesOf(1))?.map(({ path, bytes }) => [path, Buffer.from(bytes!)])).toEqual(
    files('one').map(({ path, bytes }) => [path, bytes]),
  );
  expect(await again.filesOf(3)).toBeUndefined();
});

test('the last fifty are kept, and the one that a revert leads to', async () => {
  const history = await open();
  await history.add(origin('first'), files('one'), record);
  const pending = { previous: 1, who: 'alice', until: '', bootId: 'b', untilAgeMs: 1 };
  for (let i = 0; i < versionsMax + 5; i += 1) {
    await history.add(origin(`${i}`, i + 1), files('two'), { ...record, pending });
  }
  const numbers = (await open()).versions.map(({ version }) => version);
  expect(numbers.length).toBe(versionsMax);
  expect(numbers[0]).toBe(1);
  expect(numbers.at(-1)).toBe(versionsMax + 6);
});

test('a version whose bytes were changed is not taken', async () => {
  const history = await open();
  await history.add(origin('first'), files('one'), record);
  const path = join(folder, 'versions', '1');
  const text = readFileSync(path, 'latin1');
  writeFileSync(path, text.replace('oneone', 'oneTWO'), 'latin1');
  expect(await (await open()).filesOf(1)).toBeUndefined();
  writeFileSync(path, text.slice(0, -1), 'latin1');
  expect(await (await open()).filesOf(1)).toBeUndefined();
  writeFileSync(path, '');
  expect((await open()).versions).toEqual([]);
});

test('rubbish in the folder is no version, and a damaged running.json no record', async () => {
  const history = await open();
  await history.add(origin('first'), files('one'), record);
  writeFileSync(join(folder, 'versions', '.2.new'), 'half');
  writeFileSync(join(folder, 'versions', '2'), 'never run');
  writeFileSync(join(folder, 'versions', '007'), '{}');
  expect((await open()).versions.map(({ version }) => version)).toEqual([1]);
  expect(readdirSync(join(folder, 'versions'))).toEqual(['1']);
  for (const text of ['', 'null', '{"version":2}', '{"version":1,"running":"x"}']) {
    writeFileSync(join(folder, 'running.json'), text);
    const again = await open();
    expect(again.record).toBeUndefined();
    expect(again.versions.length).toBe(1);
  }
});
