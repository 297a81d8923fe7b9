// SPDX-License-Identifier: Apache-2.0
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeRoute } from './route-codec.ts';
import {
  decodeAddress,
  decodeLink,
  decodeNeighbor,
  decodeRule,
  encodeManagedNeighbor,
  encodeNewRule,
} from './rtnetlink-codec.ts';

const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const u8 = fc.integer({ min: 0, max: 255 });

test('rules and managed neighbors, written and read again', () => {
  const rule = fc.record({ priority: u32, table: u32, mark: u32, mask: u32, protocol: u8 });
  fc.assert(
    fc.property(rule, (one) => {
      const { body } = encodeNewRule(one);
      expect(decodeRule(body, 0, body.length)).toEqual(one);
    }),
  );
  const { body } = encodeManagedNeighbor(7, 0x0a000001, 231);
  expect(decodeNeighbor(body, 0, body.length)).toEqual({
    ifindex: 7,
    address: 0x0a000001,
    state: 0,
    isManaged: true,
    protocol: 231,
  });
});

test('any bytes are decoded without an exception', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 160 }), (raw) => {
      const bytes = Buffer.from(raw);
      for (const decode of [decodeLink, decodeAddress, decodeRoute, decodeNeighbor, decodeRule])
        for (const family of [0, 2]) {
          if (bytes.length > 0) bytes[0] = family;
          decode(bytes, 0, bytes.length);
        }
    }),
    { numRuns: 500 },
  );
});
