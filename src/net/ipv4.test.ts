// SPDX-License-Identifier: Apache-2.0
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  formatIpv4,
  maskOf,
  parseIpv4,
  parseIpv4Prefix,
  prefixesOverlap,
  prefixHolds,
} from './ipv4.ts';

test('text and number are inverse', () => {
  fc.assert(
    fc.property(fc.nat(0xffffffff), (address) => parseIpv4(formatIpv4(address)) === address),
  );
});

test.each(['', '1.2.3', '1.2.3.4.5', '256.0.0.1', '01.2.3.4', '1.2.3.4 ', '0x1.2.3.4', '1..2.3'])(
  'RFC 6943 §3.1.1: %j is no address',
  (text) => expect(parseIpv4(text)).toBeUndefined(),
);

test('a prefix says whether its host bits were zero', () => {
  expect(parseIpv4Prefix('10.1.2.3/24')).toEqual({
    address: 0x0a010200,
    length: 24,
    isExact: false,
  });
  expect(parseIpv4Prefix('0.0.0.0/0')).toEqual({ address: 0, length: 0, isExact: true });
  expect(parseIpv4Prefix('10.0.0.0/33')).toBeUndefined();
  expect(parseIpv4Prefix('10.0.0.0/08')).toBeUndefined();
});

test('masks', () => {
  expect([0, 1, 24, 32].map(maskOf)).toEqual([0, 0x80000000, 0xffffff00, 0xffffffff]);
});

test('prefixes hold addresses and longer prefixes, and overlap either way', () => {
  const net = parseIpv4Prefix('10.0.0.0/8')!;
  const sub = parseIpv4Prefix('10.1.0.0/16')!;
  expect(prefixHolds(net, 0x0a000001)).toBe(true);
  expect(prefixHolds(net, sub.address, sub.length)).toBe(true);
  expect(prefixHolds(sub, net.address, net.length)).toBe(false);
  expect(prefixesOverlap(sub, net)).toBe(true);
});
