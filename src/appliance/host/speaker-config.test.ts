// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import type { HostLink, PortChoice } from '../../egress/ports.ts';
import type { Model } from '../../model/model.ts';
import { parseIpv4 } from '../../net/ipv4.ts';
import { chooseRouterId, speakerConfig, without } from './speaker-config.ts';

function link(name: string, address: string): HostLink {
  return {
    name,
    ifindex: 1,
    isUp: true,
    isLoopback: name === 'lo',
    mac: new Uint8Array(6),
    mtu: 1500,
    addresses: [{ address: parseIpv4(address)!, length: 24, broadcast: undefined }],
  };
}

const port = (name: string, ...networks: string[]): PortChoice => ({
  name,
  role: networks.length > 0 ? 'Networks' : 'Clients',
  networks,
  reason: '',
});

const neighbor = (network: string | undefined, address: string) => ({
  name: 'n',
  network,
  address: parseIpv4(address)!,
  sourceAddress: 'UseNodeIP',
  filters: [],
});

const model = {
  bgp: { listenPort: 179, routerId: undefined, nodeAddress: parseIpv4('10.0.0.9') },
  filters: [],
  networks: [
    { name: 'red', routeTableIndex: 500 },
    { name: 'blue', routeTableIndex: 501 },
  ],
  neighbors: [
    neighbor('red', '172.16.1.140'),
    neighbor('blue', '172.16.1.140'),
    neighbor(undefined, '10.1.0.2'),
  ],
} as unknown as Model;

const links = [link('lo', '127.0.0.1'), link('ens4', '10.9.0.1'), link('ens5', '172.16.1.1')];
const restart = { isRestarting: false, isForwardingPreserved: false };
const ports = [port('ens4', 'red'), port('ens5', 'red'), port('ens6', 'blue')];
const config = speakerConfig(model, ports, links, restart, chooseRouterId(links)!);

test('a neighbor of a network is bound to its interfaces and marked with its table', () => {
  const red = config.neighbors.find((row) => row.network === 'red');
  expect(red).toMatchObject({ mark: 500, interfaces: ['ens5', 'ens4'] });
});

test('a network whose interface is not there has no session', () => {
  expect(config.neighbors.map((row) => row.network)).toEqual(['red', undefined]);
  expect(config.networkInterfaces.map((row) => row.interface)).toEqual(['ens4', 'ens5']);
});

test('a neighbor of the main table is bound to nothing', () => {
  const main = config.neighbors.find((row) => row.network === undefined);
  expect(main).toMatchObject({ mark: undefined, interfaces: [] });
  expect(main?.sourceAddress).toBe(parseIpv4('10.0.0.9'));
});

test('RFC 4271 §4.2: without a router ID it is the highest address, never that of loopback', () => {
  expect(config.neighbors[0]?.routerId).toBe(parseIpv4('172.16.1.1'));
});

test('without an address no router ID is chosen: the first one may come later', () => {
  expect(chooseRouterId([link('lo', '127.0.0.1')])).toBeUndefined();
});

test('what is bound to an interface can be taken out', () => {
  const rest = without(config, new Set(['ens5']));
  expect(rest.neighbors.map((row) => row.network)).toEqual([undefined]);
  expect(rest.networkInterfaces.map((row) => row.interface)).toEqual(['ens4']);
});

test('a neighbor that connects by another interface stays', () => {
  const rest = without(config, new Set(['ens4']));
  expect(rest.neighbors.map((row) => row.interfaces)).toEqual([['ens5'], []]);
});
