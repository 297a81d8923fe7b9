// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import { printTable } from './print.ts';
import { type RouteRow, routeColumns } from './views/route.ts';
import { views } from './views.ts';

test('every view has a name of its own and takes no unknown words', () => {
  const names = views.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  for (const view of views) {
    const usage = view.name === 'route' ? /takes no b/ : /takes no a/;
    expect(() => view.check(['a', 'b'])).toThrow(usage);
  }
});

const route = (network: string): RouteRow => ({
  network,
  prefix: '192.0.2.0/24',
  nextHops: [{ address: '172.16.1.140', interface: 'ens5' }],
  protocol: 'bgp',
  isBest: true,
  reason: 'best',
  source: '172.16.1.140',
  asPath: '64512',
});

test('columns are aligned over the networks of a short table, which come one by one', async () => {
  const routes = async function* () {
    yield [route('a')];
    yield [route('a-network-with-a-long-name')];
  };
  let text = '';
  for await (const part of printTable(routeColumns, routes())) text += part;
  const columns = text
    .trimEnd()
    .split('\n')
    .map((line) => line.search(/PREFIX|192/));
  expect(columns).toHaveLength(3);
  expect(new Set(columns).size).toBe(1);
});
