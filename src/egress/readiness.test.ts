// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import type { Gateway } from '../model/model.ts';
import { gatewayReadiness, type NetworkFacts, networkReadiness } from './readiness.ts';

const up = { name: 'ens5', isUp: true };
const neighbor = { address: '172.16.1.140', isSynchronized: false, isStale: false };
const facts = (more: Partial<NetworkFacts>): NetworkFacts => ({
  interfaces: [up],
  neighbors: [],
  staticRoutesResolved: 0,
  routesRefused: 0,
  hostFaults: '',
  isHindered: false,
  ...more,
});

test.each([
  ['no interface', facts({ interfaces: [] }), false, 'no interface leads to it'],
  [
    'its interface is down',
    facts({ interfaces: [{ name: 'ens5', isUp: false }], staticRoutesResolved: 1 }),
    false,
    'interface ens5 is down',
  ],
  [
    'a neighbor that is not up',
    facts({ neighbors: [{ ...neighbor, state: 'Active' }] }),
    false,
    'neighbor 172.16.1.140 is Active',
  ],
  [
    'a neighbor without End-of-RIB',
    facts({ neighbors: [{ ...neighbor, state: 'Established' }] }),
    false,
    'neighbor 172.16.1.140 has not sent all its routes yet',
  ],
  [
    'a neighbor that has sent everything',
    facts({ neighbors: [{ ...neighbor, state: 'Established', isSynchronized: true }] }),
    true,
    'neighbor 172.16.1.140 is Established',
  ],
  [
    'a neighbor that restarts',
    facts({ neighbors: [{ ...neighbor, state: 'Active', isStale: true }] }),
    true,
    'neighbor 172.16.1.140 restarts, its routes are kept',
  ],
  [
    'routes without room',
    facts({ staticRoutesResolved: 2, routesRefused: 3 }),
    false,
    'degraded: 3 route(s) of it do not fit (limits.routes)',
  ],
  ['a static route', facts({ staticRoutesResolved: 2 }), true, '2 static route(s) resolve'],
])('a network with %s', (_, given, isReady, reason) => {
  expect(networkReadiness(given)).toEqual({ isReady, reason });
});

const gateway = (networks: string[], replicas = 1) =>
  ({ networks, replicas }) as unknown as Gateway;
const networks = new Map([
  ['red', { isReady: true, reason: 'r' }],
  ['blue', { isReady: false, reason: 'no route' }],
]);

test('a gateway is ready with one of its networks', () => {
  expect(gatewayReadiness(gateway(['blue', 'red']), 1, networks, undefined).isReady).toBe(true);
  expect(gatewayReadiness(gateway(['blue']), 1, networks, undefined)).toEqual({
    isReady: false,
    reason: 'network blue: no route',
  });
});

test('without networks it uses the main table; without an address it is not ready', () => {
  expect(gatewayReadiness(gateway([]), 1, networks, undefined).isReady).toBe(true);
  expect(gatewayReadiness(gateway([]), 0, networks, undefined).isReady).toBe(false);
  expect(gatewayReadiness(gateway([], 0), 0, networks, undefined).reason).toBe(
    'it has no replicas',
  );
});

test('probes have the last word', () => {
  const probes = { isReady: false, reason: 'no ICMP target answers' };
  expect(gatewayReadiness(gateway(['red']), 1, networks, probes)).toEqual(probes);
});
