// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from 'vitest';
import { silentLog } from '../lib/log.ts';
import { parseIpv4 } from '../net/ipv4.ts';
import { plumbingRoutes } from './connected.ts';
import { guardTable } from './guard.ts';
import {
  connectedRoutes,
  type HostAddress,
  type HostLink,
  type HostSnapshot,
} from './host-snapshot.ts';
import { privateTableOf } from './identity.ts';
import { Plumbing } from './plumbing.ts';
import { formatIpRoute } from './route-format.ts';
import type { Rtnetlink } from './rtnetlink.ts';
import { rulesFor, setRules } from './rules.ts';

const ipv4 = (text: string): number => parseIpv4(text)!;

const link = (name: string, ifindex: number, isUp = true): [string, HostLink] => [
  name,
  {
    name,
    ifindex,
    isUp,
    hasCarrier: isUp,
    mac: '',
    permanentMac: '',
    mtu: 1500,
    isLoopback: false,
    hardwareType: 1,
    masterIfindex: 0,
    kind: '',
    downCount: 0,
    vrfDevice: undefined,
  },
];

const address = (name: string, text: string, more: Partial<HostAddress> = {}): HostAddress => {
  const [host, length] = text.split('/') as [string, string];
  return {
    interface: name,
    ifindex: 0,
    address: ipv4(host),
    peer: ipv4(host),
    prefixLength: Number(length),
    broadcast: undefined,
    isSecondary: false,
    hasNoPrefixRoute: false,
    ...more,
  };
};

const snapshot: HostSnapshot = {
  generation: 1,
  links: new Map([link('ens5', 5), link('ens6', 6), link('ens7', 7, false), link('ppp0', 8)]),
  addresses: [
    address('ens5', '172.16.1.1/24'),
    address('ens5', '172.16.1.2/24', { isSecondary: true }),
    address('ens5', '10.50.0.2/32'),
    address('ens6', '172.16.1.1/24'),
    address('ens6', '10.60.0.1/24', { hasNoPrefixRoute: true }),
    address('ens7', '10.70.0.1/24'),
    address('ppp0', '10.80.0.1/32', { peer: ipv4('10.80.0.9') }),
  ],
  mainRoutes: [
    {
      prefix: { address: ipv4('10.90.0.0'), length: 16 },
      protocol: 4,
      scope: 253,
      metric: 0,
      source: undefined,
      nextHops: [{ interface: 'ens5', address: 0 }],
    },
    {
      prefix: { address: ipv4('10.91.0.0'), length: 16 },
      protocol: 4,
      scope: 0,
      metric: 0,
      source: undefined,
      nextHops: [{ interface: 'ens5', address: ipv4('172.16.1.140') }],
    },
  ],
};

describe('connected routes', () => {
  const shown = (...interfaces: string[]): string[] =>
    connectedRoutes(snapshot, interfaces).map((route) =>
      formatIpRoute({
        ...route,
        protocol: 2,
        nextHops: [{ interface: route.interface, address: 0 }],
      }),
    );

  test('come from addresses of links that are up, and from routes without a gateway', () => {
    expect(shown('ens5')).toEqual([
      '10.90.0.0/16 dev ens5 proto kernel ',
      '172.16.1.0/24 dev ens5 proto kernel src 172.16.1.1 ',
    ]);
    expect(shown('ens6')).toEqual(['172.16.1.0/24 dev ens6 proto kernel src 172.16.1.1 ']);
    expect(shown('ens7')).toEqual([]);
    expect(shown('ppp0')).toEqual(['10.80.0.9 dev ppp0 proto kernel src 10.80.0.1 ']);
  });

  test('go into a private table, with a /32 to neighbors behind a gateway', () => {
    const reachable = [
      { neighbor: ipv4('192.0.2.1'), gateway: ipv4('172.16.1.140') },
      { neighbor: ipv4('192.0.2.2'), gateway: ipv4('1.1.1.1') },
    ];
    const routes = plumbingRoutes(snapshot, [
      { routeTableIndex: 500, interfaces: ['ens6'], reachable },
      { routeTableIndex: undefined, interfaces: ['ens5'], reachable: reachable.slice(0, 1) },
    ]);
    expect(
      routes.map(({ table, prefixLength, nextHops }) => [table, prefixLength, nextHops]),
    ).toEqual([
      [privateTableOf(500), 24, [{ ifindex: 6, address: 0, weight: 1 }]],
      [privateTableOf(500), 32, [{ ifindex: 6, address: ipv4('172.16.1.140'), weight: 1 }]],
      [254, 32, [{ ifindex: 5, address: ipv4('172.16.1.140'), weight: 1 }]],
    ]);
  });
});

