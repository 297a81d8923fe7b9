// SPDX-License-Identifier: Apache-2.0
/**
 * The bodies of rtnetlink messages on IPv4 routes (RFC 3549 §3.1.1; rtnetlink(7), linux/rtnetlink.h).
 *
 * One route at a time: what the mirror writes in bulk, native/egretd/route_message.c encodes. Nexthop objects,
 * metrics other than the priority and routes for a TOS are left out: Egret neither writes nor follows
 * them.
 */
import type { Ipv4 } from '../net/ipv4.ts';
import { attribute, attributeIpv4, attributeU32, forEachAttribute } from './netlink-codec.ts';
import { ipv4Body, isIpv4Body, type RequestBody } from './rtnetlink-codec.ts';

export const rtmNewRoute = 24;
export const rtmDelRoute = 25;
const rtmGetRoute = 26;

/** RT_TABLE_MAIN. */
export const tableMain = 254;
/** RTPROT_KERNEL. */
export const protocolKernel = 2;
/** RTN_*: to another host, and to the box itself. */
export const routeUnicast = 1;
export const routeLocal = 2;
/** RT_SCOPE_*: universe through a gateway, link without one, host for the box itself. */
export const scopeUniverse = 0;
export const scopeLink = 253;
export const scopeHost = 254;
const scopeNowhere = 255;
/** RTM_F_CLONED: an entry of the cache, not of a table. */
const routeCloned = 0x200;

export interface RouteNextHop {
  readonly ifindex: number;
  /** 0: the destination is on the link. */
  readonly address: Ipv4;
  readonly weight: number;
}

export interface RouteMessage {
  readonly table: number;
  readonly prefix: Ipv4;
  readonly prefixLength: number;
  readonly protocol: number;
  readonly scope: number;
  /** RTN_*: 1 unicast, 6 blackhole, 7 unreachable, ... */
  readonly type: number;
  readonly metric: number;
  /** Preferred source. */
  readonly source: Ipv4 | undefined;
  /** Empty for a route that leads nowhere. */
  readonly nextHops: readonly RouteNextHop[];
}

/** RTM_GETROUTE for a dump of one table; the kernel leaves the others out (strict checking). */
export function encodeRouteDump(table: number): RequestBody {
  return { type: rtmGetRoute, body: Buffer.concat([ipv4Body(12), attributeU32(15, table)]) };
}

export function encodeNewRoute(route: RouteMessage): RequestBody {
  return { type: rtmNewRoute, body: encodeRoute(route, route.scope, route.type) };
}

/** Removes a route of this prefix, table, protocol and metric, whatever its next hops. */
export function encodeDelRoute(
  route: Pick<RouteMessage, 'table' | 'prefix' | 'prefixLength' | 'protocol' | 'metric'>,
): RequestBody {
  const body = encodeRoute({ ...route, source: undefined, nextHops: [] }, scopeNowhere, 0);
  return { type: rtmDelRoute, body };
}

function encodeRoute(
  route: Omit<RouteMessage, 'scope' | 'type'>,
  scope: number,
  type: number,
): Buffer {
  const body = ipv4Body(12);
  body[1] = route.prefixLength;
  body[4] = route.table < 256 ? route.table : 0;
  body[5] = route.protocol;
  body[6] = scope;
  body[7] = type;
  const parts = [body, attributeU32(15, route.table)];
  if (route.prefixLength > 0) parts.push(attributeIpv4(1, route.prefix));
  if (route.metric !== 0) parts.push(attributeU32(6, route.metric));
  if (route.source !== undefined) parts.push(attributeIpv4(7, route.source));
  const [first] = route.nextHops;
  if (route.nextHops.length > 1) {
    parts.push(attribute(9, Buffer.concat(route.nextHops.map(encodeNextHop))));
  } else if (first) {
    if (first.address !== 0) parts.push(attributeIpv4(5, first.address));
    parts.push(attributeU32(4, first.ifindex));
  }
  return Buffer.concat(parts);
}

/** struct rtnexthop and its gateway. */
function encodeNextHop(hop: RouteNextHop): Buffer {
  const gateway = hop.address === 0 ? Buffer.alloc(0) : attributeIpv4(5, hop.address);
  const bytes = Buffer.alloc(8);
  bytes.writeUInt16LE(8 + gateway.length, 0);
  bytes[3] = hop.weight - 1;
  bytes.writeInt32LE(hop.ifindex, 4);
  return Buffer.concat([bytes, gateway]);
}

/** @returns undefined for another family, a cache entry or a route with a TOS */
export function decodeRoute(bytes: Buffer, start: number, end: number): RouteMessage | undefined {
  if (!isIpv4Body(bytes, start, end, 12) || bytes[start + 3] !== 0) return undefined;
  if (bytes.readUInt32LE(start + 8) & routeCloned) return undefined;
  let table = bytes[start + 4]!;
  let prefix = 0;
  let metric = 0;
  let source: Ipv4 | undefined;
  let gateway = 0;
  let ifindex = 0;
  let nextHops: RouteNextHop[] | undefined;
  forEachAttribute(bytes, start + 12, end, (type, from, to) => {
    if (to - from < 4) return;
    if (type === 15) table = bytes.readUInt32LE(from);
    else if (type === 1) prefix = bytes.readUInt32BE(from);
    else if (type === 6) metric = bytes.readUInt32LE(from);
    else if (type === 7) source = bytes.readUInt32BE(from);
    else if (type === 5) gateway = bytes.readUInt32BE(from);
    else if (type === 4) ifindex = bytes.readInt32LE(from);
    else if (type === 9) nextHops = decodeNextHops(bytes, from, to);
  });
  return {
    table,
    prefix,
    prefixLength: bytes[start + 1]!,
    protocol: bytes[start + 5]!,
    scope: bytes[start + 6]!,
    type: bytes[start + 7]!,
    metric,
    source,
    nextHops: nextHops ?? (ifindex === 0 ? [] : [{ ifindex, address: gateway, weight: 1 }]),
  };
}

function decodeNextHops(bytes: Buffer, from: number, to: number): RouteNextHop[] {
  const nextHops: RouteNextHop[] = [];
  let at = from;
  while (to - at >= 8) {
    const length = bytes.readUInt16LE(at);
    if (length < 8 || length > to - at) break;
    let address = 0;
    forEachAttribute(bytes, at + 8, at + length, (type, start, end) => {
      if (type === 5 && end - start >= 4) address = bytes.readUInt32BE(start);
    });
    nextHops.push({ ifindex: bytes.readInt32LE(at + 4), address, weight: bytes[at + 3]! + 1 });
    at += (length + 3) & ~3;
  }
  return nextHops;
}
