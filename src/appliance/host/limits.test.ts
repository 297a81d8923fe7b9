import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { ArenaDataPlane, type Limits } from '../../dataplane/arena.ts';
import type { Model } from '../../model/model.ts';
import { fits, limitsFor, needsRestart, takeRoom } from './limits.ts';

const folder = mkdtempSync(join(tmpdir(), 'egret-limits-'));
afterAll(() => rmSync(folder, { recursive: true }));

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
    expect(fits(model(count), limitsFor(model(count)))).toBe(true);
  expect(fits(model(15), limitsFor(model(2)))).toBe(true);
  expect(fits(model(45), limitsFor(model(2)))).toBe(false);
  expect(fits(model(2, 500, 10_000), limitsFor(model(2)))).toBe(true);
  expect(fits(model(2, 500, 100_000), limitsFor(model(2)))).toBe(false);
  expect(fits(model(2), { ...limitsFor(model(2)), rule_addresses: 2 })).toBe(false);
});

test('what does not fit a living arena is refused; at a start, a new arena takes its place', () => {
  const limits: Limits = { ...limitsFor(model(2)), networks: 4 };
  const open = (wanted: Model, made: Limits) =>
    ArenaDataPlane.open(join(folder, 'link'), join(folder, 'arena'), made, (found) =>
      fits(wanted, found),
    );
  const small = open(model(2), limits);
  takeRoom(model(3), small);
  const tooSmall = expect.objectContaining({ code: 'ARENA_TOO_SMALL' });
  expect(() => takeRoom(model(4), small)).toThrow(tooSmall);
  // Slots of removed networks stay taken.
  expect(() => takeRoom(model(1, 900), small)).toThrow(tooSmall);
  small.close();
  const same = open(model(3), limitsFor(model(45)));
  expect(same.limits.networks).toBe(4);
  same.close();
  const larger = open(model(45), limitsFor(model(45)));
  takeRoom(model(45), larger);
  larger.close();
});

test('an arena for which there is no memory is an operating error with its size', () => {
  const limits = limitsFor(model(2));
  const path = join(folder, 'missing', 'arena');
  expect(() => ArenaDataPlane.open(join(folder, 'none'), path, limits, () => true)).toThrow(
    expect.objectContaining({
      code: 'ARENA_NOT_MADE',
      message: expect.stringMatching(/arena of \d+ bytes .* no such file or directory/),
    }),
  );
});

test('what is fixed for a life is known; routes.mirror is not', () => {
  const appliance = {
    limits: { sessions: 4, routes: 4 },
    mirror: { isOn: true, protocol: 186 },
    isWatchingConfig: false,
  };
  const becomes = (change: object): boolean =>
    needsRestart(
      { appliance } as unknown as Model,
      { appliance: { ...appliance, ...change } } as unknown as Model,
    );
  expect(becomes({ logLevel: 'debug' })).toBe(false);
  expect(becomes({ mirror: { isOn: false, protocol: 186 } })).toBe(false);
  expect(becomes({ mirror: { isOn: true, protocol: 12 } })).toBe(true);
  expect(becomes({ limits: { sessions: 8, routes: 4 } })).toBe(true);
  expect(becomes({ isWatchingConfig: true })).toBe(true);
});