test('of an interface in a VRF the private table holds its addresses, before what has them as source', () => {
  const [name, ens6] = link('ens6', 6);
  const links = new Map([...snapshot.links, [name, { ...ens6, vrfDevice: 'red' }] as const]);
  const routes = plumbingRoutes({ ...snapshot, links }, [
    { routeTableIndex: 500, interfaces: ['ens6'], reachable: [] },
  ]);
  const local = (text: string) => [2, ipv4(text), 32, 254, ipv4(text)];
  expect(
    routes.map((row) => [row.type, row.prefix, row.prefixLength, row.scope, row.source]),
  ).toEqual([
    local('172.16.1.1'),
    local('10.60.0.1'),
    [1, ipv4('172.16.1.0'), 24, 253, ipv4('172.16.1.1')],
  ]);
});

test('rules: the private table, then the network’s', () => {
  expect(rulesFor(102, [500, 501]).map(({ mark, table }) => [mark, table])).toEqual([
    [500, privateTableOf(500)],
    [500, 500],
    [501, privateTableOf(501)],
    [501, 501],
  ]);
  expect(privateTableOf(0x7fff_ffff)).toBeLessThan(2 ** 32);
});

test('rules: of a change that is refused halfway it is known which tables are to be emptied', async () => {
  const rtnetlink = {
    dump: async () => rulesFor(102, [500]),
    requestAll: async (bodies: readonly unknown[]) => bodies.map(() => ({ errno: 105 })),
  } as unknown as Rtnetlink;
  const previous = new Set<number>();
  const wanted = rulesFor(102, [501]);
  await expect(setRules(rtnetlink, wanted, previous)).rejects.toThrow(/routing rule/);
  // The network's own table is the mirror's, and may hold a million routes.
  expect([...previous]).toEqual([privateTableOf(500)]);
});

test('the guard is named after its run directory', () => {
  expect(guardTable('/run/egret/')).toBe(guardTable('/run/egret'));
  expect(guardTable('/run/egret')).not.toBe(guardTable('/run/egret2'));
  expect(guardTable('/run/egret')).toMatch(/^egret_[0-9a-f]{12}$/);
});

test('neighbors that could not be read are made managed the next time, and then left alone', async () => {
  let dumps = 0;
  const asked: number[] = [];
  const rtnetlink = {
    dump: async () => {
      dumps += 1;
      if (dumps === 1) throw new Error('no answer came');
      return [];
    },
    requestAll: async (bodies: readonly unknown[]) => {
      asked.push(bodies.length);
      return bodies.map(() => ({ errno: 0, reason: undefined }));
    },
  } as unknown as Rtnetlink;
  const plumbing = new Plumbing(rtnetlink, '/run/egret', {}, silentLog);
  const wanted = [{ interface: 'ens5', address: ipv4('172.16.1.140') }];
  await expect(plumbing.keepResolved(wanted, snapshot)).rejects.toThrow('no answer came');
  for (let i = 0; i < 2; i += 1) await plumbing.keepResolved(wanted, snapshot);
  expect(asked).toEqual([0, 1]);
});

test('routes as iproute2 prints them', () => {
  const nextHops = [{ interface: 'ens5', address: ipv4('172.16.1.140') }];
  const prefix = { address: ipv4('192.0.2.0'), length: 24 };
  const seed = '192.0.2.0/24 via 172.16.1.140 dev ens5 proto bird ';
  expect(formatIpRoute({ prefix, nextHops, protocol: 12 })).toBe(seed);
  expect(formatIpRoute({ prefix: { address: 0, length: 0 }, nextHops: [], protocol: 99 })).toBe(
    'default proto openr ',
  );
});
