// SPDX-License-Identifier: Apache-2.0
/**
 * The controller with a real history on disk and real files; only the appliance is a record of what it
 * was given. The order of what is done and what comes after a restart: system tests have the rest.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ManualClock } from '../../test/support/manual-clock.ts';
import { readConfig, resolveConfig } from '../config/load.ts';
import { History } from '../history/history.ts';
import { type FileOperations, systemFiles } from '../lib/durable-files.ts';
import { EgretError } from '../lib/errors.ts';
import { silentLog } from '../lib/log.ts';
import type { Model } from '../model/model.ts';
import { ConfigControl, type Outcome, type Target } from './control.ts';
import { chooseStart } from './start.ts';

let folder: string;
let configPath: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'egret-control-'));
  configPath = join(folder, 'config.yaml');
});
afterEach(() => rmSync(folder, { recursive: true }));

const alice = { who: 'alice', message: '' };

/** The operator's file: one network with this name. */
function edit(name: string): void {
  writeFileSync(
    configPath,
    `apiVersion: projectcalico.org/v3
kind: FelixConfiguration
metadata: { name: default }
spec: { externalNetworkSupport: Enabled }
---
apiVersion: projectcalico.org/v3
kind: ExternalNetwork
metadata: { name: ${name} }
spec: { routeTableIndex: 500 }
`,
  );
}

/** egretd from a start until it is killed. */
class Instance {
  readonly clock: ManualClock;
  readonly control: ConfigControl;
  readonly errors: string[][] = [];
  /** What the appliance was given. */
  readonly taken: Model[] = [];
  refusal: EgretError | undefined;
  force: () => Promise<string | undefined> = async () => undefined;

  private constructor(clock: ManualClock, control: (target: Target) => ConfigControl) {
    this.clock = clock;
    const model = (): Model => this.taken.at(-1)!;
    this.control = control({
      get model() {
        return model();
      },
      admit: () => {
        if (this.refusal) throw this.refusal;
      },
      take: (taken) => void this.taken.push(taken),
      inForce: () => this.force(),
      refuseConfig: (errors) => void this.errors.push([...errors]),
      whatIf: () => ({ effects: [], sessions: () => Promise.reject(new Error('not asked')) }),
    });
  }

  static async start(
    clock = new ManualClock(),
    bootId = 'first boot',
    operations: FileOperations = systemFiles,
  ): Promise<Instance> {
    const log = silentLog;
    const boot = { id: bootId, ageMs: () => clock.nowMs() };
    const openHistory = () => History.open(operations, join(folder, 'state'));
    const history = await openHistory();
    const read = () => readConfig(configPath);
    const resolve = resolveConfig;
    const start = await chooseStart({
      ...{ history, configPath, boot, log, read, resolve, mayBeEmpty: true },
    });
    if (start.kind === 'errors') throw new Error('it did not start');
    const instance = new Instance(
      clock,
      (target) =>
        new ConfigControl({
          ...{ target, history, openHistory, configPath, clock, boot, log },
          read: async (path) => readConfig(path),
          resolve: async (set) => resolve(set),
          taken: () => {},
        }),
    );
    instance.taken.push(start.model);
    await instance.control.started(start);
    return instance;
  }

  /** The network that it runs. */
  get network(): string | undefined {
    return this.taken.at(-1)?.networks[0]?.name;
  }

  /** Lets time pass, and what follows from it be done. */
  async pass(ms: number): Promise<void> {
    this.clock.pass(ms);
    // Has its turn behind what the time led to.
    await this.control.rollback('999', alice).catch(() => {});
  }
}

/** The disk of the test, which takes nothing while it is full. */
function fillableDisk(): { isFull: boolean; readonly operations: FileOperations } {
  const disk = {
    isFull: false,
    operations: {
      ...systemFiles,
      async write(...words: Parameters<FileOperations['write']>) {
        if (disk.isFull) throw Object.assign(new Error('full'), { code: 'ENOSPC' });
        await systemFiles.write(...words);
      },
    },
  };
  return disk;
}

const versionOf = (outcome: Outcome): number | undefined =>
  outcome.kind === 'applied' ? outcome.version : undefined;

test('a restart begins with what was applied last, not with edited files', async () => {
  edit('one');
  await Instance.start();
  edit('two');
  const second = await Instance.start();
  expect(second.network).toBe('one');
  expect(versionOf(await second.control.apply(alice))).toBe(2);
  expect(second.network).toBe('two');
  edit('three');
  expect((await Instance.start()).network).toBe('two');
});

