// SPDX-License-Identifier: Apache-2.0
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Gateway, Model } from '../model/model.ts';
import { formatIpv4, parseIpv4, parseIpv4Prefix } from '../net/ipv4.ts';
import { assignAddresses, reservedAddresses } from './addresses.ts';

function gateway(name: string, replicas: number, ...cidrs: string[]): Gateway {
  return {
    namespace: 'default',
    name,
    replicas,
    pools: cidrs.map((cidr) => ({ name: undefined, prefix: parseIpv4Prefix(cidr)! })),
    networks: [],
    labels: new Map(),
    logSeverity: 'Info',
    terminationGracePeriodMs: 0,
    failureDetection: undefined,
  };
}

const text = (assignment: ReadonlyMap<string, readonly number[]>, name: string) =>
  assignment.get(`default/${name}`)?.map(formatIpv4);

test('the first address of a pool counts: 10.50.0.2/31 gives 10.50.0.2', () => {
  const result = assignAddresses([gateway('red', 1, '10.50.0.2/31')], new Map());
  expect(text(result, 'red')).toEqual(['10.50.0.2']);
});

test('a gateway takes as many addresses as it has replicas, out of its pools in order', () => {
  const result = assignAddresses([gateway('red', 3, '10.50.0.2/31', '10.60.0.0/32')], new Map());
  expect(text(result, 'red')).toEqual(['10.50.0.2', '10.50.0.3', '10.60.0.0']);
});

test('gateways share a pool in order of their names', () => {
  const pool = '10.50.0.0/30';
  const result = assignAddresses([gateway('b', 1, pool), gateway('a', 2, pool)], new Map());
  expect(text(result, 'a')).toEqual(['10.50.0.0', '10.50.0.1']);
  expect(text(result, 'b')).toEqual(['10.50.0.2']);
});

test('a new gateway never moves the address of another', () => {
  const pool = '10.50.0.0/30';
  const before = assignAddresses([gateway('b', 1, pool)], new Map());
  const after = assignAddresses([gateway('a', 1, pool), gateway('b', 1, pool)], before);
  expect(text(after, 'b')).toEqual(['10.50.0.0']);
  expect(text(after, 'a')).toEqual(['10.50.0.1']);
});

test('an address outside a changed pool is given up, a smaller gateway keeps its first', () => {
  const before = assignAddresses([gateway('a', 2, '10.50.0.0/31')], new Map());
  expect(text(assignAddresses([gateway('a', 1, '10.50.0.0/31')], before), 'a')).toEqual([
    '10.50.0.0',
  ]);
  expect(text(assignAddresses([gateway('a', 2, '10.50.0.1/32')], before), 'a')).toEqual([
    '10.50.0.1',
  ]);
});

test('a reserved address is passed over, also when the gateway had it', () => {
  const before = assignAddresses([gateway('a', 1, '10.50.0.0/31')], new Map());
  expect(text(before, 'a')).toEqual(['10.50.0.0']);
  const isTaken = (_: Gateway, address: number) => address === parseIpv4('10.50.0.0');
  const after = assignAddresses([gateway('a', 1, '10.50.0.0/31')], before, isTaken);
  expect(text(after, 'a')).toEqual(['10.50.0.1']);
});

test("the box, clients and neighbors of the gateway's networks keep their addresses", () => {
  const model = {
    neighbors: [
      { network: 'red', address: 1 },
      { network: undefined, address: 4 },
    ],
    clients: [
      {
        prefixes: [
          { address: 2, length: 32 },
          { address: 0, length: 8 },
        ],
      },
    ],
  } as unknown as Model;
  const isReserved = reservedAddresses(model, [3]);
  const reserved = (...networks: string[]) =>
    [1, 2, 3, 4, 5].filter((address) =>
      isReserved({ ...gateway('a', 1, '0.0.0.0/29'), networks }, address),
    );
  expect(reserved('red')).toEqual([1, 2, 3]);
  expect(reserved('blue')).toEqual([2, 3]);
  expect(reserved()).toEqual([2, 3, 4]);
});

test('no address is given twice, whatever came before', () => {
  const gateways = fc.array(
    fc.tuple(fc.integer({ min: 0, max: 4 }), fc.integer({ min: 0, max: 3 })),
    {
      maxLength: 6,
    },
  );
  fc.assert(
    fc.property(gateways, gateways, (first, second) => {
      const make = (rows: [number, number][]) =>
        rows.map(([replicas, at], i) => gateway(`g${i}`, replicas, `10.0.${at}.0/30`));
      const result = assignAddresses(make(second), assignAddresses(make(first), new Map()));
      const all = [...result.values()].flat();
      expect(new Set(all).size).toBe(all.length);
    }),
  );
});
