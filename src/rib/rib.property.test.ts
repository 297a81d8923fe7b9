// SPDX-License-Identifier: Apache-2.0
/** Random routes against a model that is too simple to be wrong. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ManualClock } from '../../test/support/manual-clock.ts';
import { maskOf } from '../net/ipv4.ts';
import { InternedAttributes } from './attributes.ts';
import { Rib } from './rib.ts';
import { noAttributes, type PathAttributes } from './route.ts';

const attributesTo = (nextHop: number, localPref: number): PathAttributes => ({
  ...noAttributes,
  asPath: [{ kind: 'AS_SEQUENCE', asNumbers: [64501] }],
  nextHop,
  localPref,
});

const link = 0x0a00_0000;
// Few bits, so that prefixes meet.
const prefix = fc
  .record({ bits: fc.integer({ min: 0, max: 255 }), length: fc.integer({ min: 1, max: 32 }) })
  .map(({ bits, length }) => ({
    address: ((0xc000_0000 | (bits << 18) | bits) & maskOf(length)) >>> 0,
    length,
  }));

const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('announce' as const),
      prefix,
      source: fc.integer({ min: 0, max: 2 }),
      localPref: fc.integer({ min: 1, max: 3 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('withdraw' as const),
      prefix,
      source: fc.integer({ min: 0, max: 2 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('close' as const),
      source: fc.integer({ min: 0, max: 2 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('restart' as const),
      source: fc.integer({ min: 0, max: 2 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constantFrom('sweep' as const, 'repeat' as const),
      source: fc.integer({ min: 0, max: 2 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('link' as const), isUp: fc.boolean() }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('turn' as const) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('take' as const) }) },
);

interface Route {
  readonly address: number;
  readonly length: number;
  localPref: number;
  isStale: boolean;
}

test('churn: best routes, counts, longest match and consumers agree with a model', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 150 }), (steps) => {
      const clock = new ManualClock(3);
      const attributes = new InternedAttributes({ queue: clock.queue });
      const rib = new Rib({ name: 'red', clock, queue: clock.queue, attributes });
      const eth0 = rib.openLocal({ kind: 'connected', name: 'eth0', bgp: undefined });
      const open = (n: number) =>
        rib.openSource({
          kind: 'bgp',
          name: `n${n}`,
          bgp: { isExternal: true, remoteAs: 1, localAs: 2, remoteId: n, remoteAddress: n },
        });
      const sources = [open(0), open(1), open(2)];
      const model = sources.map(() => new Map<string, Route>());
      let isUp = true;
      eth0.announceDirect(link, 24, { interface: 'eth0', address: 0 });
      const told = new Map<string, number[]>();
      const consumer = rib.openConsumer({ remembers: true, isLearnedOnly: true, onDirty() {} });
      const take = (max: number) =>
        consumer.take(max, ({ address, length, set }) => {
          const key = `${address}/${length}`;
          if (set === 0) told.delete(key);
          else
            told.set(
              key,
              rib.members(set).map((member) => member.address),
            );
        });
      for (const one of steps) {
        if (one.do === 'announce') {
          const { address, length } = one.prefix;
          const { source, localPref } = one;
          const id = attributes.intern(Uint8Array.of(source, localPref), () =>
            attributesTo(link + 1 + source, localPref),
          );
          sources[source]!.announce(address, length, id);
          model[source]!.set(`${address}/${length}`, {
            address,
            length,
            localPref,
            isStale: false,
          });
        } else if (one.do === 'withdraw') {
          const { address, length } = one.prefix;
          sources[one.source]!.withdraw(address, length);
          model[one.source]!.delete(`${address}/${length}`);
        } else if (one.do === 'close') {
          sources[one.source]!.close();
          sources[one.source] = open(one.source);
          model[one.source]!.clear();
        } else if (one.do === 'restart') {
          sources[one.source]!.sweepStale();
          sources[one.source]!.markStale();
          for (const [key, route] of model[one.source]!) {
            if (route.isStale) model[one.source]!.delete(key);
            route.isStale = true;
          }
        } else if (one.do === 'repeat') {
          sources[one.source]!.markStale();
          for (const route of model[one.source]!.values()) route.isStale = true;
        } else if (one.do === 'sweep') {
          sources[one.source]!.sweepStale();
          for (const [key, route] of model[one.source]!) {
            if (route.isStale) model[one.source]!.delete(key);
          }
        } else if (one.do === 'link') {
          isUp = one.isUp;
          if (isUp) eth0.announceDirect(link, 24, { interface: 'eth0', address: 0 });
          else eth0.withdraw(link, 24);
        } else if (one.do === 'turn') clock.turn();
        else take(5);
      }
      // Restless next hops may wait for the next second.
      clock.pass(3000);
      while (take(1000) > 0) clock.settle();

      const best = new Map<string, number[]>();
      for (const routes of model) for (const key of routes.keys()) best.set(key, []);
      for (const key of best.keys()) {
        const paths = model.map((routes) => routes.get(key)?.localPref ?? 0);
        const highest = Math.max(...paths);
        const winners = paths.flatMap((pref, n) => (pref === highest ? [link + 1 + n] : []));
        best.set(key, winners);
      }
      if (!isUp) best.clear();
      expect(told).toEqual(best);
      expect(rib.learnedCount).toBe(best.size);
      for (const [n, source] of sources.entries()) {
        expect(source.routeCount).toBe(model[n]!.size);
        expect(source.staleCount).toBe([...model[n]!.values()].filter((r) => r.isStale).length);
      }
      const routes = [...best.keys()].map((key) => key.split('/').map(Number) as [number, number]);
      for (const [address] of routes) {
        for (const probe of [address, (address ^ 0x0004_0000) >>> 0, address + 1]) {
          const holding = routes.filter(([a, l]) => (probe & maskOf(l)) >>> 0 === a);
          const longest = holding.sort((a, b) => b[1] - a[1])[0];
          expect(rib.longestMatch(probe)?.length).toBe(longest?.[1]);
        }
      }
      for (const source of sources) source.close();
      eth0.close();
      clock.settle();
      take(1000);
      consumer.close();
      clock.settle();
      expect(rib.usage).toMatchObject({ prefixes: 0, paths: 0, nextHops: 0, sets: 0 });
      expect(attributes.count).toBe(0);
    }),
    { numRuns: 200 },
  );
});

test('partial flushes: what stays is found while the tables shrink and fill again', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 2 ** 24 - 1 }), { minLength: 2000, maxLength: 4000 }),
      fc.integer({ min: 5, max: 40 }),
      (numbers, keepEach) => {
        const clock = new ManualClock(5);
        const attributes = new InternedAttributes({ queue: clock.queue });
        const rib = new Rib({ name: 'red', clock, queue: clock.queue, attributes });
        const eth0 = rib.openLocal({ kind: 'static', name: 'eth0', bgp: undefined });
        const eth1 = rib.openLocal({ kind: 'static', name: 'eth1', bgp: undefined });
        const kept = new Set(numbers);
        const put = (number: number) => {
          eth0.announceDirect(number * 256, 24, { interface: 'eth0', address: 1 });
          if (number % 2 === 0) {
            eth1.announceDirect(number * 256, 24, { interface: 'eth1', address: 2 });
          }
        };
        for (const number of kept) put(number);
        clock.settle();
        const fullBytes = rib.usage.bytes;
        let i = 0;
        for (const number of [...kept]) {
          if (i++ % keepEach === 0) continue;
          eth0.withdraw(number * 256, 24);
          eth1.withdraw(number * 256, 24);
          kept.delete(number);
          if (i % 64 === 0) clock.turn();
        }
        // A few turns of shrinking, and routes that come in between.
        for (let turn = 0; turn < 4; turn += 1) {
          clock.turn();
          kept.add(turn);
          put(turn);
        }
        clock.settle();
        expect(rib.usage.prefixes).toBe(kept.size);
        expect(rib.usage.bytes).toBeLessThan(fullBytes);
        for (const number of kept) {
          const found = rib.lookup(number * 256, 24)?.nextHops.map((hop) => hop.interface);
          expect(found).toEqual(number % 2 === 0 ? ['eth0', 'eth1'] : ['eth0']);
        }
      },
    ),
    { numRuns: 15 },
  );
});
