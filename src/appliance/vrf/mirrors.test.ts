// SPDX-License-Identifier: Apache-2.0
import { setImmediate } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { ManualClock } from '../../../test/support/manual-clock.ts';
import type { HostState } from '../../kernel/host.ts';
import type { Mirror } from '../../kernel/mirror.ts';
import type { Foreign } from '../../kernel/mirror-read.ts';
import { silentLog } from '../../lib/log.ts';
import type { Model } from '../../model/model.ts';
import { emptyState } from '../restart/run-dir.ts';
import { Mirrors } from './mirrors.ts';
import type { Vrfs } from './vrfs.ts';

const modelOf = (networks: Readonly<Record<string, number>>): Model =>
  ({
    appliance: { mirror: { isOn: true } },
    networks: Object.entries(networks).map(([name, routeTableIndex]) => ({
      name,
      routeTableIndex,
    })),
  }) as unknown as Model;

/** Mirrors over a kernel that records its requests. */
function bench() {
  const calls: string[] = [];
  let emptied = (): void => {};
  /** Tables with routes of others. */
  const foreign = new Map<number, Foreign>();
  const clock = new ManualClock();
  let notify: Parameters<HostState['onOtherRoute']>[0] = () => {};
  const host: Pick<HostState, 'onOtherRoute'> = {
    onOtherRoute: (listener) => {
      notify = listener;
    },
  };
  const mirror = {
    open: async (table: number) => {
      calls.push(`open ${table}`);
      return foreign.get(table);
    },
    readForeign: async (table: number) => {
      calls.push(`read ${table}`);
      return foreign.get(table);
    },
    wake: () => {},
    reconcile: async (table: number) => void calls.push(`reconcile ${table}`),
    status: () => undefined,
    remove: (table: number) => {
      calls.push(`remove ${table}`);
      return new Promise<void>((resolve) => {
        emptied = resolve;
      });
    },
  } as unknown as Mirror;
  const vrfs = new Map<string, unknown>();
  const get = (name: string) => {
    const vrf = vrfs.get(name) ?? { rib: { openConsumer: () => ({ close: () => {} }) } };
    vrfs.set(name, vrf);
    return vrf;
  };
  const asked: true[] = [];
  const rest = { protocol: 186, log: silentLog, state: emptyState, remember: () => {} };
  const foreignChanged = () => void asked.push(true);
  const mirrors = new Mirrors({ mirror, host, clock, foreignChanged, ...rest });
  return {
    mirrors,
    follow: async (model: Model) => {
      await mirrors.open(model);
      await mirrors.follow(model, { get } as unknown as Vrfs);
    },
    foreign,
    clock,
    notify: (table: number, protocol: number) => notify(table, protocol),
    asked: () => asked.length,
    calls,
    empty: () => emptied(),
  };
}

test('a table is ours until it is empty', async () => {
  const { mirrors, follow, calls, empty } = bench();
  await follow(modelOf({ red: 500, blue: 501 }));
  const following = follow(modelOf({ red: 500 }));
  await setImmediate();
  expect(calls).toEqual(['open 500', 'open 501', 'remove 501']);
  expect(mirrors.tables).toEqual([500, 501]);
  empty();
  await following;
  expect(mirrors.tables).toEqual([500]);
});

test('a table that another network takes over is reconciled', async () => {
  const { follow, calls } = bench();
  await follow(modelOf({ red: 500, blue: 501 }));
  await follow(modelOf({ red: 500, green: 501 }));
  await follow(modelOf({ red: 500, green: 501 }));
  expect(calls).toEqual(['open 500', 'open 501', 'reconcile 501']);
});

describe('a table with routes of others', () => {
  const red = modelOf({ red: 500, blue: 501 });
  const other: Foreign = { count: 3, text: 'table 500 holds routes that are not ours', more: 'x' };

  test('is not opened, and is read again until they are removed', async () => {
    const { mirrors, follow, foreign, clock, asked, calls } = bench();
    foreign.set(500, other);
    await follow(red);
    expect(calls).toEqual(['open 500', 'open 501']);
    expect([...mirrors.foreign]).toEqual([[500, other]]);
    expect(mirrors.tables).toEqual([501]);
    clock.pass(2_003);
    expect(asked()).toBe(1);
    foreign.delete(500);
    await follow(red);
    expect(calls).toEqual(['open 500', 'open 501', 'open 500']);
    expect([...mirrors.foreign]).toEqual([]);
    expect(mirrors.tables.sort()).toEqual([500, 501]);
    clock.pass(100_000);
    expect(asked()).toBe(1);
  });

  test('is found when they come later, and is mirrored meanwhile', async () => {
    const { mirrors, follow, foreign, clock, notify, asked, calls } = bench();
    await follow(red);
    notify(500, 2);
    notify(777, 4);
    clock.pass(1_000);
    expect(asked()).toBe(0);
    foreign.set(500, other);
    for (let route = 0; route < 100; route += 1) {
      notify(500, 4);
      clock.pass(10);
    }
    expect(asked()).toBeGreaterThan(1);
    await follow(red);
    expect(calls).toEqual(['open 500', 'open 501', 'read 500']);
    expect(mirrors.foreign.get(500)).toEqual(other);
    expect(mirrors.tables).toEqual([500, 501]);
  });

  test('is forgotten with its network', async () => {
    const { mirrors, follow, foreign } = bench();
    foreign.set(500, other);
    await follow(red);
    await follow(modelOf({ blue: 501 }));
    expect([...mirrors.foreign]).toEqual([]);
  });
});
