// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import { printWhy, type WhyReport } from './why-report.ts';

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
  const [first] = printWhy({ ...report, ...part }, { isJson: false, width: null }).split('\n');
  expect(first).toBe(`10.1.0.2 to 192.0.2.10: ${expected}`);
});
