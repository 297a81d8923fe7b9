// SPDX-License-Identifier: Apache-2.0
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Candidate, decide } from './decision.ts';

const plain: Candidate = {
  ineligible: undefined,
  kind: 'bgp',
  priority: 1024,
  localPref: 100,
  asPathLength: 2,
  origin: 0,
  med: 0,
  neighborAs: 64501,
  isExternal: true,
  metric: 0,
  originatorId: 0,
  clusterCount: 0,
  remoteId: 1,
  remoteAddress: 1,
  name: 'a',
  nextHop: 1,
};

// The better one first; the second loses by the step that the row is numbered with.
const rows: [string, Partial<Candidate>, Partial<Candidate>][] = [
  ['1 source-kind', { kind: 'connected' }, { kind: 'static' }],
  ['1 source-kind', { kind: 'static' }, { kind: 'bgp', localPref: 900 }],
  ['2 priority', { priority: 1 }, { priority: 2, localPref: 900 }],
  ['3 local-pref', { localPref: 101, asPathLength: 9 }, { localPref: 100 }],
  ['4 as-path-length', { asPathLength: 1, origin: 2 }, { asPathLength: 2 }],
  ['5 origin', { origin: 0, med: 9 }, { origin: 1 }],
  ['5 origin', { origin: 1 }, { origin: 2 }],
  ['6 med', { med: 1, isExternal: false }, { med: 2 }],
  ['7 ebgp-over-ibgp', { isExternal: true, metric: 3 }, { isExternal: false }],
  ['7 ebgp-over-ibgp', { med: 2 }, { med: 1, neighborAs: 7, isExternal: false }],
  ['8 igp-metric', { metric: 0, remoteId: 9 }, { metric: 1 }],
  ['9 router-id', { remoteId: 1, remoteAddress: 9 }, { remoteId: 2 }],
  ['9 router-id', { remoteId: 0xffff_ffff, originatorId: 1 }, { remoteId: 2 }],
  ['10 cluster-list', { clusterCount: 0, remoteAddress: 9 }, { clusterCount: 1 }],
  ['11 neighbor-address', { remoteAddress: 1, name: 'z' }, { remoteAddress: 0xffff_ffff }],
  ['12 source-name', { kind: 'connected', name: 'a' }, { kind: 'connected', name: 'b' }],
];

describe('RFC 4271 §9.1.2.2', () => {
  test.each(rows)('%s', (step, better, worse) => {
    const reason = step.replace(/^\d+ /, '');
    const a = { ...plain, ...better };
    const b = { ...plain, ...worse };
    expect(decide([a, b], 2, false)).toMatchObject({ best: 0, reasons: [undefined, reason] });
    expect(decide([b, a], 2, false)).toMatchObject({ best: 1, reasons: [reason, undefined] });
  });

  test('MED is compared by neighboring AS, whatever the order', () => {
    // The example of RFC 4451 §2.7 kind: pairwise comparison has no winner that all agree on.
    const a = { ...plain, neighborAs: 1, med: 10, remoteId: 1 };
    const b = { ...plain, neighborAs: 2, med: 1, remoteId: 2 };
    const c = { ...plain, neighborAs: 1, med: 5, remoteId: 3 };
    for (const order of [
      [a, b, c],
      [c, b, a],
      [b, a, c],
      [b, c, a],
    ]) {
      const { best, reasons } = decide(order, 3, false);
      expect(order[best]).toBe(b);
      expect(reasons[order.indexOf(a)]).toBe('med');
      expect(reasons[order.indexOf(c)]).toBe('router-id');
    }
  });

  test('an ineligible path never wins and says why', () => {
    const dead = { ...plain, localPref: 900, ineligible: 'next-hop-unreachable' as const };
    const decision = decide([dead, plain], 2, true);
    expect(decision).toEqual({
      best: 1,
      multipath: [1],
      reasons: ['next-hop-unreachable', undefined],
    });
    expect(decide([dead], 1, true).best).toBe(-1);
  });
});

describe('multipath', () => {
  test('takes what is equal up to igp-metric, distinct next hops, 16 at most', () => {
    const many = Array.from({ length: 20 }, (_, i) => ({
      ...plain,
      remoteId: 100 - i,
      nextHop: i === 19 ? 18 : i,
    }));
    const { best, multipath, reasons } = decide(many, 20, true);
    expect(best).toBe(19);
    expect(multipath).toHaveLength(16);
    expect(multipath[0]).toBe(19);
    expect(multipath).not.toContain(18);
    expect(reasons[18]).toBe('router-id');
  });

  test('ends where igp-metric decides', () => {
    const far = { ...plain, metric: 1, nextHop: 2 };
    expect(decide([plain, far], 2, true).multipath).toEqual([0]);
  });

  test('connected routes never share', () => {
    const a = { ...plain, kind: 'connected' as const, name: 'eth0', nextHop: 1 };
    const b = { ...plain, kind: 'connected' as const, name: 'eth1', nextHop: 2 };
    expect(decide([b, a], 2, true).multipath).toEqual([1]);
  });
});

const small = (max: number) => fc.integer({ min: 0, max });
const candidate = fc.record({
  ineligible: fc.constantFrom(undefined, undefined, undefined, 'next-hop-unreachable' as const),
  kind: fc.constantFrom('bgp' as const, 'bgp' as const, 'static' as const),
  priority: small(1),
  localPref: small(1),
  asPathLength: small(1),
  origin: small(1),
  med: small(2),
  neighborAs: small(2),
  isExternal: fc.boolean(),
  metric: small(1),
  originatorId: small(2),
  clusterCount: small(1),
  remoteId: small(2),
  remoteAddress: small(2),
  nextHop: small(3),
});

describe('properties', () => {
  const list = fc
    .array(candidate, { minLength: 1, maxLength: 8 })
    .map((all) => all.map((one, i): Candidate => ({ ...one, name: `n${i}` })));

  test('the outcome does not depend on the order of arrival', () => {
    fc.assert(
      fc.property(
        list.chain((all) =>
          fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length })),
        ),
        fc.boolean(),
        ([all, shuffled], isMultipath) => {
          const a = decide(all, all.length, isMultipath);
          const b = decide(shuffled, shuffled.length, isMultipath);
          expect(shuffled[b.best]).toBe(all[a.best]);
          for (const [i, one] of all.entries()) {
            expect(b.reasons[shuffled.indexOf(one)]).toBe(a.reasons[i]);
          }
          expect(new Set(b.multipath.map((i) => shuffled[i]))).toEqual(
            new Set(a.multipath.map((i) => all[i])),
          );
        },
      ),
    );
  });

  test('every loser has a reason, and only losers have', () => {
    fc.assert(
      fc.property(list, (all) => {
        const { best, multipath, reasons } = decide(all, all.length, true);
        expect(best >= 0).toBe(all.some((one) => one.ineligible === undefined));
        for (const i of all.keys()) expect(reasons[i] === undefined).toBe(multipath.includes(i));
      }),
    );
  });

  test('taking away a loser that MED did not need changes nothing', () => {
    fc.assert(
      fc.property(list, (all) => {
        const sameMed = all.map((one) => ({ ...one, med: 0 }));
        const { best } = decide(sameMed, sameMed.length, false);
        for (const i of sameMed.keys()) {
          if (i === best) continue;
          const rest = sameMed.toSpliced(i, 1);
          const again = decide(rest, rest.length, false).best;
          expect(rest[again]).toBe(sameMed[best]);
        }
      }),
    );
  });
});
