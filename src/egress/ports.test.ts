// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import type { Model } from '../model/model.ts';
import { formatIpv4, parseIpv4, parseIpv4Prefix } from '../net/ipv4.ts';
import { choosePorts, type HostLink, localAddresses, planLocals, planPorts } from './ports.ts';

function link(name: string, ...addresses: string[]): HostLink {
  return {
    name,
    ifindex: 1,
    isUp: true,
    isLoopback: name === 'lo',
    mac: new Uint8Array(6),
    mtu: 1500,
    addresses: addresses.map((cidr) => {
      const [address, length] = cidr.split('/');
      return { address: parseIpv4(address!)!, length: Number(length), broadcast: undefined };
    }),
  };
}

interface Wanted {
  readonly networks?: Record<string, string[]>;
  readonly neighbors?: [network: string | undefined, address: string][];
  readonly clients?: string[];
  readonly interfaces?: Record<string, 'Clients' | 'Networks' | 'Any' | 'Management'>;
}

function model(wanted: Wanted): Model {
  return {
    networks: Object.entries(wanted.networks ?? {}).map(([name, interfaces], i) => ({
      name,
      routeTableIndex: 500 + i,
      interfaces,
      staticRoutes: [],
    })),
    neighbors: (wanted.neighbors ?? []).map(([network, address]) => ({
      name: 'n',
      network,
      address: parseIpv4(address)!,
    })),
    clients: (wanted.clients ?? []).map((cidr) => ({
      name: 'c',
      policy: 'p',
      prefixes: [parseIpv4Prefix(cidr)!],
    })),
    appliance: {
      staticRoutes: [],
      interfaces: Object.entries(wanted.interfaces ?? {}).map(([name, role]) => ({ name, role })),
    },
  } as unknown as Model;
}

const links = [
  link('lo', '127.0.0.1/8'),
  link('eth0', '10.1.0.1/24'),
  link('ens5', '172.16.1.1/24'),
  link('ens6', '172.16.1.1/24'),
];

const summary = (wanted: Wanted, routes: Parameters<typeof choosePorts>[2] = []) =>
  choosePorts(model(wanted), links, routes).map(
    ({ name, role, networks }) => `${name} ${role} ${networks.join('+')}`,
  );

test('an interface that leads to a client or to a neighbor of a network is a port', () => {
  const wanted: Wanted = {
    networks: { red: ['ens5'], blue: ['ens6'] },
    neighbors: [
      ['red', '172.16.1.140'],
      ['blue', '172.16.1.140'],
    ],
    clients: ['10.1.0.2/32'],
  };
  expect(summary(wanted)).toEqual(['ens5 Networks red', 'ens6 Networks blue', 'eth0 Clients ']);
});

test('without interfaces in the network, the neighbor finds them', () => {
  const wanted: Wanted = { networks: { red: [] }, neighbors: [['red', '10.1.0.140']] };
  expect(summary(wanted)).toEqual(['eth0 Networks red']);
});

test('two networks may share an interface, which then belongs to neither alone', () => {
  const wanted: Wanted = { networks: { red: ['ens5'], blue: ['ens5'] } };
  expect(summary(wanted)).toEqual(['ens5 Networks red+blue']);
});

test('an interface of a network is never a client interface, even if Any', () => {
  const wanted: Wanted = {
    networks: { red: ['ens5'] },
    interfaces: { ens5: 'Any' },
    clients: ['172.16.1.7/32'],
  };
  expect(summary(wanted)).toContain('ens5 Networks red');
});

test('Management interfaces and loopback are never ports', () => {
  const wanted: Wanted = {
    interfaces: { eth0: 'Management', lo: 'Any' },
    clients: ['10.1.0.2/32', '127.0.0.1/32'],
  };
  expect(summary(wanted)).toEqual([]);
});

test('a client behind a router is reached by the longest route', () => {
  const routes = [
    {
      prefix: parseIpv4Prefix('0.0.0.0/0')!,
      nextHops: [{ interface: 'ens5', address: parseIpv4('172.16.1.254')! }],
    },
    {
      prefix: parseIpv4Prefix('10.9.0.0/16')!,
      nextHops: [{ interface: 'eth0', address: parseIpv4('10.1.0.9')! }],
    },
  ];
  expect(summary({ clients: ['10.9.1.0/24'] }, routes)).toEqual(['eth0 Clients ']);
});

test('own and broadcast addresses are local', () => {
  expect(localAddresses([link('e', '10.1.0.1/24')]).map(formatIpv4)).toEqual([
    '10.1.0.1',
    '10.1.0.0',
    '10.1.0.255',
  ]);
  expect(localAddresses([link('e', '10.1.0.0/31')]).map(formatIpv4)).toEqual(['10.1.0.0']);
});

test('an own address belongs to the network of its port', () => {
  const wanted = model({ networks: { red: ['ens5'], blue: ['ens6'] } });
  const found = planLocals(links, planPorts(wanted, choosePorts(wanted, links, []), links));
  const own = found.map(({ address, network }) => `${formatIpv4(address)} ${network}`);
  expect(own).toContain('10.1.0.1 undefined');
  expect(own).toContain('172.16.1.1 500');
  expect(own).toContain('172.16.1.1 501');
  expect(own).toContain('172.16.1.255 501');
});
