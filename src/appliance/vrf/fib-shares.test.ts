// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import type { Network } from '../../model/model.ts';
import { fibShares, pliesForAny } from './fib-shares.ts';

const networks = (...reserved: (number | undefined)[]): Network[] =>
  reserved.map((routesReserved, i) => ({
    name: `n${i}`,
    routeTableIndex: 500 + i,
    interfaces: [],
    vrfDevice: undefined,
    staticRoutes: [],
    routesReserved,
  }));

test('half of the plies is shared equally, by the main table too', () => {
  const shares = fibShares(
    { networks: networks(undefined, undefined, undefined) },
    { plies: 8000 },
  );
  expect([...shares]).toEqual([
    [undefined, 1000],
    [500, 1000],
    [501, 1000],
    [502, 1000],
  ]);
});

test('a network that asks for routes has plies for any of them', () => {
  expect(pliesForAny(100_000)).toBe(165_536);
  const shares = fibShares({ networks: networks(1000, undefined) }, { plies: 10_000 });
  expect(shares.get(500)).toBe(2000);
  expect(shares.get(501)).toBe(2000);
  expect(shares.get(undefined)).toBe(2000);
});

test('what is asked for beyond the arena is scaled down', () => {
  const shares = fibShares({ networks: networks(1000, 3000, undefined) }, { plies: 4000 });
  expect([...shares.values()]).toEqual([0, 1000, 3000, 0]);
});
