// SPDX-License-Identifier: Apache-2.0
import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { Mirror } from '../../kernel/mirror.ts';
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
  const mirror = {
    open: async (table: number) => void calls.push(`open ${table}`),
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
  const rest = { protocol: 186, log: silentLog, state: emptyState, remember: () => {} };
  return {
    mirrors: new Mirrors({ mirror, ...rest }),
    calls,
    vrfs: { get } as unknown as Vrfs,
    empty: () => emptied(),
  };
}

test('a table is ours until it is empty', async () => {
  const { mirrors, calls, vrfs, empty } = bench();
  await mirrors.follow(modelOf({ red: 500, blue: 501 }), vrfs);
  const following = mirrors.follow(modelOf({ red: 500 }), vrfs);
  await setImmediate();
  expect(calls).toEqual(['open 500', 'open 501', 'remove 501']);
  expect(mirrors.tables).toEqual([500, 501]);
  empty();
  await following;
  expect(mirrors.tables).toEqual([500]);
});

test('a table that another network takes over is reconciled', async () => {
  const { mirrors, calls, vrfs } = bench();
  await mirrors.follow(modelOf({ red: 500, blue: 501 }), vrfs);
  await mirrors.follow(modelOf({ red: 500, green: 501 }), vrfs);
  await mirrors.follow(modelOf({ red: 500, green: 501 }), vrfs);
  expect(calls).toEqual(['open 500', 'open 501', 'reconcile 501']);
});
