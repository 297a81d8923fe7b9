// SPDX-License-Identifier: Apache-2.0
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ManualClock } from '../../test/support/manual-clock.ts';
import { ModelTarget, membersText } from '../../test/support/model-target.ts';
import { InternedAttributes } from '../rib/attributes.ts';
import { Rib } from '../rib/rib.ts';
import { Fib } from './fib.ts';
import { GroupNumbers } from './group-numbers.ts';

function setUp(options: { groupsMax?: number; stepMs?: number } = {}) {
  const clock = new ManualClock(options.stepMs);
  const attributes = new InternedAttributes({ queue: clock.queue });
  const rib = new Rib({ name: 'red', clock, queue: clock.queue, attributes });
  const target = new ModelTarget();
  const groups = new GroupNumbers({ clock, target, groupsMax: options.groupsMax ?? 1024 });
  const refusals: number[] = [];
  const fib = new Fib({
    clock,
    queue: clock.queue,
    rib,
    target,
    groups,
    routeTableIndex: 500,
    onRefused: (count) => {
      refusals.push(count);
    },
  });
  const eth0 = rib.openLocal({ kind: 'connected', name: 'eth0', bgp: undefined });
  const fixed = [0, 1, 2].map((n) =>
    rib.openLocal({ kind: 'static', name: `s${n}`, bgp: undefined }),
  );
  eth0.announceDirect(0x0a00_0000, 24, { interface: 'eth0', address: 0 });
  clock.settle();
  const ribForwarding = () => {
    const best = new Map<string, string>();
    const listing = rib.openListing();
    const visit = (address: number, length: number) => {
      const route = rib.lookup(address, length)!;
      best.set(`${address}/${length}`, membersText(route.nextHops));
    };
    while (listing.next(1000, visit));
    return best;
  };
  return {
    clock,
    rib,
    target,
    groups,
    fib,
    eth0,
    fixed,
    ribForwarding,
    refusals,
  };
}

const nextHop = (n: number) => 0x0a00_0001 + n;
const net = (n: number) => 0xc000_0000 + n * 256;

test('prefixes of one next hop share one group, connected ones have theirs', () => {
  const { clock, target, fixed, fib, groups, ribForwarding } = setUp();
  for (let i = 0; i < 1000; i += 1) fixed[0]!.announceVia(net(i), 24, nextHop(0));
  clock.settle();
  expect(fib.groupCount).toBe(2);
  expect(groups.usedCount).toBe(2);
  expect(target.forwarding(500)).toEqual(ribForwarding());
  expect(target.forwarding(500).get(`${0x0a00_0000}/24`)).toBe('0@eth0');
});

test('batches hold 512 deltas at most, and all arrive', () => {
  const { clock, target, fixed } = setUp();
  for (let i = 0; i < 20_000; i += 1) fixed[0]!.announceVia(net(i), 24, nextHop(0));
  clock.settle();
  expect(Math.max(...target.batches)).toBeLessThanOrEqual(512);
  expect(target.batches.length).toBeLessThan(100);
  expect(target.tables.get(500)?.size).toBe(20_001);
});

test('a next hop that moves is one write of one group, before any delta', () => {
  const { clock, target, fixed, eth0, ribForwarding } = setUp();
  for (let i = 0; i < 10_000; i += 1) fixed[0]!.announceVia(net(i), 24, nextHop(0));
  clock.settle();
  const { setGroupCount } = target;
  target.batches = [];
  eth0.announceDirect(0x0a00_0000, 24, { interface: 'eth7', address: 0 });
  clock.settle();
  expect(target.forwarding(500)).toEqual(ribForwarding());
  // The moved set, and the new one of the connected prefix.
  expect(target.setGroupCount - setGroupCount).toBe(2);
  expect(target.batches).toEqual([1]);
});

test('a next hop that is lost is unreachable at once, its prefixes go in slices', () => {
  const { clock, target, fixed, eth0 } = setUp({ stepMs: 5 });
  for (let i = 0; i < 10_000; i += 1) fixed[0]!.announceVia(net(i), 24, nextHop(0));
  clock.settle();
  eth0.withdraw(0x0a00_0000, 24);
  clock.turn();
  expect(target.tables.get(500)?.size).toBeGreaterThan(9000);
  expect(target.forwarding(500).get(`${net(9999)}/24`)).toBe('');
  clock.settle();
  expect(target.tables.get(500)?.size).toBe(0);
});

describe('group numbers', () => {
  test('come back only after two reclaims said so', () => {
    const { clock, target, fixed, groups } = setUp({ groupsMax: 2 });
    fixed[0]!.announceVia(net(0), 24, nextHop(0));
    clock.settle();
    const first = target.tables.get(500)!.get(`${net(0)}/24`);
    target.isReclaimed = false;
    fixed[0]!.withdraw(net(0), 24);
    fixed[1]!.announceVia(net(1), 24, nextHop(1));
    clock.settle();
    // Numbers 2 and 3 exist; the second is not free yet.
    expect(target.tables.get(500)!.get(`${net(1)}/24`)).toBe(1);
    clock.pass(1000);
    expect(target.tables.get(500)!.get(`${net(1)}/24`)).toBe(1);
    target.isReclaimed = true;
    clock.pass(20);
    expect(target.tables.get(500)!.get(`${net(1)}/24`)).toBe(1);
    clock.pass(20);
    expect(target.tables.get(500)!.get(`${net(1)}/24`)).toBe(first);
    expect(groups.usedCount).toBe(2);
  });

  test('nothing is asked for when nothing was freed', () => {
    const { clock, target, fixed } = setUp();
    fixed[0]!.announceVia(net(0), 24, nextHop(0));
    clock.pass(10_000);
    const { reclaimCount } = target;
    clock.pass(10_000);
    expect(target.reclaimCount).toBe(reclaimCount);
  });
});

