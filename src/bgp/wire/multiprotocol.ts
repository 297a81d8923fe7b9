// SPDX-License-Identifier: Apache-2.0
/**
 * MP_REACH_NLRI and MP_UNREACH_NLRI (RFC 4760 §3, §4): routes of one address family, in an attribute.
 *
 *     | AFI (2) | SAFI (1) | next hop bytes (1) | next hop | reserved (1) | prefixes |
 *     | AFI (2) | SAFI (1) | prefixes |
 *
 * IPv4 unicast is all that we agree to (§8): of other families only the outline is read. What cannot
 * be read leaves prefixes unknown, so it ends the session (RFC 7606 §3.j).
 *
 * We send neither: IPv4 prefixes go into the fields of UPDATE that RFC 4271 has for them.
 */
import { fail, ok, type Result } from '../../lib/result.ts';
import { u16 } from './bytes.ts';
import { type Family, ipv4Unicast, makeFamily } from './family.ts';
import { isNlriValid } from './nlri.ts';

/** MP_REACH_NLRI; views into the message. */
export interface MpReach {
  readonly family: Family;
  /** 4 bytes for IPv4. */
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
  if (family === ipv4Unicast && nextHopBytes !== 4) {
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

function isFamilyNlriValid(family: Family, nlri: Uint8Array): boolean {
  return family !== ipv4Unicast || isNlriValid(nlri);
}
