// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from 'vitest';
import type { HostSnapshot } from '../../kernel/host-snapshot.ts';
import type { Model } from '../../model/model.ts';
import { formatIpv4, formatIpv4Prefix, parseIpv4, parseIpv4Prefix } from '../../net/ipv4.ts';
import {
  hostLinks,
  mainRoutes,
  neighborsToKeep,
  networkRoutes,
  plumbingWanted,
  portsOf,
} from './host-view.ts';

const ip = (text: string): number => parseIpv4(text)!;
const names = ['lo', 'eth0', 'ens5'];

const snapshot = {
  generation: 1,
  links: new Map(
    names.map((name, i) => [
      name,
      {
        name,
        ifindex: i + 1,
        mac: '',
        mtu: 1500,
        isUp: true,
        hasCarrier: true,
        isLoopback: i === 0,
        hardwareType: 1,
      },
    ]),
  ),
  addresses: [
    {
      interface: 'eth0',
      ifindex: 2,
      address: ip('10.1.0.1'),
      prefixLength: 24,
      peer: ip('10.1.0.1'),
    },
    {
      interface: 'ens5',
      ifindex: 3,
      address: ip('172.16.1.1'),
      prefixLength: 24,
      peer: ip('172.16.1.1'),
    },
  ],
  mainRoutes: [
    {
      prefix: parseIpv4Prefix('10.9.0.0/16'),
      nextHops: [{ interface: 'eth0', address: ip('10.1.0.254') }],
    },
    {
      prefix: parseIpv4Prefix('0.0.0.0/0'),
      nextHops: [{ interface: 'ens5', address: ip('172.16.1.254') }],
    },
  ],
} as unknown as HostSnapshot;

const model = {
  features: { externalNetworkRulePriority: 102 },
  networks: [{ name: 'red', routeTableIndex: 500, staticRoutes: [] }],
  neighbors: [{ network: 'red', address: ip('172.16.1.140') }],
  clients: [
    { policy: 'p', prefixes: [{ address: ip('10.1.0.2'), length: 32 }] },
    { policy: undefined, prefixes: [{ address: ip('10.1.0.3'), length: 32 }] },
    { policy: 'p', prefixes: [{ address: ip('10.9.0.0'), length: 16 }] },
  ],
  appliance: { staticRoutes: [] },
} as unknown as Model;

test('links are worked out once for a snapshot', () => {
  const links = hostLinks(snapshot);
  expect(links.map(({ name }) => name)).toEqual(names);
  expect(hostLinks(snapshot)).toBe(links);
  expect(hostLinks({ ...snapshot })).not.toBe(links);
});

test('a network reaches nothing by a link without a carrier', () => {
  const [red] = model.networks;
  const down = { ...snapshot.links.get('ens5')!, hasCarrier: false };
  const cut = { ...snapshot, links: new Map([...snapshot.links, ['ens5', down]]) };
  expect(networkRoutes(model, red!, ['ens5'], snapshot)).toHaveLength(1);
  expect(networkRoutes(model, red!, ['ens5'], cut)).toEqual([]);
});

test("the main table keeps routes by a network's interface: nothing less specific may catch them", () => {
  const routes = mainRoutes(model, snapshot);
  const text = routes.map((row) => `${formatIpv4Prefix(row.prefix)} ${row.interface}`);
  expect(text).toEqual([
    '10.1.0.0/24 eth0',
    '172.16.1.0/24 ens5',
    '10.9.0.0/16 eth0',
    '0.0.0.0/0 ens5',
  ]);
});

test('a client that has a route of its own to an interface makes that a port, not the default route', () => {
  const host = {
    ...snapshot,
    mainRoutes: [
      ...snapshot.mainRoutes,
      { prefix: parseIpv4Prefix('10.244.0.5/32'), nextHops: [{ interface: 'pod5', address: 0 }] },
    ],
  } as unknown as HostSnapshot;
  const one = {
    ...model,
    networks: [],
    neighbors: [],
    clients: [{ name: 'pod', prefixes: [{ address: ip('10.244.0.5'), length: 32 }] }],
    appliance: { staticRoutes: [], interfaces: [] },
  } as unknown as Model;
  expect(portsOf(one, host).map((port) => port.name)).toEqual(['pod5']);
});

test('next hops and directly connected clients are kept resolved', () => {
  const kept = neighborsToKeep(
    model,
    new Map([
      [undefined, ['eth0']],
      ['red', ['ens5']],
    ]),
    snapshot,
  );
  expect(kept.map((row) => `${row.interface} ${formatIpv4(row.address)}`)).toEqual([
    'ens5 172.16.1.140',
    'eth0 10.1.0.254',
    'eth0 10.1.0.2',
  ]);
});

describe('plumbing', () => {
  const port = (name: string, ...networks: string[]) => ({
    name,
    role: 'Networks' as const,
    networks,
    reason: '',
  });
  const networks = [
    ...model.networks,
    { ...model.networks[0]!, name: 'blue', routeTableIndex: 501 },
  ];
  const wanted = (interfaces: object[], isHostManaged = false) => {
    const appliance = { interfaces, metricsListen: '127.0.0.1:9473', host: { interfaces } };
    const box = { ...model, networks, appliance, bgp: { listenPort: 179 } } as unknown as Model;
    const choices = [port('eth0'), port('ens5', 'red'), port('ens6', 'red', 'blue')];
    return plumbingWanted(box, choices, snapshot, isHostManaged);
  };

  test('a port has the marks of its networks', () => {
    expect(wanted([]).ports.map((row) => row.marks)).toEqual([[], [500], [500, 501]]);
  });

  test('BGP is open to each neighbor by the ports of its network', () => {
    const { neighbors } = wanted([]).input;
    expect(neighbors.map(({ address, ports }) => `${formatIpv4(address)} ${ports}`)).toEqual(
      model.neighbors.map(
        ({ network, address }) => `${formatIpv4(address)} ${network ? 'ens5,ens6' : 'eth0'}`,
      ),
    );
  });

  test('ports are closed where the host is managed, or a Management interface exists', () => {
    const management = { name: 'ens3', role: 'Management', allowFrom: ['10.0.0.0/8'] };
    expect(wanted([{ name: 'eth0', role: 'Clients' }]).input.isClosed).toBe(false);
    expect(wanted([], true).input.isClosed).toBe(true);
    const { isClosed, management: plane, managementTcpPorts } = wanted([management]).input;
    expect(isClosed).toBe(true);
    expect(plane).toEqual([{ name: 'ens3', vrfDevice: undefined, allowFrom: ['10.0.0.0/8'] }]);
    expect(managementTcpPorts).toEqual([22, 9473]);
    expect(wanted([management], true).input.management[0]?.vrfDevice).toBe('mgmt');
  });
});