test('files that run already are nothing to do, and what is refused changes nothing', async () => {
  edit('one');
  const egretd = await Instance.start();
  expect(await egretd.control.apply(alice)).toMatchObject({ kind: 'nothing', version: 1 });
  expect(egretd.taken.length).toBe(1);
  writeFileSync(configPath, 'kind: [');
  const refused = await egretd.control.apply(alice);
  expect(refused).toMatchObject({ kind: 'errors', errors: [{ at: { file: configPath } }] });
  expect(egretd.errors.at(-1)?.[0]).toMatch(/config\.yaml:\d+:\d+: /);
  edit('two');
  egretd.refusal = new EgretError('ARENA_TOO_SMALL', { what: 'clients', room: 1 });
  await expect(egretd.control.apply(alice)).rejects.toThrow('more clients');
  expect(egretd.network).toBe('one');
  expect((await Instance.start()).network).toBe('one');
  edit('one');
  expect(await egretd.control.apply(alice)).toMatchObject({ kind: 'nothing' });
  expect(egretd.errors.at(-1)).toEqual([]);
});

test('a disk that takes nothing: refused, and nothing was changed', async () => {
  edit('one');
  const disk = fillableDisk();
  const egretd = await Instance.start(new ManualClock(), 'boot', disk.operations);
  edit('two');
  disk.isFull = true;
  await expect(egretd.control.apply(alice)).rejects.toThrow('ENOSPC');
  expect(egretd.network).toBe('one');
  expect((await Instance.start()).network).toBe('one');
  disk.isFull = false;
  expect(versionOf(await egretd.control.apply(alice))).toBe(2);
});

describe('with --confirm', () => {
  const confirmMs = 300_000;

  async function applied(): Promise<Instance> {
    edit('one');
    const egretd = await Instance.start();
    edit('two');
    await egretd.control.apply({ ...alice, confirmMs });
    expect(egretd.network).toBe('two');
    return egretd;
  }

  test('it is reverted when the time is over, in place', async () => {
    const egretd = await applied();
    await egretd.pass(confirmMs - 1);
    expect(egretd.network).toBe('two');
    await egretd.pass(1);
    expect(egretd.network).toBe('one');
    expect(egretd.errors.at(-1)).toEqual(['version 2 was reverted: it was not confirmed in time']);
    expect(readFileSync(configPath, 'utf8')).toContain('two');
    expect((await Instance.start()).network).toBe('one');
    await expect(egretd.control.confirm(alice)).rejects.toThrow('No configuration waits');
  });

  test('confirmed, it stays', async () => {
    const egretd = await applied();
    expect(await egretd.control.confirm(alice)).toBe(2);
    await egretd.pass(2 * confirmMs);
    expect(egretd.network).toBe('two');
    expect((await Instance.start(new ManualClock(), 'another boot')).network).toBe('two');
  });

  test('a restarted egretd keeps the deadline', async () => {
    const { clock } = await applied();
    await new Promise<void>((resolve) => resolve(clock.pass(1000)));
    const second = await Instance.start(clock);
    expect(second.network).toBe('two');
    await second.pass(confirmMs - 1001);
    expect(second.network).toBe('two');
    await second.pass(1);
    expect(second.network).toBe('one');
  });

  test('one that starts behind the deadline starts with what ran before', async () => {
    const first = await applied();
    first.control.stop();
    first.clock.pass(confirmMs);
    const second = await Instance.start(first.clock);
    expect(second.network).toBe('one');
    expect(second.taken.length).toBe(1);
  });

  test('a rebooted box starts with what ran before, and stays with it', async () => {
    await applied();
    expect((await Instance.start(new ManualClock(), 'second boot')).network).toBe('one');
    expect((await Instance.start(new ManualClock(), 'second boot')).network).toBe('one');
    expect((await Instance.start()).network).toBe('one');
  });

  test('what is applied meanwhile waits, too, and is reverted with it', async () => {
    const egretd = await applied();
    edit('three');
    const outcome = await egretd.control.apply(alice);
    expect(outcome).toMatchObject({ kind: 'applied', until: expect.any(String) });
    await egretd.pass(confirmMs);
    expect(egretd.network).toBe('one');
    const history = await egretd.control.kept.history();
    expect(history.record).toMatchObject({ running: 1, reverted: [2, 3], pending: null });
  });

  test('another --confirm sets another deadline, also for the same files', async () => {
    const egretd = await applied();
    await egretd.pass(confirmMs / 2);
    expect(await egretd.control.apply({ ...alice, confirmMs })).toMatchObject({ kind: 'nothing' });
    await egretd.pass(confirmMs - 1);
    expect(egretd.network).toBe('two');
    await egretd.pass(1);
    expect(egretd.network).toBe('one');
  });

  test('a box that had no configuration has none again', async () => {
    const egretd = await Instance.start();
    edit('one');
    await egretd.control.apply({ ...alice, confirmMs });
    expect(egretd.network).toBe('one');
    await egretd.pass(confirmMs);
    expect(egretd.network).toBeUndefined();
    expect((await Instance.start()).network).toBeUndefined();
    edit('two');
    expect((await Instance.start()).network).toBe('two');
  });

  test('rollback reverts it at once', async () => {
    const egretd = await applied();
    await egretd.control.rollback('1', alice);
    expect(egretd.network).toBe('one');
    expect((await egretd.control.kept.history()).record).toMatchObject({ reverted: [2] });
  });

  test('a disk that takes nothing does not keep it from its way back', async () => {
    edit('one');
    const disk = fillableDisk();
    const egretd = await Instance.start(new ManualClock(), 'boot', disk.operations);
    edit('two');
    await egretd.control.apply({ ...alice, confirmMs });
    disk.isFull = true;
    await egretd.pass(confirmMs);
    expect(egretd.network).toBe('one');
    expect((await Instance.start(egretd.clock, 'boot')).network).toBe('one');
  });
});

