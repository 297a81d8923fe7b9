// SPDX-License-Identifier: Apache-2.0
/** What the data plane decides by random plans, and what PlanDecider says that it would. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { openArena } from '../dataplane/open-arena.ts';
import { silentLog } from '../lib/log.ts';
import { seededRandom } from '../lib/random.ts';
import { maskOf } from '../net/ipv4.ts';
import { PlanDecider } from './decide.ts';
import type { EgressPlan } from './plan.ts';

const folder = mkdtempSync(join(tmpdir(), 'egret-decide-'));
afterAll(() => rmSync(folder, { recursive: true }));

const nat: EgressPlan['nat'] = {
  ...{ udpTimeoutMs: 1, tcpEstablishedTimeoutMs: 1, tcpTransitoryTimeoutMs: 1, icmpTimeoutMs: 1 },
  ...{ portQuarantineMs: 0, clientSessionsMax: 1, icmpErrorsPerSecond: 1 },
  ...{ filtering: 'AddressAndPortDependent', mapping: 'EndpointIndependent' },
};
const seed = 20261128;
const random = seededRandom(seed);
const below = (limit: number): number => Math.floor(random.next() * limit);
const client = (): number => 0x0a000000 + below(64);
const destination = (): number => 0xc0000000 + below(64);
const prefixOf = (address: number, length: number) => ({
  address: (address & maskOf(length)) >>> 0,
  length,
});

function randomPlan(): EgressPlan {
  const addresses = Array.from({ length: 1 + below(12) }, (_, i) => ({
    address: 0xac100000 + i * 7 + below(7),
    isReady: below(4) > 0,
    networks: [500],
  }));
  const rule = () => ({
    destination: prefixOf(destination(), [32, 28, 26, 0][below(4)]!),
    action: below(5) > 0 ? ('gateway' as const) : ('main' as const),
    addresses: addresses.map((_, i) => i).filter(() => below(3) > 0),
    maxNextHops: below(4),
  });
  const policies = Array.from({ length: 3 }, () => ({
    rules: Array.from({ length: 1 + below(4) }, rule).sort(
      (a, b) => b.destination.length - a.destination.length,
    ),
  }));
  const prefixes = new Map(
    Array.from({ length: 8 }, () => prefixOf(client(), [32, 30, 27][below(3)]!)).map((prefix) => [
      `${prefix.address}/${prefix.length}`,
      prefix,
    ]),
  );
  const clients = [...prefixes.values()].map((prefix, identity) => ({
    prefix,
    policy: below(6) > 0 ? below(policies.length) : undefined,
    identity: below(6) > 0 ? identity : undefined,
  }));
  return { ports: [], localAddresses: [], addresses, policies, clients, nat };
}

test('it decides as the data plane does', async () => {
  const limits = { sessions: 16, bindings: 16, networks: 4, plies: 64, groups: 16, neighbors: 16 };
  const dataPlane = await openArena({
    linkPath: join(folder, 'link'),
    sharedPath: join(folder, 'shared'),
    limits: { ...limits, clients: 64, rules: 64, rule_addresses: 512 },
    isEnough: () => true,
    stopForwarder: async () => {},
    log: silentLog,
  });
  dataPlane.networkSlot(500);
  let found = 0;
  for (let round = 0; round < 200; round += 1) {
    const plan = randomPlan();
    expect(dataPlane.publishPlan(plan)).toBeDefined();
    const decider = new PlanDecider(plan);
    for (let i = 0; i < 50; i += 1) {
      const [source, to] = [client(), destination()];
      const expected = dataPlane.why(source, to).outsideAddress;
      expect(decider.addressFor(source, to), `seed ${seed}, round ${round}`).toBe(expected);
      if (expected !== undefined) found += 1;
    }
    dataPlane.releaseAddresses(new Set());
  }
  expect(found).toBeGreaterThan(500);
  dataPlane.close();
});

test('a session ends for what the plan says, and waits for an address that is not ready', () => {
  const gateway = { action: 'gateway' as const, maxNextHops: 0 };
  const base: EgressPlan = {
    ...{ ports: [], localAddresses: [], nat },
    addresses: [
      { address: 1, isReady: true, networks: [500] },
      { address: 2, isReady: false, networks: [500] },
    ],
    policies: [{ rules: [{ destination: prefixOf(0xc0000000, 8), addresses: [0], ...gateway }] }],
    clients: [{ prefix: prefixOf(0x0a000001, 32), policy: 0, identity: 0 }],
  };
  const session = { inside: 0x0a000001, outside: 1, remote: 0xc0000001, table: 500 };
  const endOf = (plan: Partial<EgressPlan>, more: Partial<typeof session> = {}) =>
    new PlanDecider({ ...base, ...plan }).endOf({ ...session, ...more });
  expect(endOf({})).toBeUndefined();
  expect(endOf({ clients: [] })).toBe('its client is none any more');
  expect(endOf({}, { remote: 1 })).toBe('its policy has no rule for it');
  expect(endOf({}, { outside: 9 })).toBe('its gateway or address is another');
  expect(endOf({}, { outside: 2 })).toBe('its gateway or address is another');
  expect(endOf({}, { table: 501 })).toBe('its gateway leaves its network');
  const rules = [{ destination: prefixOf(0xc0000000, 8), addresses: [1], ...gateway }];
  expect(endOf({ policies: [{ rules }] }, { outside: 2 })).toBeUndefined();
});