test('what the target has no room for is counted, and tried again', () => {
  const { clock, target, fixed, fib, refusals } = setUp();
  target.prefixesMax = 11;
  for (let i = 0; i < 20; i += 1) fixed[0]!.announceVia(net(i), 24, nextHop(0));
  clock.settle();
  expect(target.tables.get(500)?.size).toBe(11);
  expect([fib.refusedCount, refusals]).toEqual([10, [10]]);
  clock.pass(31_000);
  expect([fib.refusedCount, refusals]).toEqual([10, [10]]);
  target.prefixesMax = 100;
  clock.pass(31_000);
  expect(target.tables.get(500)?.size).toBe(21);
  expect([fib.refusedCount, refusals]).toEqual([0, [10, 0]]);
});

test('a full target is asked in steps, too', () => {
  const { clock, target, fixed, fib } = setUp({ stepMs: 10 });
  target.prefixesMax = 11;
  for (let i = 0; i < 500; i += 1) fixed[0]!.announceVia(net(i), 24, nextHop(0));
  let callsMax = 0;
  for (let isMore = true; isMore; ) {
    target.batches = [];
    isMore = clock.turn();
    callsMax = Math.max(callsMax, target.batches.length);
  }
  expect(fib.refusedCount).toBe(490);
  expect(callsMax).toBeLessThan(130);
});

test('whenConverged waits for the RIB and the target', () => {
  const { clock, target, fixed, fib } = setUp({ stepMs: 5 });
  for (let i = 0; i < 5000; i += 1) fixed[0]!.announceVia(net(i), 24, nextHop(0));
  let size = 0;
  fib.whenConverged(() => {
    size = target.tables.get(500)!.size;
  });
  expect(fib.isConverged).toBe(false);
  clock.settle();
  expect(size).toBe(5001);
  expect(fib.isConverged).toBe(true);
});

test('whenConverged does not wait for a network that was removed', () => {
  const { clock, fixed, fib } = setUp({ stepMs: 5 });
  for (let i = 0; i < 5000; i += 1) fixed[0]!.announceVia(net(i), 24, nextHop(0));
  let count = 0;
  fib.whenConverged(() => {
    count += 1;
  });
  clock.turn();
  fib.close();
  clock.settle();
  expect(count).toBe(1);
});

test('what the target does not apply in one step is sent in the next ones, in order', () => {
  const { clock, target, fixed, fib, ribForwarding } = setUp();
  target.deltasPerStep = 300;
  for (let i = 0; i < 5000; i += 1) fixed[0]!.announceVia(net(i), 24, nextHop(0));
  clock.settle();
  for (let i = 0; i < 5000; i += 1) fixed[0]!.announceVia(net(i), 24, nextHop(1));
  for (let i = 0; i < 2500; i += 1) fixed[0]!.withdraw(net(i), 24);
  clock.settle();
  expect(target.forwarding(500)).toEqual(ribForwarding());
  expect(fib.isConverged).toBe(true);
  expect(fib.refusedCount).toBe(0);
});

test('closing empties the network and frees its groups', () => {
  const { clock, target, fixed, fib, rib, eth0, groups } = setUp();
  fixed[0]!.announceVia(net(0), 24, nextHop(0));
  clock.settle();
  fib.close();
  clock.pass(1000);
  expect(target.tables.get(500)?.size).toBe(0);
  expect(groups.usedCount).toBe(0);
  for (const source of [...fixed, eth0]) source.close();
  clock.settle();
  expect(rib.usage).toMatchObject({ prefixes: 0, paths: 0, nextHops: 0, sets: 0 });
});

test('property: deltas applied to a model are the best routes, at every rest', () => {
  const step = fc.record({
    source: fc.integer({ min: 0, max: 2 }),
    prefix: fc.integer({ min: 0, max: 15 }),
    via: fc.integer({ min: 0, max: 3 }),
    action: fc.constantFrom('put', 'put', 'put', 'drop', 'turn', 'rest', 'down', 'up', 'time'),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      const { clock, target, fixed, eth0, fib, groups, ribForwarding } = setUp({
        stepMs: 5,
        groupsMax: 4096,
      });
      target.deltasPerStep = 3;
      const rest = () => {
        clock.pass(2000);
        expect(target.forwarding(500)).toEqual(ribForwarding());
        const used = new Set(target.tables.get(500)!.values());
        expect(fib.groupCount).toBe(used.size);
        expect(groups.usedCount).toBe(used.size);
      };
      for (const { source, prefix, via, action } of steps) {
        if (action === 'put') fixed[source]!.announceVia(net(prefix), 24, nextHop(via));
        else if (action === 'drop') fixed[source]!.withdraw(net(prefix), 24);
        else if (action === 'turn') clock.turn();
        else if (action === 'time') clock.pass(10);
        else if (action === 'down') eth0.withdraw(0x0a00_0000, 24);
        else if (action === 'up') {
          const name = `eth${via}`;
          eth0.announceDirect(0x0a00_0000, 24, { interface: name, address: 0 });
        } else rest();
      }
      rest();
    }),
    { numRuns: 150 },
  );
});