test('rollback applies a version again, and numbers count what was confirmed', async () => {
  edit('one');
  const egretd = await Instance.start();
  for (const name of ['two', 'three']) {
    edit(name);
    await egretd.control.apply(alice);
  }
  edit('four');
  await egretd.control.apply({ ...alice, confirmMs: 1000 });
  await egretd.pass(1000);
  expect(egretd.network).toBe('three');
  expect(versionOf(await egretd.control.rollback('1', alice))).toBe(5);
  expect(egretd.network).toBe('two');
  expect(readFileSync(configPath, 'utf8')).toContain('four');
  await egretd.control.rollback('3', alice);
  expect(egretd.network).toBe('one');
  await egretd.control.rollback('v4', alice);
  expect(egretd.network).toBe('four');
  expect((await Instance.start()).network).toBe('four');
  await expect(egretd.control.rollback('99', alice)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  await expect(egretd.control.rollback('-1', alice)).rejects.toMatchObject({ code: 'USAGE' });
});

describe('config.watch', () => {
  test('applies what was saved', async () => {
    edit('one');
    const egretd = await Instance.start();
    edit('two');
    await egretd.control.filesChanged();
    expect(egretd.network).toBe('two');
  });

  test('leaves alone what was refused or reverted, until it changes', async () => {
    edit('one');
    const egretd = await Instance.start();
    edit('two');
    await egretd.control.apply({ ...alice, confirmMs: 1000 });
    await egretd.pass(1000);
    await egretd.control.filesChanged();
    expect(egretd.network).toBe('one');
    const second = await Instance.start(egretd.clock);
    await second.control.filesChanged();
    expect(second.network).toBe('one');
    writeFileSync(configPath, 'kind: [');
    await second.control.filesChanged();
    const { length } = second.errors;
    await second.control.filesChanged();
    expect(second.errors.length).toBe(length);
    edit('two');
    await second.control.filesChanged();
    expect(second.network).toBe('two');
    await second.control.rollback('1', alice);
    await second.control.filesChanged();
    expect(second.network).toBe('one');
    await second.control.apply(alice);
    expect(second.network).toBe('two');
  });
});

test('one at a time; who waits too long is refused with the name of who is at it', async () => {
  edit('one');
  const egretd = await Instance.start();
  let done = (_: string | undefined): void => {};
  egretd.force = () =>
    new Promise((resolve) => {
      done = resolve;
    });
  edit('two');
  const first = egretd.control.apply(alice);
  await expect.poll(() => egretd.network).toBe('two');
  edit('three');
  const second = egretd.control.apply({ who: 'bob', message: '' });
  egretd.clock.pass(10_000);
  await expect(second).rejects.toThrow('alice (apply)');
  const third = egretd.control.apply({ who: 'bob', message: '' });
  done('the kernel refused it');
  expect(await first).toMatchObject({ kind: 'applied', trouble: 'the kernel refused it' });
  await expect.poll(() => egretd.network).toBe('three');
  done(undefined);
  expect(await third).toMatchObject({ kind: 'applied', version: 3, trouble: undefined });
  expect(egretd.network).toBe('three');
});

test('a version that this egretd does not read is passed over, and stays', async () => {
  edit('one');
  const first = await Instance.start();
  writeFileSync(configPath, 'apiVersion: projectcalico.org/v3\nkind: Unheard\n');
  const history = await first.control.kept.history();
  await history.add(
    { time: '', who: '', message: '', kind: 'applied', from: null, previous: 1, folder },
    readConfig(configPath).files,
    { ...history.record! },
  );
  const second = await Instance.start();
  expect(second.network).toBe('one');
  expect(second.errors.at(-1)?.[0]).toMatch('version 2 of the history cannot be used');
  expect((await second.control.kept.history()).record?.running).toBe(2);
  expect(await second.control.apply(alice)).toMatchObject({ kind: 'errors' });
});
