// SPDX-License-Identifier: Apache-2.0
/** UPDATEs with faults, and what RFC 7606 wants done about each. */
import { message } from './hostile-program.ts';

export const hostileAs = 65_001;

export function hexOf(text: string): Buffer {
  return Buffer.from(text.replaceAll(' ', ''), 'hex');
}

function attribute(flags: number, type: number, value: string): string {
  const bytes = hexOf(value);
  return Buffer.concat([Buffer.from([flags, type, bytes.length]), bytes]).toString('hex');
}

export const origin = attribute(0x40, 1, '00');
/** The hostile AS alone. */
export const asPath = attribute(0x40, 2, '0201 0000fde9');

export function nextHop(local: string): string {
  return attribute(0x40, 3, Buffer.from(local.split('.').map(Number)).toString('hex'));
}

export function update(attributes: string, nlri: string, withdrawn = ''): Buffer {
  const [a, n, w] = [attributes, nlri, withdrawn].map(hexOf) as [Buffer, Buffer, Buffer];
  const lengths = [Buffer.alloc(2), Buffer.alloc(2)] as const;
  lengths[0].writeUInt16BE(w.length);
  lengths[1].writeUInt16BE(a.length);
  return message(2, Buffer.concat([lengths[0], w, lengths[1], a, n]));
}

/** A prefix of each case's own, as a route and as it is encoded. */
export function ownPrefix(number: number): { text: string; nlri: string } {
  return {
    text: `203.0.${number}.0/24`,
    nlri: Buffer.from([24, 203, 0, number]).toString('hex'),
  };
}

export interface FaultCase {
  readonly name: string;
  /** An UPDATE with the fault. @param good - mandatory attributes; nlri - the case's prefix */
  readonly make: (good: string, nlri: string, local: string) => Buffer;
  /** UPDATE Message Error subcode, for a session reset. */
  readonly subcode?: number;
}

const withAttribute = (flags: number, type: number, value: string): FaultCase['make'] => {
  return (good, nlri) => update(good + attribute(flags, type, value), nlri);
};

// RFC 7606 §3 and §7, by outcome.
export const discards: FaultCase[] = [
  { name: 'ATOMIC_AGGREGATE with a value', make: withAttribute(0x40, 6, '00') },
  { name: 'AGGREGATOR of 5 bytes', make: withAttribute(0xc0, 7, '0000000000') },
  { name: 'LOCAL_PREF from outside', make: withAttribute(0x40, 5, '00000001') },
  { name: 'ORIGINATOR_ID from outside', make: withAttribute(0x80, 9, '0000') },
  { name: 'a second ORIGIN', make: withAttribute(0x40, 1, '02') },
  {
    name: 'IPv6 prefixes, which were not negotiated',
    make: withAttribute(0x80, 14, `0002 01 10 ${'00'.repeat(16)} 00 20 20010db8`),
  },
];
export const withdrawals: FaultCase[] = [
  {
    name: 'ORIGIN 5',
    make: (_, nlri, local) => update(attribute(0x40, 1, '05') + asPath + nextHop(local), nlri),
  },
  {
    name: 'an AS_PATH segment longer than AS_PATH',
    make: (_, nlri, local) =>
      update(origin + attribute(0x40, 2, '0209 0000fde9') + nextHop(local), nlri),
  },
  {
    name: 'AS 0 in AS_PATH',
    make: (_, nlri, local) =>
      update(origin + attribute(0x40, 2, '0202 0000fde9 00000000') + nextHop(local), nlri),
  },
  {
    name: 'confederation segments',
    make: (_, nlri, local) =>
      update(origin + attribute(0x40, 2, '0301 0000fde9') + nextHop(local), nlri),
  },
  {
    name: 'NEXT_HOP of 5 bytes',
    make: (_, nlri) => update(origin + asPath + attribute(0x40, 3, '6440090101'), nlri),
  },
  { name: 'no NEXT_HOP', make: (_, nlri) => update(origin + asPath, nlri) },
  { name: 'no ORIGIN', make: (_, nlri, local) => update(asPath + nextHop(local), nlri) },
  { name: 'MED of 3 bytes', make: withAttribute(0x80, 4, '000001') },
  { name: 'COMMUNITIES of 5 bytes', make: withAttribute(0xc0, 8, '0000000000') },
  { name: 'extended communities of 7 bytes', make: withAttribute(0xc0, 16, '00000000000000') },
  { name: 'large communities of 11 bytes', make: withAttribute(0xc0, 32, '0'.repeat(22)) },
  {
    name: 'ORIGIN with the flags of an optional attribute',
    make: (_, nlri, local) => update(attribute(0xc0, 1, '00') + asPath + nextHop(local), nlri),
  },
  {
    name: 'an attribute longer than the list',
    make: (good, nlri) => update(`${good}c0 08 ff 00000000`, nlri),
  },
];
export const resets: FaultCase[] = [
  { name: 'a prefix of 33 bits', make: (good) => update(good, '21 cb00710000'), subcode: 10 },
  { name: 'a prefix cut short', make: (good) => update(good, '20 cb00'), subcode: 10 },
  {
    name: 'a withdrawn prefix of 33 bits',
    make: () => update('', '', '21 cb00710000'),
    subcode: 10,
  },
  {
    name: 'attributes longer than the UPDATE',
    make: () => message(2, hexOf('0000 00ff 40010100')),
    subcode: 1,
  },
  {
    name: 'withdrawn routes longer than the UPDATE',
    make: () => message(2, hexOf('00ff 0000')),
    subcode: 1,
  },
  { name: 'an unknown well-known attribute', make: withAttribute(0x40, 200, '00'), subcode: 2 },
  {
    name: 'MP_REACH_NLRI twice',
    make: (good, nlri) =>
      update(good + attribute(0x80, 14, `0002 01 10 ${'00'.repeat(16)} 00`).repeat(2), nlri),
    subcode: 1,
  },
  {
    name: 'MP_REACH_NLRI with a next hop of 5 bytes',
    make: withAttribute(0x80, 14, '0001 01 05 0000000000 00'),
    subcode: 9,
  },
];
