// SPDX-License-Identifier: Apache-2.0
/** The adj-RIB-out: what leads from one set of our addresses to another. */
import { expect, test } from 'vitest';
import { type Ipv4, parseIpv4 } from '../../net/ipv4.ts';
import { ipv4Unicast } from '../wire/family.ts';
import { headerBytes, messageBytesMax } from '../wire/header.ts';
import { forEachPrefix } from '../wire/nlri.ts';
import { decodeUpdate } from '../wire/update.ts';
import { AdjRibOut } from './export.ts';

const ip = (text: string): Ipv4 => parseIpv4(text)!;
const nextHop = ip('172.16.1.1');
const open = (isExternal: boolean): AdjRibOut =>
  new AdjRibOut({ isExternal, isFourOctet: true, localAs: 64_513, nextHop, med: undefined }, []);

function decoded(body: Uint8Array, isExternal: boolean) {
  const update = decodeUpdate(body, {
    isFourOctet: true,
    isExternal,
    families: [ipv4Unicast],
    multiprotocolFamilies: [],
  });
  if (!update.ok) throw new Error(update.fault.reason);
  return update.value;
}

test('the next hop is our address of the session', () => {
  const [body] = open(true).setAddresses([ip('10.50.0.2')]);
  expect(decoded(body!, true).attributes.nextHop).toBe(nextHop);
});

test('LOCAL_PREF is sent to internal neighbors only', () => {
  const [internal] = open(false).setAddresses([ip('10.50.0.2')]);
  expect(decoded(internal!, false).attributes).toMatchObject({ localPref: 100, asPath: [] });
  const [external] = open(true).setAddresses([ip('10.50.0.2')]);
  // From outside it would be discarded when decoded: as if from inside.
  expect(decoded(external!, false).attributes.localPref).toBeUndefined();
});

test('what has not changed is not announced again', () => {
  const out = open(true);
  const [first, second] = [ip('10.50.0.2'), ip('10.50.0.3')];
  expect(out.setAddresses([first, second])).toHaveLength(1);
  expect(out.setAddresses([second, first])).toEqual([]);
  const [body] = out.setAddresses([second]);
  const { withdrawn, nlri } = decoded(body!, true);
  const found: Ipv4[] = [];
  forEachPrefix(withdrawn, (address) => found.push(address));
  expect(found).toEqual([first]);
  expect(nlri.length).toBe(0);
});

test('many addresses are announced in UPDATEs of at most 4096 bytes', () => {
  const addresses = Array.from({ length: 3_000 }, (_, at) => ip('10.60.0.0') + at);
  const out = open(true);
  for (const bodies of [out.setAddresses(addresses), out.setAddresses([])]) {
    expect(bodies.length).toBeGreaterThan(3);
    const longest = Math.max(...bodies.map((body) => headerBytes + body.length));
    expect(longest).toBeLessThanOrEqual(messageBytesMax);
  }
});

test('while draining, everything is announced as a last resort (RFC 8326 §4.1)', () => {
  for (const isExternal of [true, false]) {
    const out = open(isExternal);
    out.setAddresses([ip('10.50.0.2')]);
    const [body, ...more] = out.drain();
    expect(more).toEqual([]);
    const { attributes } = decoded(body!, isExternal);
    expect(attributes.communities).toEqual([0xffff_0000]);
    expect(attributes.localPref).toBe(isExternal ? undefined : 0);
    const [next] = out.setAddresses([ip('10.50.0.2'), ip('10.50.0.3')]);
    expect(decoded(next!, isExternal).attributes.communities).toEqual([0xffff_0000]);
  }
});
