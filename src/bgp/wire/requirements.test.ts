// SPDX-License-Identifier: Apache-2.0
/** Requirements on messages, of RFC 4271 where no other is named, that no other test shows (docs/rfc). */
import { expect, test } from 'vitest';
import { noAttributes } from '../../rib/route.ts';
import { mergeAs4Path } from './as-path.ts';
import { ipv4Unicast } from './family.ts';
import { encodeMessage, Framer } from './header.ts';
import { decodeOpen } from './open.ts';
import { decodePathAttributes, encodePathAttributes } from './path-attribute.ts';
import { decodeUpdate, encodeUpdate } from './update.ts';

const bytes = (hex: string) => Uint8Array.from(Buffer.from(hex.replaceAll(' ', ''), 'hex'));
const external = {
  isFourOctet: true,
  isExternal: true,
  families: [ipv4Unicast],
  multiprotocolFamilies: [ipv4Unicast],
};

test('§4.3: the four low bits of attribute flags are zero when sent, ignored when received', () => {
  const sent = encodePathAttributes({ ...noAttributes, nextHop: 1 }, { isFourOctet: true });
  expect([sent[0], sent[4], sent[7]].map((flags) => flags! & 0x0f)).toEqual([0, 0, 0]);
  const { attributes, faults } = decodePathAttributes(bytes('4f0101 01'), external);
  expect(faults).toEqual([]);
  expect(attributes.origin).toBe('EGP');
});

test('§5: attributes are taken in any order', () => {
  const ascending = bytes('400101 00 400200 400304 0a000001 800404 00000005');
  const descending = bytes('800404 00000005 400304 0a000001 400200 400101 00');
  const decoded = decodePathAttributes(descending, external);
  expect(decoded.faults).toEqual([]);
  expect(decoded.attributes).toEqual(decodePathAttributes(ascending, external).attributes);
});

test('§6.3: attributes without NLRI are a valid UPDATE', () => {
  const attributes = bytes('400101 00 400200 400304 0a000001');
  const decoded = decodeUpdate(encodeUpdate({ attributes }), external);
  expect(decoded).toMatchObject({ ok: true, value: { faults: [], isTreatedAsWithdraw: false } });
});

test('§6.1, §6.2: the data field says what was wrong', () => {
  const dataOf = (message: Uint8Array) => {
    const framer = new Framer();
    framer.push(message);
    const next = framer.next();
    return next.ok ? undefined : [...next.fault.data];
  };
  expect(dataOf(encodeMessage(2, new Uint8Array(4078)))).toEqual([0x10, 0x01]);
  expect(dataOf(encodeMessage(9, new Uint8Array(4)))).toEqual([9]);
  const version = decodeOpen(bytes('05 fc00 005a 01010101 00'));
  expect(version.ok ? undefined : [...version.fault.data]).toEqual([0, 4]);
});

test('§6.3: an attribute error carries the attribute', () => {
  const { faults } = decodePathAttributes(bytes('c00101 00'), external);
  expect([...(faults[0]?.data ?? [])]).toEqual([0xc0, 1, 1, 0]);
});

test('§4.3: Extended Length is for values longer than 255 bytes', () => {
  const flagsWith = (count: number) => {
    const communities = Array.from({ length: count }, (_, at) => at);
    const sent = encodePathAttributes({ ...noAttributes, communities }, { isFourOctet: true });
    return sent[sent.lastIndexOf(8, sent.length - count * 4 - 2) - 1]! & 0x10;
  };
  expect([flagsWith(63), flagsWith(64)]).toEqual([0, 0x10]);
});

test('RFC 7606 §3.h: of several faults the strongest outcome counts', () => {
  const discardAndWithdraw = bytes('400601 00 400101 05 400200 400304 0a000001');
  const nlri = bytes('18 c00002');
  const withdrawn = decodeUpdate(encodeUpdate({ attributes: discardAndWithdraw, nlri }), external);
  expect(withdrawn).toMatchObject({ ok: true, value: { isTreatedAsWithdraw: true } });
  const andReset = Buffer.concat([discardAndWithdraw, bytes('406300')]);
  const reset = decodeUpdate(encodeUpdate({ attributes: andReset, nlri }), external);
  expect(reset).toMatchObject({ ok: false, fault: { code: 3, subcode: 2 } });
});

test('RFC 7606 §5.1, RFC 4760 §3: MP_REACH_NLRI in any position, its reserved byte ignored', () => {
  const reach = '800e0d 0001 01 04 ac10018c ff 18 cb0071';
  const others = '400101 00 400200';
  for (const hex of [`${reach} ${others}`, `${others} ${reach}`]) {
    const decoded = decodeUpdate(encodeUpdate({ attributes: bytes(hex) }), external);
    expect(decoded).toMatchObject({
      ok: true,
      value: { faults: [], mpReach: { family: ipv4Unicast, nlri: bytes('18 cb0071') } },
    });
  }
});

test('RFC 6793 §6: confederation segments in AS4_PATH are discarded', () => {
  const asPath = [{ kind: 'AS_SEQUENCE', asNumbers: [1, 23_456] }] as const;
  const as4Path = [
    { kind: 'AS_CONFED_SEQUENCE', asNumbers: [7] },
    { kind: 'AS_SEQUENCE', asNumbers: [70_000] },
  ] as const;
  expect(mergeAs4Path(asPath, as4Path)).toEqual([{ kind: 'AS_SEQUENCE', asNumbers: [1, 70_000] }]);
});
