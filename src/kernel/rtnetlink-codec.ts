/**
 * The bodies of rtnetlink messages: links, IPv4 addresses, routes, neighbors and rules
 * (RFC 3549 §3.1; rtnetlink(7), linux/{rtnetlink,if_link,if_addr,neighbour,fib_rules}.h).
 *
 * Encoders give type and body of a request; decoders read the body of an answer or notification.
 * IPv6, nexthop objects, metrics other than the priority and tunnels are left out: Egret neither
 * writes nor follows them.
 */
import type { Ipv4 } from '../net/ipv4.ts';
import {
  attribute,
  attributeIpv4,
  attributeU8,
  attributeU32,
  decodeString,
  forEachAttribute,
} from './netlink-codec.ts';

export const rtmNewLink = 16;
export const rtmDelLink = 17;
export const rtmGetLink = 18;
export const rtmNewAddress = 20;
export const rtmDelAddress = 21;
export const rtmGetAddress = 22;
export const rtmNewRoute = 24;
export const rtmDelRoute = 25;
export const rtmGetRoute = 26;
export const rtmNewNeighbor = 28;
export const rtmDelNeighbor = 29;
export const rtmGetNeighbor = 30;
export const rtmNewRule = 32;
export const rtmDelRule = 33;
export const rtmGetRule = 34;

/** RTNLGRP_* */
export const groupLink = 1;
export const groupIpv4Address = 5;
export const groupIpv4Route = 7;

export const familyIpv4 = 2;
export const tableMain = 254;
export const protocolKernel = 2;
/** RTN_UNICAST. */
export const routeUnicast = 1;
/** RT_SCOPE_*: universe through a gateway, link without one. */
export const scopeUniverse = 0;
export const scopeLink = 253;
const scopeNowhere = 255;
/** RTM_F_CLONED: an entry of the cache, not of a table. */
const routeCloned = 0x200;

/** What a request says, without its header. */
export interface RequestBody {
  readonly type: number;
  readonly body: Buffer;
}

// -- Links ----------------------------------------------------------------------------------------

export interface LinkMessage {
  readonly ifindex: number;
  readonly name: string;
  /** Lower-case hexadecimal with colons; empty for a link without hardware address. */
  readonly mac: string;
  readonly mtu: number;
  /** IFF_UP: the administrator's wish. */
  readonly isUp: boolean;
  /** IFF_LOWER_UP: the carrier. */
  readonly hasCarrier: boolean;
  readonly isLoopback: boolean;
  /** The bridge or VRF device that it belongs to; 0: none. */
  readonly masterIfindex: number;
  /** IFLA_INFO_KIND, e.g. "veth"; empty for plain hardware. */
  readonly kind: string;
}

/** RTM_GETLINK for a dump of all links. */
export function encodeLinkDump(): RequestBody {
  return { type: rtmGetLink, body: Buffer.alloc(16) };
}

/** @returns undefined when the body is too short or has no name */
export function decodeLink(bytes: Buffer, start: number, end: number): LinkMessage | undefined {
  if (end - start < 16) return undefined;
  const flags = bytes.readUInt32LE(start + 8);
  let name = '';
  let mac = '';
  let mtu = 0;
  let masterIfindex = 0;
  let kind = '';
  forEachAttribute(bytes, start + 16, end, (type, from, to) => {
    if (type === 1) mac = [...bytes.subarray(from, to)].map(hexByte).join(':');
    else if (type === 3) name = decodeString(bytes, from, to);
    else if (type === 4 && to - from >= 4) mtu = bytes.readUInt32LE(from);
    else if (type === 10 && to - from >= 4) masterIfindex = bytes.readUInt32LE(from);
    else if (type === 18)
      forEachAttribute(bytes, from, to, (inner, innerFrom, innerTo) => {
        if (inner === 1) kind = decodeString(bytes, innerFrom, innerTo);
      });
  });
  if (name === '') return undefined;
  return {
    ifindex: bytes.readInt32LE(start + 4),
    name,
    mac,
    mtu,
    isUp: (flags & 0x1) !== 0,
    hasCarrier: (flags & 0x10000) !== 0,
    isLoopback: (flags & 0x8) !== 0,
    masterIfindex,
    kind,
  };
}

const hexByte = (byte: number): string => byte.toString(16).padStart(2, '0');

// -- Addresses ------------------------------------------------------------------------------------

export interface AddressMessage {
  readonly ifindex: number;
  readonly address: Ipv4;
  readonly prefixLength: number;
  /** The other end of a point-to-point link; otherwise the address itself. */
  readonly peer: Ipv4;
  readonly broadcast: Ipv4 | undefined;
  /** IFA_F_SECONDARY: another address of the same prefix came first. */
  readonly isSecondary: boolean;
  /** IFA_F_NOPREFIXROUTE: the kernel makes no connected route for it. */
  readonly hasNoPrefixRoute: boolean;
}

/** RTM_GETADDR for a dump of all IPv4 addresses. */
export function encodeAddressDump(): RequestBody {
  const body = Buffer.alloc(8);
  body[0] = familyIpv4;
  return { type: rtmGetAddress, body };
}

/** @returns undefined for another family, or without an address */
export function decodeAddress(
  bytes: Buffer,
  start: number,
  end: number,
): AddressMessage | undefined {
  if (end - start < 8 || bytes[start] !== familyIpv4) return undefined;
  let flags = bytes[start + 2]!;
  let local: Ipv4 | undefined;
  let peer: Ipv4 | undefined;
  let broadcast: Ipv4 | undefined;
  forEachAttribute(bytes, start + 8, end, (type, from, to) => {
    if (to - from < 4) return;
    if (type === 1) peer = bytes.readUInt32BE(from);
    else if (type === 2) local = bytes.readUInt32BE(from);
    else if (type === 4) broadcast = bytes.readUInt32BE(from);
    else if (type === 8) flags = bytes.readUInt32LE(from);
  });
  const address = local ?? peer;
  if (address === undefined) return undefined;
  return {
    ifindex: bytes.readInt32LE(start + 4),
    address,
    prefixLength: bytes[start + 1]!,
    peer: peer ?? address,
    broadcast,
    isSecondary: (flags & 0x1) !== 0,
    hasNoPrefixRoute: (flags & 0x200) !== 0,
  };
}

