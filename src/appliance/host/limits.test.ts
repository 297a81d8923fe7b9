// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { arenaBytes, type Limits } from '../../dataplane/arena.ts';
import { openArena } from '../../dataplane/open-arena.ts';
import { silentLog } from '../../lib/log.ts';
import type { Model } from '../../model/model.ts';
import { fits, limitsFor, restartReasons, takeRoom } from './limits.ts';

const folder = mkdtempSync(join(tmpdir(), 'egret-limits-'));
afterAll(() => rmSync(folder, { recursive: true }));

const plenty = 2 ** 40;

const model = (networkCount: number, firstTable = 500, clientCount = 1): Model =>
  ({
    networks: Array.from({ length: networkCount }, (_, i) => ({ routeTableIndex: firstTable + i })),
    gateways: [{ namespace: 'default', name: 'g', replicas: 3 }],
    policies: [{ rules: [{ action: { kind: 'gateway', gateways: ['default/g'] } }] }],
    clients: Array.from({ length: clientCount }, () => ({
      prefixes: [{ address: 1, length: 32 }],
    })),
    appliance: { limits: { sessions: 4, routes: 4 } },
  }) as unknown as Model;

test('an arena fits its Model, and one that has grown somewhat', () => {
  for (const count of [0, 2, 45, 255])
    expect(fits(model(count), limitsFor(model(count), plenty))).toBe(true);
  expect(fits(model(15), limitsFor(model(2), plenty))).toBe(true);
  expect(fits(model(45), limitsFor(model(2), plenty))).toBe(false);
  expect(fits(model(2, 500, 10_000), limitsFor(model(2), plenty))).toBe(true);
  expect(fits(model(2, 500, 100_000), limitsFor(model(2), plenty))).toBe(false);
  expect(fits(model(2), { ...limitsFor(model(2), plenty), rule_addresses: 2 })).toBe(false);
});

test('what does not fit a living arena is refused; at a start, one with room takes its place', async () => {
  const limits: Limits = { ...limitsFor(model(2), plenty), networks: 4 };
  const open = (wanted: Model, made: Limits) =>
    openArena({
      linkPath: join(folder, 'link'),
      sharedPath: join(folder, 'arena'),
      limits: made,
      isEnough: (found) => fits(wanted, found),
      stopForwarder: async () => {},
      log: silentLog,
    });
  const small = await open(model(2), limits);
  takeRoom(model(3), small);
  const tooSmall = expect.objectContaining({ code: 'ARENA_TOO_SMALL' });
  expect(() => takeRoom(model(4), small)).toThrow(tooSmall);
  // Slots of removed networks stay taken.
  expect(() => takeRoom(model(1, 900), small)).toThrow(tooSmall);
  small.close();
  const same = await open(model(3), limitsFor(model(45), plenty));
  expect(same.limits.networks).toBe(4);
  same.close();
  const larger = await open(model(45), limitsFor(model(45), plenty));
  takeRoom(model(45), larger);
  larger.close();
});

test('an arena for which there is no memory is an operating error with its size', async () => {
  const limits = limitsFor(model(2), plenty);
  const path = join(folder, 'missing', 'arena');
  const opened = openArena({
    linkPath: join(folder, 'none'),
    sharedPath: path,
    limits,
    isEnough: () => true,
    stopForwarder: async () => {},
    log: silentLog,
  });
  await expect(opened).rejects.toThrow(
    expect.objectContaining({
      code: 'ARENA_NOT_MADE',
      message: expect.stringMatching(/arena of \d+ bytes .* no such file or directory/),
    }),
  );
});

test('says what needs a restart; routes.mirror and config.watch do not', () => {
  const appliance = {
    limits: { sessions: 4, routes: 4 },
    mirror: { isOn: true, protocol: 186 },
    isWatchingConfig: false,
  };
  const becomes = (change: object): string[] =>
    restartReasons(
      { networks: [], appliance } as unknown as Model,
      { networks: [], appliance: { ...appliance, ...change } } as unknown as Model,
    );
  expect(becomes({ logLevel: 'debug' })).toEqual([]);
  expect(becomes({ mirror: { isOn: false, protocol: 186 } })).toEqual([]);
  expect(becomes({ mirror: { isOn: true, protocol: 12 } })).toEqual(['routes.protocol']);
  expect(becomes({ limits: { sessions: 8, routes: 4 } })).toEqual(['limits']);
  expect(becomes({ isWatchingConfig: true })).toEqual([]);
});

describe('room that the Appliance does not name', () => {
  const unnamed = (limits: object): Model => {
    const { appliance, ...rest } = model(2);
    return { ...rest, appliance: { ...appliance, limits } } as unknown as Model;
  };
  const whole = limitsFor(unnamed({}), plenty);

  test('is what it always was on a box with memory for it', () => {
    expect(whole).toMatchObject({ sessions: 1_000_000, plies: 125_000 });
    expect(limitsFor(unnamed({}), 4 * arenaBytes(whole))).toEqual(whole);
  });

  test.each([1024, 512, 256, 128])('takes a quarter of %i MiB of shared memory', (mebibytes) => {
    const limits = limitsFor(unnamed({}), mebibytes << 20);
    const share = arenaBytes(limits) / (mebibytes << 20);
    expect(share).toBeLessThanOrEqual(1 / 4);
    expect(share).toBeGreaterThan(1 / 5);
    expect(limits.sessions).toBeLessThan(whole.sessions);
  });

  test("fits into a container's 64 MiB", () => {
    const limits = limitsFor(unnamed({}), 64 << 20);
    expect(arenaBytes(limits)).toBeLessThan(32 << 20);
    expect(limits.sessions).toBeGreaterThanOrEqual(4096);
  });

  test('is reserved as it says where it is named', () => {
    const limits = limitsFor(unnamed({ sessions: 3_000_000 }), 64 << 20);
    expect(limits.sessions).toBe(3_000_000);
    expect(limitsFor(unnamed({ sessions: 1, routes: 4_000_000 }), 1)).toMatchObject({
      sessions: 1,
      plies: 250_000,
    });
  });
});
