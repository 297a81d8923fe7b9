/**
 * MP_REACH_NLRI and MP_UNREACH_NLRI (RFC 4760 §3, §4): routes of one address family, in an attribute.
 *
 *     | AFI (2) | SAFI (1) | next hop bytes (1) | next hop | reserved (1) | prefixes |
 *     | AFI (2) | SAFI (1) | prefixes |
 *
 * IPv4 and IPv6 unicast are all that we agree to (§8): of other families only the outline is read.
 * What cannot be read leaves prefixes that nobody knows, so it ends the session (RFC 7606 §3.j).
 */
import { fail, ok, type Result } from '../../lib/result.ts';
import { attributeType, writeAttribute } from './attribute-header.ts';
import { ByteWriter, u16 } from './bytes.ts';
import { afiOf, type Family, ipv4Unicast, ipv6Unicast, makeFamily, safiOf } from './family.ts';
import { isNlriValid } from './nlri.ts';

/** MP_REACH_NLRI; views into the message. */
export interface MpReach {
  readonly family: Family;
  /** 4 bytes for IPv4, 16 or 32 for IPv6. */
  readonly nextHop: Uint8Array;
  readonly nlri: Uint8Array;
}

export interface MpUnreach {
  readonly family: Family;
  readonly nlri: Uint8Array;
}

/** @returns views into the value; what is wrong, in words */
export function decodeMpReach(value: Uint8Array): Result<MpReach, string> {
  if (value.length < 5) return fail('an MP_REACH_NLRI shorter than 5 bytes');
  const family = makeFamily(u16(value, 0), value[2]!);
  const nextHopBytes = value[3]!;
  const nlriStart = 4 + nextHopBytes + 1;
  if (nlriStart > value.length) return fail('a next hop longer than its MP_REACH_NLRI');
  if (!isNextHopLength(family, nextHopBytes)) {
    return fail(`a next hop of ${nextHopBytes} bytes in MP_REACH_NLRI`);
  }
  const nlri = value.subarray(nlriStart);
  if (!isFamilyNlriValid(family, nlri)) return fail('malformed prefixes in MP_REACH_NLRI');
  return ok({ family, nextHop: value.subarray(4, 4 + nextHopBytes), nlri });
}

/** @returns views into the value; what is wrong, in words */
export function decodeMpUnreach(value: Uint8Array): Result<MpUnreach, string> {
  if (value.length < 3) return fail('an MP_UNREACH_NLRI shorter than 3 bytes');
  const family = makeFamily(u16(value, 0), value[2]!);
  const nlri = value.subarray(3);
  if (!isFamilyNlriValid(family, nlri)) return fail('malformed prefixes in MP_UNREACH_NLRI');
  return ok({ family, nlri });
}

function isNextHopLength(family: Family, byteCount: number): boolean {
  if (family === ipv4Unicast) return byteCount === 4;
  return family !== ipv6Unicast || byteCount === 16 || byteCount === 32;
}

function isFamilyNlriValid(family: Family, nlri: Uint8Array): boolean {
  if (family === ipv4Unicast) return isNlriValid(nlri, 32);
  return family !== ipv6Unicast || isNlriValid(nlri, 128);
}

/** As one whole attribute. */
export function encodeMpReach({ family, nextHop, nlri }: MpReach): Uint8Array {
  const value = new ByteWriter().u16(afiOf(family)).u8(safiOf(family));
  value.u8(nextHop.length).bytes(nextHop).u8(0).bytes(nlri);
  const writer = new ByteWriter();
  writeAttribute(writer, attributeType.mpReach, value.done());
  return writer.done();
}

/** As one whole attribute; without prefixes it is End-of-RIB (RFC 4724 §2). */
export function encodeMpUnreach({ family, nlri }: MpUnreach): Uint8Array {
  const value = new ByteWriter().u16(afiOf(family)).u8(safiOf(family)).bytes(nlri);
  const writer = new ByteWriter();
  writeAttribute(writer, attributeType.mpUnreach, value.done());
  return writer.done();
}
