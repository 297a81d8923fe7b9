import { expect, test } from 'vitest';
import type { RouteRow, StatusSource, WhyReport } from './source.ts';
import { printView, printWhy } from './views.ts';

const report: WhyReport = {
  client: '10.1.0.2',
  destination: '192.0.2.10',
  verdict: 'forwarded',
  drop: null,
  outside: '10.50.0.2',
  network: 'red',
  steps: [{ step: 'client', found: 'Pod default/a' }],
  routes: [],
};

test.each<[Partial<WhyReport>, string]>([
  [{}, 'forwarded from 10.50.0.2'],
  [{ outside: null }, 'forwarded without translation'],
  [{ verdict: 'dropped', drop: 'no_route' }, 'dropped: no_route'],
  [{ verdict: 'kernel', outside: null }, 'left to the kernel'],
])('why says in its first line what becomes of the packet: %j', (part, expected) => {
  const [first] = printWhy({ ...report, ...part }, false).split('\n');
  expect(first).toBe(`10.1.0.2 to 192.0.2.10: ${expected}`);
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
  const source: Pick<StatusSource, 'generation' | 'routes'> = { generation: 1, routes };
  let text = '';
  const request = { view: 'route', isJson: false } as const;
  for await (const part of printView(source as StatusSource, request)) text += part;
  const columns = text
    .trimEnd()
    .split('\n')
    .map((line) => line.search(/PREFIX|192/));
  expect(columns).toHaveLength(3);
  expect(new Set(columns).size).toBe(1);
});