// -- Routes ---------------------------------------------------------------------------------------

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
  const body = Buffer.alloc(12);
  body[0] = familyIpv4;
  return { type: rtmGetRoute, body: Buffer.concat([body, attributeU32(15, table)]) };
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
  const body = Buffer.alloc(12);
  body[0] = familyIpv4;
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
  if (end - start < 12 || bytes[start] !== familyIpv4 || bytes[start + 3] !== 0) return undefined;
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

// -- Neighbors ------------------------------------------------------------------------------------

export interface NeighborMessage {
  readonly ifindex: number;
  readonly address: Ipv4;
  /** NUD_*: 0x2 reachable, 0x20 failed, 0x80 permanent, ... */
  readonly state: number;
  /** NTF_EXT_MANAGED: the kernel keeps it resolved. */
  readonly isManaged: boolean;
  /** NDA_PROTOCOL: who made it; 0: nobody in particular. */
  readonly protocol: number;
}

/** RTM_GETNEIGH for a dump of the IPv4 neighbors of all links. */
export function encodeNeighborDump(): RequestBody {
  const body = Buffer.alloc(12);
  body[0] = familyIpv4;
  return { type: rtmGetNeighbor, body };
}

/** A neighbor that the kernel resolves and keeps resolved by itself. */
export function encodeManagedNeighbor(
  ifindex: number,
  address: Ipv4,
  protocol: number,
): RequestBody {
  const parts = [attributeU32(15, 1), attributeU8(12, protocol)];
  return { type: rtmNewNeighbor, body: encodeNeighbor(ifindex, address, parts) };
}

export function encodeDelNeighbor(ifindex: number, address: Ipv4): RequestBody {
  return { type: rtmDelNeighbor, body: encodeNeighbor(ifindex, address, []) };
}

function encodeNeighbor(ifindex: number, address: Ipv4, parts: readonly Buffer[]): Buffer {
  const body = Buffer.alloc(12);
  body[0] = familyIpv4;
  body.writeInt32LE(ifindex, 4);
  return Buffer.concat([body, attributeIpv4(1, address), ...parts]);
}

/** @returns undefined for another family, or without an address */
export function decodeNeighbor(
  bytes: Buffer,
  start: number,
  end: number,
): NeighborMessage | undefined {
  if (end - start < 12 || bytes[start] !== familyIpv4) return undefined;
  let address: Ipv4 | undefined;
  let protocol = 0;
  let isManaged = false;
  forEachAttribute(bytes, start + 12, end, (type, from, to) => {
    if (type === 1 && to - from >= 4) address = bytes.readUInt32BE(from);
    else if (type === 12 && to > from) protocol = bytes[from]!;
    else if (type === 15 && to - from >= 4) isManaged = (bytes.readUInt32LE(from) & 1) !== 0;
  });
  if (address === undefined) return undefined;
  const ifindex = bytes.readInt32LE(start + 4);
  return { ifindex, address, state: bytes.readUInt16LE(start + 8), isManaged, protocol };
}

// -- Rules ----------------------------------------------------------------------------------------

/** A rule that sends packets with a mark to a table. */
export interface RuleMessage {
  readonly priority: number;
  readonly table: number;
  readonly mark: number;
  readonly mask: number;
  /** FRA_PROTOCOL: who made it. */
  readonly protocol: number;
}

/** RTM_GETRULE for a dump of the IPv4 rules, in the order in which they are tried. */
export function encodeRuleDump(): RequestBody {
  const body = Buffer.alloc(12);
  body[0] = familyIpv4;
  return { type: rtmGetRule, body };
}

export function encodeNewRule(rule: RuleMessage): RequestBody {
  return { type: rtmNewRule, body: encodeRule(rule) };
}

export function encodeDelRule(rule: RuleMessage): RequestBody {
  return { type: rtmDelRule, body: encodeRule(rule) };
}

function encodeRule(rule: RuleMessage): Buffer {
  const body = Buffer.alloc(12);
  body[0] = familyIpv4;
  body[4] = rule.table < 256 ? rule.table : 0;
  body[7] = 1; // FR_ACT_TO_TBL
  return Buffer.concat([
    body,
    attributeU32(6, rule.priority),
    attributeU32(10, rule.mark),
    attributeU32(16, rule.mask),
    attributeU32(15, rule.table),
    attributeU8(21, rule.protocol),
  ]);
}

/** @returns undefined for another family */
export function decodeRule(bytes: Buffer, start: number, end: number): RuleMessage | undefined {
  if (end - start < 12 || bytes[start] !== familyIpv4) return undefined;
  let priority = 0;
  let table = bytes[start + 4]!;
  let mark = 0;
  let mask = 0;
  let protocol = 0;
  forEachAttribute(bytes, start + 12, end, (type, from, to) => {
    if (type === 21 && to > from) protocol = bytes[from]!;
    if (to - from < 4) return;
    if (type === 6) priority = bytes.readUInt32LE(from);
    else if (type === 15) table = bytes.readUInt32LE(from);
    else if (type === 10) mark = bytes.readUInt32LE(from);
    else if (type === 16) mask = bytes.readUInt32LE(from);
  });
  return { priority, table, mark, mask, protocol };
}
