// SPDX-License-Identifier: Apache-2.0
/** ROUTE-REFRESH (RFC 2918 §3), with the message subtypes of RFC 7313 §3.2. */
import { fail, ok, type Result } from '../../lib/result.ts';
import { ByteWriter, u16 } from './bytes.ts';
import { afiOf, type Family, makeFamily, safiOf } from './family.ts';
import { encodeMessage, messageType } from './header.ts';
import { type BgpFault, makeFault, notificationCode } from './notification.ts';

export interface RouteRefresh {
  readonly family: Family;
  /** request 0, beginning of refresh 1, end of refresh 2; others are ignored (RFC 7313 §5). */
  readonly subtype: number;
}

export const refreshSubtype = { request: 0, begin: 1, end: 2 } as const;

export function encodeRouteRefresh(refresh: RouteRefresh): Uint8Array {
  return new ByteWriter()
    .u16(afiOf(refresh.family))
    .u8(refresh.subtype)
    .u8(safiOf(refresh.family))
    .done();
}

/**
 * What stands behind the four bytes is ORF (RFC 5291), which we never advertise: ignored.
 *
 * @returns on a wrong length the NOTIFICATION of RFC 7313 §5, with the message as it came
 */
export function decodeRouteRefresh(body: Uint8Array): Result<RouteRefresh, BgpFault> {
  const subtype = body[2] ?? 0;
  const isOfRfc7313 = subtype === refreshSubtype.begin || subtype === refreshSubtype.end;
  if (body.length < 4 || (isOfRfc7313 && body.length !== 4)) {
    const { routeRefresh } = notificationCode;
    const data = encodeMessage(messageType.routeRefresh, body);
    return fail(makeFault(routeRefresh, 1, 'a ROUTE-REFRESH of wrong length', data));
  }
  return ok({ family: makeFamily(u16(body, 0), body[3]!), subtype });
}
