// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import type { Gateway, Model } from '../../model/model.ts';
import { waysTo } from './gateway-probes.ts';

const target = 0xc000_0235;
const model = (isMirrorOn: boolean): Model =>
  ({
    appliance: { mirror: { isOn: isMirrorOn, protocol: 186 } },
    networks: [
      { name: 'red', routeTableIndex: 500 },
      { name: 'blue', routeTableIndex: 501 },
    ],
    neighbors: [{ network: 'blue', address: target, reachableBy: 1 }],
  }) as unknown as Model;
const gateway = (...networks: string[]): Gateway => ({ networks }) as unknown as Gateway;
type Route = { kind: 'connected' | 'bgp'; nextHops: { interface: string }[] };
const routes = (red?: Route, blue?: Route, isMirrorOn = true, unready = '') => ({
  model: model(isMirrorOn),
  isNetworkReady: (name: string) => name !== unready,
  routeTo: (name: string) => (name === 'red' ? red : blue),
});
const learned = (...names: string[]): Route => ({
  kind: 'bgp',
  nextHops: names.map((name) => ({ interface: name })),
});
const onLink: Route = { kind: 'connected', nextHops: [{ interface: 'ens5' }] };

test('without networks a probe uses the main table', () => {
  expect(waysTo(gateway(), target, routes())).toEqual({
    ways: [{ interface: undefined, mark: undefined }],
    reason: undefined,
  });
});

test("it leaves by the interfaces of each network's own route, with the network's mark", () => {
  const both = routes(learned('ens5', 'ens6', 'ens5'), learned('ens7'));
  expect(waysTo(gateway('red', 'blue'), target, both).ways).toEqual([
    { interface: 'ens5', mark: 500 },
    { interface: 'ens6', mark: 500 },
    { interface: 'ens7', mark: 501 },
  ]);
});

test('a network that is not ready or has no route is no way', () => {
  expect(waysTo(gateway('red', 'blue'), target, routes(learned('ens5'), undefined))).toEqual({
    ways: [{ interface: 'ens5', mark: 500 }],
    reason: 'no route in network blue',
  });
  const unready = routes(learned('ens5'), undefined, true, 'red');
  expect(waysTo(gateway('red', 'blue'), target, unready)).toEqual({
    ways: [],
    reason: 'network red is not ready, no route in network blue',
  });
});

test('with the mirror off only links and reachableBy lead to a target', () => {
  expect(waysTo(gateway('red'), target, routes(learned('ens5'), undefined, false))).toEqual({
    ways: [],
    reason: 'routes.mirror is off, and it is on no link of network red',
  });
  expect(waysTo(gateway('red'), target, routes(onLink, undefined, false)).ways).toHaveLength(1);
  const reachable = routes(undefined, learned('ens7'), false);
  expect(waysTo(gateway('blue'), target, reachable).ways).toHaveLength(1);
});
