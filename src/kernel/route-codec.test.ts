// SPDX-License-Identifier: Apache-2.0
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  decodeRoute,
  encodeDelRoute,
  encodeNewRoute,
  encodeRouteDump,
  type RouteMessage,
} from './route-codec.ts';

const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const u8 = fc.integer({ min: 0, max: 255 });

const nextHop = fc.record({
  ifindex: fc.integer({ min: 1, max: 0x7fff_ffff }),
  address: u32,
  weight: fc.integer({ min: 1, max: 256 }),
});

const route: fc.Arbitrary<RouteMessage> = fc
  .record({
    table: fc.integer({ min: 1, max: 0xffff_ffff }),
    prefix: u32,
    prefixLength: fc.integer({ min: 1, max: 32 }),
    protocol: u8,
    scope: u8,
    type: u8,
    metric: u32,
    source: fc.option(u32, { nil: undefined }),
    nextHops: fc.array(nextHop, { maxLength: 16 }),
  })
  // A single next hop has no weight on the wire.
  .map((one) =>
    one.nextHops.length === 1 ? { ...one, nextHops: [{ ...one.nextHops[0]!, weight: 1 }] } : one,
  );

describe('routes', () => {
  test('written and read again are the same', () => {
    fc.assert(
      fc.property(route, (one) => {
        const { body } = encodeNewRoute(one);
        expect(decodeRoute(body, 0, body.length)).toEqual(one);
      }),
    );
  });

  test('as the kernel lays them out', () => {
    const seeds: RouteMessage = {
      table: 500,
      prefix: 0xc0000200,
      prefixLength: 24,
      protocol: 12,
      scope: 0,
      type: 1,
      metric: 0,
      source: undefined,
      nextHops: [{ ifindex: 5, address: 0xac10018c, weight: 1 }],
    };
    const start = '02180000000c000100000000';
    const place = '08000f00f4010000' + '08000100c0000200';
    expect(encodeNewRoute(seeds).body.toString('hex')).toBe(
      [start, place, '08000500ac10018c', '0800040005000000'].join(''),
    );
    const two = [seeds.nextHops[0]!, { ifindex: 6, address: 0xac10018d, weight: 2 }];
    expect(encodeNewRoute({ ...seeds, nextHops: two }).body.toString('hex')).toBe(
      [
        start,
        place,
        '24000900',
        '1000000005000000',
        '08000500ac10018c',
        '1000000106000000',
        '08000500ac10018d',
      ].join(''),
    );
    expect(encodeDelRoute(seeds).body.toString('hex')).toBe(`02180000000cff0000000000${place}`);
    expect(encodeRouteDump(254).body.toString('hex')).toBe(
      '020000000000000000000000' + '08000f00fe000000',
    );
  });

  test('the cache, other families and a TOS are left out', () => {
    const body = Buffer.alloc(12);
    body[0] = 2;
    expect(decodeRoute(body, 0, 12)).toBeDefined();
    body.writeUInt32LE(0x200, 8);
    expect(decodeRoute(body, 0, 12)).toBeUndefined();
    body.writeUInt32LE(0, 8);
    body[3] = 4;
    expect(decodeRoute(body, 0, 12)).toBeUndefined();
    body[3] = 0;
    body[0] = 10;
    expect(decodeRoute(body, 0, 12)).toBeUndefined();
  });
});
