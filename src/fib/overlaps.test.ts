// SPDX-License-Identifier: Apache-2.0
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ManualClock } from '../../test/support/manual-clock.ts';
import { InternedAttributes } from '../rib/attributes.ts';
import { Rib } from '../rib/rib.ts';
import { OverlapMonitor } from './overlaps.ts';

function setUp() {
  const clock = new ManualClock();
  const attributes = new InternedAttributes({ queue: clock.queue });
  const networks = ['red', 'blue', 'green'].map((name) => {
    const rib = new Rib({ name, clock, queue: clock.queue, attributes });
    const link = rib.openLocal({ kind: 'connected', name: 'eth0', bgp: undefined });
    const fixed = rib.openLocal({ kind: 'static', name: 's', bgp: undefined });
    link.announceDirect(0x0a00_0000, 24, { interface: 'eth0', address: 0 });
    return { rib, put: (n: number) => fixed.announceVia(n * 256, 24, 0x0a00_0001), fixed };
  });
  return { clock, networks, monitor: new OverlapMonitor(clock.queue) };
}

test('two networks of one gateway with the same prefix are reported while it lasts', () => {
  const { clock, networks, monitor } = setUp();
  const [red, blue, green] = networks as [
    (typeof networks)[0],
    (typeof networks)[0],
    (typeof networks)[0],
  ];
  red.put(7);
  clock.settle();
  monitor.watch([[red.rib, blue.rib], [green.rib]]);
  green.put(7);
  clock.settle();
  // The same link prefix in all of them is no overlap.
  expect([monitor.pairCount, monitor.overlaps()]).toEqual([0, []]);
  blue.put(7);
  clock.settle();
  expect(monitor.overlaps()).toEqual([{ address: 7 * 256, length: 24, networks: ['red', 'blue'] }]);
  red.fixed.withdraw(7 * 256, 24);
  clock.settle();
  expect([monitor.pairCount, monitor.overlaps()]).toEqual([0, []]);
});

test('a hundred are shown; when those go, others are', () => {
  const { clock, networks, monitor } = setUp();
  const [red, blue] = networks as [(typeof networks)[0], (typeof networks)[0]];
  monitor.watch([[red.rib, blue.rib]]);
  for (let n = 0; n < 500; n += 1) {
    red.put(n);
    blue.put(n);
  }
  clock.settle();
  expect([monitor.pairCount, monitor.overlaps().length]).toEqual([500, 100]);
  for (let n = 0; n < 490; n += 1) red.fixed.withdraw(n * 256, 24);
  clock.settle();
  expect(monitor.pairCount).toBe(10);
  expect(monitor.overlaps().length).toBeGreaterThan(0);
  monitor.close();
  expect([monitor.pairCount, monitor.overlaps()]).toEqual([0, []]);
});

test('property: the count is that of all pairs', () => {
  const step = fc.record({
    network: fc.integer({ min: 0, max: 2 }),
    n: fc.integer({ min: 0, max: 5 }),
    action: fc.constantFrom('put', 'put', 'drop', 'turn'),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const { clock, networks, monitor } = setUp();
      const [a, b, c] = networks.map(({ rib }) => rib) as [Rib, Rib, Rib];
      monitor.watch([
        [a, b],
        [b, c],
      ]);
      const has = networks.map(() => new Set<number>());
      for (const { network, n, action } of steps) {
        if (action === 'put') {
          networks[network]!.put(n);
          has[network]!.add(n);
        } else if (action === 'drop') {
          networks[network]!.fixed.withdraw(n * 256, 24);
          has[network]!.delete(n);
        } else clock.turn();
      }
      clock.settle();
      const [ofA, ofB, ofC] = has as [Set<number>, Set<number>, Set<number>];
      const shared = [...ofB].filter((n) => ofA.has(n) || ofC.has(n));
      const pairs = [...ofB].reduce((sum, n) => sum + Number(ofA.has(n)) + Number(ofC.has(n)), 0);
      expect(monitor.pairCount).toBe(pairs);
      expect(monitor.overlaps().map(({ address }) => address / 256)).toEqual(shared.sort());
    }),
  );
});
