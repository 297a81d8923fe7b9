// SPDX-License-Identifier: Apache-2.0
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseAsn } from './asn.ts';
import { parseCommunity } from './community.ts';
import { formatDurationMs, parseDurationMs } from './duration.ts';
import { isIpv6, parseIpv6Length } from './ipv6.ts';

describe('AS numbers (RFC 5396)', () => {
  it.each([
    ['64512', 64512],
    ['1.10', 65546],
    ['65535.65535', 0xffff_ffff],
    ['4294967295', 0xffff_ffff],
    ['4294967296', undefined],
    ['1.65536', undefined],
    ['65536.0', undefined],
    ['1e3', undefined],
    ['-1', undefined],
    ['', undefined],
  ])('%s', (text, expected) => expect(parseAsn(text)).toBe(expected));
});

describe('durations', () => {
  it.each([
    ['90s', 90_000],
    ['2h4m', 7_440_000],
    ['500ms', 500],
    ['1.5h', 5_400_000],
    ['0', 0],
    ['90', undefined],
    ['5 m', undefined],
    ['-5s', undefined],
    ['1d', undefined],
    ['', undefined],
  ])('%s', (text, expected) => expect(parseDurationMs(text)).toBe(expected));

  it('are read back as printed', () => {
    fc.assert(
      fc.property(fc.nat(10 ** 12), (ms) => {
        expect(parseDurationMs(formatDurationMs(ms))).toBe(ms);
      }),
    );
  });
});

describe('communities (RFC 1997, RFC 8092)', () => {
  it.each([
    ['64512:1', 64512 * 65536 + 1],
    ['65535:65281', 0xffffff01],
    ['1:2:3', [1, 2, 3]],
    ['65536:1', undefined],
    ['4294967296:1:1', undefined],
    ['64512', undefined],
    ['a:b', undefined],
  ])('%s', (text, expected) => expect(parseCommunity(text)).toEqual(expected));
});

describe('IPv6 text (RFC 4291 §2.2)', () => {
  it.each([
    ['::', true],
    ['::1', true],
    ['2001:db8::1', true],
    ['1:2:3:4:5:6:7:8', true],
    ['::ffff:192.0.2.1', true],
    ['1:2:3:4:5:6:7::', true],
    ['1:2:3:4:5:6:7', false],
    ['1:2:3:4:5:6:7:8:9', false],
    ['1::2::3', false],
    [':1', false],
    ['12345::', false],
    ['192.0.2.1', false],
    ['', false],
  ])('%s', (text, expected) => expect(isIpv6(text)).toBe(expected));

  it('prefix lengths', () => {
    expect(parseIpv6Length('2001:db8::/32')).toBe(32);
    expect(parseIpv6Length('::/129')).toBeUndefined();
    expect(parseIpv6Length('::/01')).toBeUndefined();
  });
});
