// SPDX-License-Identifier: Apache-2.0
/** Bytes and messages, in both directions. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseIpv4, parseIpv4Prefix } from '../../net/ipv4.ts';
import { type AsPathSegment, noAttributes, type PathAttributes } from '../../rib/route.ts';
import { decodeAsPath, encodeAsPath, mergeAs4Path } from './as-path.ts';
import type { Capability } from './capability.ts';
import { ipv4Unicast, ipv6Unicast } from './family.ts';
import { encodeMessage, Framer } from './header.ts';
import { encodeNlri, forEachPrefix, isNlriValid } from './nlri.ts';
import {
  decodeNotification,
  describeNotification,
  encodeNotification,
  encodeShutdownText,
  shutdownText,
} from './notification.ts';
import { decodeOpen, encodeOpen, type Open } from './open.ts';
import { decodePathAttributes, encodePathAttributes } from './path-attribute.ts';
import { decodeRouteRefresh, encodeRouteRefresh } from './route-refresh.ts';
import { decodeUpdate, encodeEndOfRib, encodeUpdate } from './update.ts';

const ip = (text: string) => parseIpv4(text)!;
const bytes = (hex: string) => Uint8Array.from(Buffer.from(hex.replaceAll(/\s/g, ''), 'hex'));
const hexOf = (value: Uint8Array) => Buffer.from(value).toString('hex');
const plain = (hex: string) => hex.replaceAll(/\s/g, '');
const fourOctet = { isFourOctet: true, isExternal: true };
const twoOctet = { isFourOctet: false, isExternal: true };
const internal = { isFourOctet: true, isExternal: false };

describe('OPEN', () => {
  const pairs: [string, string, Open][] = [
    [
      'without capabilities',
      '04 fc00 005a 01010101 00',
      { as: 64512, holdTimeSeconds: 90, bgpId: ip('1.1.1.1'), capabilities: [] },
    ],
    [
      'with every capability we know',
      `04 5ba0 00f0 ac10018c 3b
       02 06 01 04 0001 00 01   02 06 01 04 0002 00 01   02 02 02 00   02 02 06 00
       02 08 40 06 8078 0001 01 80   02 06 41 04 fa56ea00   02 02 46 00
       02 05 49 03 01 61 00   02 04 7f 02 beef`,
      {
        as: 23456,
        holdTimeSeconds: 240,
        bgpId: ip('172.16.1.140'),
        capabilities: [
          { kind: 'multiprotocol', family: ipv4Unicast },
          { kind: 'multiprotocol', family: ipv6Unicast },
          { kind: 'routeRefresh' },
          { kind: 'extendedMessage' },
          {
            kind: 'gracefulRestart',
            isRestarting: true,
            hasNotification: false,
            restartTimeSeconds: 120,
            families: [{ family: ipv4Unicast, isForwarding: true }],
          },
          { kind: 'fourOctetAs', as: 4_200_000_000 },
          { kind: 'enhancedRouteRefresh' },
          { kind: 'fqdn', host: 'a', domain: '' },
          { kind: 'unknown', code: 127, value: bytes('beef') },
        ],
      },
    ],
  ];
  test.each(pairs)('%s', (_, hex, open) => {
    expect(hexOf(encodeOpen(open))).toBe(plain(hex));
    expect(decodeOpen(bytes(hex))).toEqual({ ok: true, value: open });
  });

  test('several capabilities in one parameter', () => {
    const decoded = decodeOpen(bytes('04 fc00 0000 01010101 08 02 06 02 00 7f 02 beef'));
    expect(decoded.ok && decoded.value.capabilities).toEqual([
      { kind: 'routeRefresh' },
      { kind: 'unknown', code: 127, value: bytes('beef') },
    ]);
  });

  test('extended optional parameters, whether needed or not (RFC 9072)', () => {
    const short = decodeOpen(bytes('04 fc00 005a 01010101 ff ff 0005 02 0002 02 00'));
    expect(short.ok && short.value.capabilities).toEqual([{ kind: 'routeRefresh' }]);
    const capabilities: Capability[] = Array.from({ length: 60 }, (_, at) => {
      return { kind: 'unknown', code: 200, value: Uint8Array.of(at, at, at) };
    });
    const open = { as: 1, holdTimeSeconds: 0, bgpId: 1, capabilities };
    expect(decodeOpen(encodeOpen(open))).toEqual({ ok: true, value: open });
  });

  test.each([
    ['a short one', '04 fc00 005a 010101', 0],
    ['version 3', '03 fc00 005a 01010101 00', 1],
    ['identifier zero', '04 fc00 005a 00000000 00', 3],
    ['optional parameter 1', '04 fc00 005a 01010101 02 01 00', 4],
    ['hold time 1', '04 fc00 0001 01010101 00', 6],
    ['parameters shorter than said', '04 fc00 005a 01010101 04 02 02', 0],
    ['a parameter longer than all', '04 fc00 005a 01010101 02 02 09', 0],
    ['a capability longer than its parameter', '04 fc00 005a 01010101 04 02 02 40 09', 0],
    ['multiprotocol of 3 bytes', '04 fc00 005a 01010101 07 02 05 01 03 000100', 0],
    ['route refresh with a value', '04 fc00 005a 01010101 05 02 03 02 01 00', 0],
    ['extended message with a value', '04 fc00 005a 01010101 05 02 03 06 01 00', 0],
    ['graceful restart of 3 bytes', '04 fc00 005a 01010101 07 02 05 40 03 007800', 0],
    ['an AS of two octets as one of four', '04 fc00 005a 01010101 06 02 04 41 02 fc00', 0],
    ['enhanced route refresh with a value', '04 fc00 005a 01010101 05 02 03 46 01 00', 0],
    ['extended parameters cut short', '04 fc00 005a 01010101 ff ff 00', 0],
  ])('refuses %s', (_, hex, subcode) => {
    expect(decodeOpen(bytes(hex))).toMatchObject({ ok: false, fault: { code: 2, subcode } });
  });

  const capability: fc.Arbitrary<Capability> = fc.oneof(
    fc.constantFrom<Capability>({ kind: 'routeRefresh' }, { kind: 'extendedMessage' }),
    fc.record({ kind: fc.constant('multiprotocol' as const), family: fc.nat(0xffffff) }),
    fc.record({ kind: fc.constant('fourOctetAs' as const), as: fc.nat(0xffffffff) }),
    fc.record({
      kind: fc.constant('gracefulRestart' as const),
      isRestarting: fc.boolean(),
      hasNotification: fc.boolean(),
      restartTimeSeconds: fc.nat(4095),
      families: fc.array(fc.record({ family: fc.nat(0xffffff), isForwarding: fc.boolean() }), {
        maxLength: 4,
      }),
    }),
    fc.record({
      kind: fc.constant('fqdn' as const),
      host: fc.string({ maxLength: 40 }),
      domain: fc.string({ maxLength: 40 }),
    }),
  );
  test('decode is the inverse of encode', () => {
    const open = fc.record({
      as: fc.nat(0xffff),
      holdTimeSeconds: fc.nat(0xffff).filter((each) => each !== 1 && each !== 2),
      bgpId: fc.integer({ min: 1, max: 0xffffffff }),
      capabilities: fc.array(capability, { maxLength: 40 }),
    });
    fc.assert(
      fc.property(open, (value) => {
        expect(decodeOpen(encodeOpen(value))).toEqual({ ok: true, value });
      }),
    );
  });
});

describe('NOTIFICATION', () => {
  test('both ways, with the words of a shutdown (RFC 9003)', () => {
    const notification = { code: 6, subcode: 2, data: encodeShutdownText('bye') };
    expect(hexOf(encodeNotification(notification))).toBe('060203627965');
    expect(decodeNotification(bytes('060203627965'))).toEqual({ ok: true, value: notification });
    expect(shutdownText(notification)).toBe('bye');
    expect(describeNotification(notification)).toBe('Cease: Administrative Shutdown');
    expect(shutdownText({ code: 6, subcode: 2, data: bytes('02c328') })).toBeUndefined();
    expect(shutdownText({ code: 6, subcode: 2, data: bytes('05aa') })).toBeUndefined();
    expect(decodeNotification(bytes('06'))).toMatchObject({ ok: false });
  });

  test('holds no more than an ordinary message does (RFC 8654 §4)', () => {
    const data = new Uint8Array(60_000).fill(7);
    const body = encodeNotification({ code: 3, subcode: 1, data });
    expect(encodeMessage(3, body)).toHaveLength(4096);
    expect(body.subarray(0, 3)).toEqual(Uint8Array.of(3, 1, 7));
  });

  test('long words are cut between characters', () => {
    const data = encodeShutdownText('é'.repeat(200));
    expect(data[0]).toBe(254);
    expect(shutdownText({ code: 6, subcode: 4, data })).toBe('é'.repeat(127));
  });
});

describe('ROUTE-REFRESH', () => {
  test('both ways', () => {
    const refresh = { family: ipv6Unicast, subtype: 1 };
    expect(hexOf(encodeRouteRefresh(refresh))).toBe('00020101');
    expect(decodeRouteRefresh(bytes('00020101'))).toEqual({ ok: true, value: refresh });
  });

  test('of wrong length is answered with the whole message (RFC 7313 §5)', () => {
    const data = bytes(`${'ff'.repeat(16)} 0018 05 0001010100`);
    const fault = { code: 7, subcode: 1, data };
    expect(decodeRouteRefresh(bytes('0001010100'))).toMatchObject({ fault });
    expect(decodeRouteRefresh(bytes('000201'))).toMatchObject({ fault: { code: 7, subcode: 1 } });
  });
});

describe('the framer', () => {
  const messages = fc.array(
    fc.tuple(fc.constantFrom(2, 3, 5), fc.uint8Array({ minLength: 4, maxLength: 300 })),
  );
  test('finds the messages however the stream is cut', () => {
    fc.assert(
      fc.property(messages, fc.integer({ min: 1, max: 700 }), (list, chunkBytes) => {
        const framer = new Framer();
        const stream = Buffer.concat(list.map(([type, body]) => encodeMessage(type, body)));
        const found: [number, Uint8Array][] = [];
        for (let at = 0; at < stream.length; at += chunkBytes) {
          framer.push(stream.subarray(at, at + chunkBytes));
          for (;;) {
            const next = framer.next();
            if (!next.ok) throw new Error(next.fault.reason);
            if (!next.value) break;
            found.push([next.value.type, next.value.body.slice()]);
          }
        }
        expect(found).toEqual(list.map(([type, body]) => [type, Uint8Array.from(body)]));
        expect(framer.bufferedBytes).toBe(0);
      }),
    );
  });

  const ones = 'ff'.repeat(16);
  test.each([
    ['one marker byte that is not ones, at once', 'fffe', 1],
    ['length 18', `${ones} 0012 04`, 2],
    ['length 4097', `${ones} 1001 02`, 2],
    ['type 6', `${ones} 0013 06`, 3],
    ['a KEEPALIVE with a body', `${ones} 0014 04`, 2],
    ['an OPEN of 28 bytes', `${ones} 001c 01`, 2],
    ['an UPDATE of 22 bytes', `${ones} 0016 02`, 2],
  ])('refuses %s', (_, hex, subcode) => {
    const framer = new Framer();
    framer.push(bytes(hex));
    expect(framer.next()).toMatchObject({ ok: false, fault: { code: 1, subcode } });
  });

  test('takes extended messages only once advertised, and never such an OPEN (RFC 8654)', () => {
    const framer = new Framer();
    framer.isExtended = true;
    framer.push(encodeMessage(2, new Uint8Array(60_000)));
    expect(framer.next()).toMatchObject({ ok: true, value: { type: 2 } });
    framer.push(encodeMessage(1, new Uint8Array(5_000)));
    expect(framer.next()).toMatchObject({ ok: false, fault: { code: 1, subcode: 2 } });
  });
});

describe('prefixes', () => {
  test('both ways, host bits cleared', () => {
    const prefixes = [
      '0.0.0.0/0',
      '10.0.0.0/8',
      '172.16.0.0/12',
      '192.0.2.1/32',
      '198.51.100.128/25',
    ];
    const list = prefixes.map((each) => {
      const { address, length } = parseIpv4Prefix(each)!;
      return { address, length };
    });
    const nlri = encodeNlri(list);
    expect(hexOf(nlri)).toBe('00080a0cac1020c000020119c6336480');
    expect(isNlriValid(nlri)).toBe(true);
    const found: { address: number; length: number }[] = [];
    forEachPrefix(nlri, (address, length) => found.push({ address, length }));
    expect(found).toEqual(list);
    const dirty: number[] = [];
    forEachPrefix(bytes('0c acff 04 ff'), (address) => dirty.push(address));
    expect(dirty).toEqual([ip('172.240.0.0'), ip('240.0.0.0')]);
  });

  test.each(['21 0102030405', '18 0102', '08'])('%s is none', (hex) => {
    expect(isNlriValid(bytes(hex))).toBe(false);
  });
});

const sequence = (...asNumbers: number[]): AsPathSegment => ({ kind: 'AS_SEQUENCE', asNumbers });
const set = (...asNumbers: number[]): AsPathSegment => ({ kind: 'AS_SET', asNumbers });

describe('AS_PATH', () => {
  test('both ways, four octets and two', () => {
    const path = [sequence(65001, 4_200_000_000), set(7)];
    expect(hexOf(encodeAsPath(path, 4))).toBe('02020000fde9fa56ea00010100000007');
    expect(decodeAsPath(encodeAsPath(path, 4), 4)).toEqual(path);
    expect(decodeAsPath(encodeAsPath(path, 2), 2)).toEqual([sequence(65001, 23456), set(7)]);
  });

  test.each(['0500', '0200', '0201fd', '0201', '02010000', '02'])('%s is malformed', (hex) => {
    expect(decodeAsPath(bytes(hex), 2)).toBeUndefined();
  });

  test('is rebuilt from AS4_PATH (RFC 6793 §4.2.3)', () => {
    const merged = mergeAs4Path([sequence(1, 23456, 23456)], [sequence(70_000, 80_000)]);
    expect(merged).toEqual([sequence(1, 70_000, 80_000)]);
    const longer = [sequence(1, 2, 3)];
    expect(mergeAs4Path([sequence(23456)], longer)).toEqual([sequence(23456)]);
    const withSet = mergeAs4Path([sequence(1), set(2, 3), sequence(23456)], [sequence(70_000)]);
    expect(withSet).toEqual([sequence(1), set(2, 3), sequence(70_000)]);
  });
});

const full: PathAttributes = {
  origin: 'EGP',
  asPath: [sequence(65001)],
  nextHop: ip('172.16.1.140'),
  med: 5,
  localPref: 200,
  isAtomicAggregate: true,
  aggregator: { as: 65001, address: ip('9.9.9.9') },
  communities: [(65001 << 16) >>> 0, 0xffffff01],
  originatorId: ip('3.3.3.3'),
  clusterList: [1, 2],
  extendedCommunities: [0x0002fde900000001n],
  largeCommunities: [[1, 2, 3]],
  unknown: [{ flags: 0xe0, type: 99, value: bytes('aabb') }],
};

const fullHex = `400101 01 400206 0201 0000fde9 400304 ac10018c 800404 00000005 400504 000000c8
  400600 c00708 0000fde9 09090909 c00808 fde90000 ffffff01 800904 03030303
  800a08 00000001 00000002 c01008 0002fde900000001 c0200c 000000010000000200000003 e06302 aabb`;

describe('path attributes', () => {
  test('both ways', () => {
    expect(hexOf(encodePathAttributes(full, internal))).toBe(plain(fullHex));
    const decoded = decodePathAttributes(bytes(fullHex), internal);
    expect(decoded.attributes).toEqual(full);
    expect(decoded.faults).toEqual([]);
  });

  test('decode is the inverse of encode, to old speakers too', () => {
    const u32 = fc.nat(0xffffffff);
    const as = fc.integer({ min: 1, max: 0xffffffff });
    const attributes = fc.record<PathAttributes>({
      origin: fc.constantFrom('IGP', 'EGP', 'INCOMPLETE'),
      asPath: fc
        .array(as, { maxLength: 60 })
        .map((path) => (path.length > 0 ? [sequence(...path)] : [])),
      nextHop: fc.option(u32, { nil: undefined }),
      med: fc.option(u32, { nil: undefined }),
      localPref: fc.option(u32, { nil: undefined }),
      isAtomicAggregate: fc.boolean(),
      aggregator: fc.option(fc.record({ as, address: u32 }), { nil: undefined }),
      communities: fc.array(u32, { maxLength: 100 }),
      largeCommunities: fc.array(fc.tuple(u32, u32, u32)),
      extendedCommunities: fc.array(fc.bigInt(0n, 0xffffffffffffffffn)),
      originatorId: fc.option(u32, { nil: undefined }),
      clusterList: fc.array(u32),
      unknown: fc
        .uniqueArray(fc.integer({ min: 100, max: 255 }))
        .map((types) =>
          types.sort((a, b) => a - b).map((type) => ({ flags: 0xc0, type, value: bytes('01') })),
        ),
    });
    fc.assert(
      fc.property(attributes, fc.boolean(), (value, isFourOctet) => {
        const encoded = encodePathAttributes(value, { isFourOctet });
        const decoded = decodePathAttributes(encoded, { isFourOctet, isExternal: false });
        expect(decoded.faults).toEqual([]);
        // AGGREGATOR with an AS of two octets voids AS4_PATH (RFC 6793 §4.2.3) only when an
        // AS4_AGGREGATOR contradicts it, which we never send.
        expect(decoded.attributes).toEqual(value);
      }),
    );
  });

  test('AGGREGATOR that is not AS_TRANS voids AS4_AGGREGATOR and AS4_PATH', () => {
    const hex = `400206 0202 0001 5ba0 c00706 0007 09090909
      c01106 0201 00011170 c01208 00011170 09090909`;
    const { attributes } = decodePathAttributes(bytes(hex), twoOctet);
    expect(attributes.asPath).toEqual([sequence(1, 23456)]);
    expect(attributes.aggregator?.as).toBe(7);
  });

  /** RFC 7606 §7 and §3, attribute by attribute. */
  test.each([
    ['ORIGIN 3', '400101 03', fourOctet, 'treat-as-withdraw', 6],
    ['ORIGIN of 2 bytes', '400102 0000', fourOctet, 'treat-as-withdraw', 5],
    ['ORIGIN with flag Optional', 'c00101 00', fourOctet, 'treat-as-withdraw', 4],
    ['AS_PATH with AS 0', '400206 0201 00000000', fourOctet, 'treat-as-withdraw', 11],
    ['AS_PATH cut', '400203 020100', fourOctet, 'treat-as-withdraw', 11],
    ['confederations outside', '400206 0301 00000001', fourOctet, 'treat-as-withdraw', 11],
    ['NEXT_HOP of 5 bytes', '400305 0102030405', fourOctet, 'treat-as-withdraw', 5],
    ['MED of 3 bytes', '800403 000000', fourOctet, 'treat-as-withdraw', 5],
    ['LOCAL_PREF outside', '400504 00000064', fourOctet, 'attribute-discard', 9],
    ['LOCAL_PREF of 3 bytes inside', '400503 000000', internal, 'treat-as-withdraw', 5],
    ['ATOMIC_AGGREGATE with a value', '400601 00', fourOctet, 'attribute-discard', 5],
    ['AGGREGATOR of 6 bytes', 'c00706 000109090909', fourOctet, 'attribute-discard', 5],
    ['COMMUNITIES of 0 bytes', 'c00800', fourOctet, 'treat-as-withdraw', 9],
    ['COMMUNITIES of 5 bytes', 'c00805 0000000000', fourOctet, 'treat-as-withdraw', 9],
    ['ORIGINATOR_ID outside', '800904 01010101', fourOctet, 'attribute-discard', 9],
    ['ORIGINATOR_ID of 3 bytes', '800903 010101', internal, 'treat-as-withdraw', 5],
    ['CLUSTER_LIST outside', '800a04 01010101', fourOctet, 'attribute-discard', 9],
    ['CLUSTER_LIST of 3 bytes', '800a03 010101', internal, 'treat-as-withdraw', 5],
    ['extended communities of 7', 'c01007 00000000000000', fourOctet, 'treat-as-withdraw', 9],
    ['large communities of 8', 'c02008 0000000000000000', fourOctet, 'treat-as-withdraw', 9],
    ['AS4_PATH from a new speaker', 'c01106 020100011170', fourOctet, 'attribute-discard', 9],
    ['AS4_PATH cut', 'c01103 020100', twoOctet, 'attribute-discard', 9],
    ['ORIGIN twice', '400101 00 400101 01', fourOctet, 'attribute-discard', 1],
    ['MP_REACH twice', '800e05 0001010000'.repeat(2), fourOctet, 'session-reset', 9],
    ['MP_REACH with a next hop too long', '800e06 000101ff0000', fourOctet, 'session-reset', 9],
    ['MP_REACH with next hop of 5', '800e0a 0001010501020304 0500', fourOctet, 'session-reset', 9],
    ['MP_REACH with flag Transitive', 'c00e05 0001010000', fourOctet, 'session-reset', 4],
    ['MP_UNREACH of 2 bytes', '800f02 0001', fourOctet, 'session-reset', 9],
    ['MP_UNREACH with /33', '800f09 000101 21 0102030405', fourOctet, 'session-reset', 9],
    ['an unknown well-known attribute', '406300', fourOctet, 'session-reset', 2],
    ['a list that ends in a head', '4001', fourOctet, 'treat-as-withdraw', 1],
    ['a value longer than the list', '400105 00', fourOctet, 'treat-as-withdraw', 1],
  ] as const)('%s', (_, hex, options, outcome, subcode) => {
    const { faults } = decodePathAttributes(bytes(hex), options);
    expect(faults[0]).toMatchObject({ outcome, subcode });
  });

  test('a large community that is there twice counts once (RFC 8092 §3)', () => {
    const twice = `c02024 ${'000000010000000200000003'.repeat(2)} 000000010000000200000004`;
    expect(decodePathAttributes(bytes(twice), fourOctet).attributes.largeCommunities).toEqual([
      [1, 2, 3],
      [1, 2, 4],
    ]);
  });

  test('unknown optional attributes: transitive ones are kept, others dropped', () => {
    const { attributes, faults } = decodePathAttributes(bytes('c06301aa 806401bb'), fourOctet);
    expect(attributes.unknown).toEqual([{ flags: 0xc0, type: 99, value: bytes('aa') }]);
    expect(faults).toEqual([]);
  });
});

describe('UPDATE', () => {
  const origin = '400101 00 400200 400304 ac10018c';
  const multiprotocol = {
    ...fourOctet,
    families: [ipv4Unicast],
    multiprotocolFamilies: [ipv4Unicast],
  };

  test('announces and withdraws', () => {
    const attributes = { ...noAttributes, nextHop: ip('172.16.1.140') };
    const body = encodeUpdate({
      withdrawn: bytes('080a'),
      attributes: encodePathAttributes(attributes, fourOctet),
      nlri: bytes('18c00002'),
    });
    expect(hexOf(body)).toBe(plain(`0002 080a 000e ${origin} 18c00002`));
    expect(decodeUpdate(body, { ...multiprotocol, ...internal })).toMatchObject({
      ok: true,
      value: { attributes, isTreatedAsWithdraw: false, faults: [], isEndOfRib: false },
    });
  });

  test('IPv4 in attributes (RFC 4760), whose bytes are no key then', () => {
    const reach = '800e0d 0001 01 04 ac10018c 00 18 c00002';
    const unreach = '800f05 0001 01 08 0a';
    const body = encodeUpdate({ attributes: bytes(`400101 00 400200 ${reach} ${unreach}`) });
    expect(decodeUpdate(body, multiprotocol)).toMatchObject({
      ok: true,
      value: {
        mpReach: { family: ipv4Unicast, nextHop: bytes('ac10018c'), nlri: bytes('18c00002') },
        mpUnreach: { family: ipv4Unicast, nlri: bytes('080a') },
        attributeKey: undefined,
        isTreatedAsWithdraw: false,
        faults: [],
      },
    });
  });

  test.each([
    ['faulty', '400303 ac1001'],
    ['of no host', '400304 7f000001'],
  ])('a NEXT_HOP %s next to MP_REACH_NLRI is ignored (RFC 4760 §3)', (_, nextHop) => {
    const reach = '800e0d 0001 01 04 ac10018c 00 18 c00002';
    const attributes = bytes(`400101 00 400200 ${nextHop} ${reach}`);
    expect(decodeUpdate(encodeUpdate({ attributes }), multiprotocol)).toMatchObject({
      ok: true,
      value: { isTreatedAsWithdraw: false, faults: [] },
    });
    const both = encodeUpdate({ attributes, nlri: bytes('080a') });
    const isTreatedAsWithdraw = nextHop.startsWith('400303');
    expect(decodeUpdate(both, multiprotocol)).toMatchObject({ value: { isTreatedAsWithdraw } });
  });

  test('prefixes of a family that was not negotiated are left out, and said', () => {
    const none = { ...multiprotocol, families: [], multiprotocolFamilies: [] };
    const attributes = bytes(`${origin} 800e08 0002 01 00 00 20 2001 800f04 0001 80 00`);
    const parts = { withdrawn: bytes('080a'), attributes, nlri: bytes('18c00002') };
    const decoded = decodeUpdate(encodeUpdate(parts), none);
    expect(decoded).toMatchObject({
      ok: true,
      value: { withdrawn: bytes(''), nlri: bytes(''), mpReach: undefined, mpUnreach: undefined },
    });
    const faults = decoded.ok ? decoded.value.faults : [];
    expect(faults.map(({ outcome, type }) => [outcome, type])).toEqual([
      ['attribute-discard', 0],
      ['attribute-discard', 14],
      ['attribute-discard', 15],
    ]);
  });

  test('End-of-RIB', () => {
    expect(hexOf(encodeEndOfRib())).toBe('00000000');
    for (const [text, isEndOfRib] of [
      ['0000 0000', true],
      ['0000 0006 800f03 0001 01', true],
      ['0000 0006 800f03 0002 01', false],
      ['0000 0008 800f05 0001 01 08 0a', false],
    ] as const) {
      const decoded = decodeUpdate(bytes(text), multiprotocol);
      expect(decoded).toMatchObject({ ok: true, value: { isEndOfRib } });
    }
  });

  test.each([
    ['withdrawn routes longer than the message', '0009 0000', 1],
    ['attributes longer than the message', '0000 0009', 1],
    ['a withdrawn /33', '0006 210102030405 0000', 10],
    ['a prefix cut short', `0000 000e ${origin} 18c000`, 10],
    ['an unknown well-known attribute', '0000 0003 406300', 2],
    ['a faulty attribute and nothing announced (RFC 7606 §5.2)', '0000 0004 400101 09', 6],
    [
      'a faulty attribute and an MP_REACH_NLRI without prefixes (RFC 7606 §5.2)',
      '0000 0010 400101 09 800e09 0001 01 04 ac10018c 00',
      6,
    ],
  ])('%s ends the session', (_, hex, subcode) => {
    const decoded = decodeUpdate(bytes(hex), { ...multiprotocol, ...internal });
    expect(decoded).toMatchObject({ ok: false, fault: { code: 3, subcode } });
  });

  test.each([
    ['ORIGIN missing', '0000 000a 400200 400304 ac10018c 080a'],
    ['AS_PATH missing', '0000 000b 400101 00 400304 ac10018c 080a'],
    ['NEXT_HOP missing', '0000 0007 400101 00 400200 080a'],
    ['attributes overrun', '0000 0004 400109 00 080a'],
  ])('%s is treated as withdraw', (_, hex) => {
    const decoded = decodeUpdate(bytes(hex), { ...multiprotocol, ...internal });
    expect(decoded).toMatchObject({ ok: true, value: { isTreatedAsWithdraw: true } });
  });
});
