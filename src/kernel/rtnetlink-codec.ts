// SPDX-License-Identifier: Apache-2.0
/**
 * The bodies of rtnetlink messages: links, IPv4 addresses, neighbors and rules (RFC 3549 §3.1;
 * rtnetlink(7), linux/{rtnetlink,if_link,if_addr,neighbour,fib_rules}.h). Those of routes stand in
 * route-codec.ts.
 *
 * Encoders give type and body of a request; decoders read the body of an answer or notification.
 * IPv6 and tunnels are left out: Egret neither writes nor follows them.
 */
import type { Ipv4 } from '../net/ipv4.ts';
import {
  attributeIpv4,
  attributeU8,
  attributeU32,
  decodeString,
  forEachAttribute,
} from './netlink-codec.ts';

export const rtmNewLink = 16;
export const rtmDelLink = 17;
const rtmGetLink = 18;
export const rtmNewAddress = 20;
export const rtmDelAddress = 21;
const rtmGetAddress = 22;
const rtmNewNeighbor = 28;
const rtmDelNeighbor = 29;
const rtmGetNeighbor = 30;
const rtmNewRule = 32;
const rtmDelRule = 33;
const rtmGetRule = 34;

/** RTNLGRP_* */
export const groupLink = 1;
export const groupIpv4Address = 5;
export const groupIpv4Route = 7;

const familyIpv4 = 2;

/** What a request says, without its header. */
export interface RequestBody {
  readonly type: number;
  readonly body: Buffer;
}

/** The fixed part of a message on IPv4, zeros but for the family. */
export function ipv4Body(bytes: number): Buffer {
  const body = Buffer.alloc(bytes);
  body[0] = familyIpv4;
  return body;
}

/** @returns whether at least bytesMin are there, of a message on IPv4 */
export function isIpv4Body(bytes: Buffer, start: number, end: number, bytesMin: number): boolean {
  return end - start >= bytesMin && bytes[start] === familyIpv4;
}

// -- Links ----------------------------------------------------------------------------------------

export interface LinkMessage {
  readonly ifindex: number;
  readonly name: string;
  /** Lower-case hexadecimal with colons; empty for a link without hardware address. */
  readonly mac: string;
  /** That of the hardware, which a bond's member has not in use; empty: none, or the same. */
  readonly permanentMac: string;
  readonly mtu: number;
  /** IFF_UP: the administrator's wish. */
  readonly isUp: boolean;
  /** IFF_LOWER_UP: the carrier. */
  readonly hasCarrier: boolean;
  readonly isLoopback: boolean;
  /** ARPHRD_*: 1 is Ethernet; tunnels have others. */
  readonly hardwareType: number;
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
  let permanentMac = '';
  let mtu = 0;
  let masterIfindex = 0;
  let kind = '';
  forEachAttribute(bytes, start + 16, end, (type, from, to) => {
    if (type === 1) mac = macText(bytes.subarray(from, to));
    else if (type === 54) permanentMac = macText(bytes.subarray(from, to));
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
    permanentMac,
    mtu,
    isUp: (flags & 0x1) !== 0,
    hasCarrier: (flags & 0x10000) !== 0,
    isLoopback: (flags & 0x8) !== 0,
    hardwareType: bytes.readUInt16LE(start + 2),
    masterIfindex,
    kind,
  };
}

const macText = (bytes: Uint8Array): string =>
  [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(':');

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
  return { type: rtmGetAddress, body: ipv4Body(8) };
}

/** @returns undefined for another family, or without an address */
export function decodeAddress(
  bytes: Buffer,
  start: number,
  end: number,
): AddressMessage | undefined {
  if (!isIpv4Body(bytes, start, end, 8)) return undefined;
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

// -- Neighbors ------------------------------------------------------------------------------------

export interface NeighborMessage {
  readonly ifindex: number;
  readonly address: Ipv4;
  /** NUD_*: 0x2 reachable, 0x20 failed, 0x80 permanent, ... */
  readonly state: number;
  /** NTF_EXT_MANAGED: the kernel keeps it resolved. */
  readonly isManaged: boolean;
  /** NDA_PROTOCOL: who made it; 0: not set. */
  readonly protocol: number;
}

/** RTM_GETNEIGH for a dump of the IPv4 neighbors of all links. */
export function encodeNeighborDump(): RequestBody {
  return { type: rtmGetNeighbor, body: ipv4Body(12) };
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
  const body = ipv4Body(12);
  body.writeInt32LE(ifindex, 4);
  return Buffer.concat([body, attributeIpv4(1, address), ...parts]);
}

/** @returns undefined for another family, or without an address */
export function decodeNeighbor(
  bytes: Buffer,
  start: number,
  end: number,
): NeighborMessage | undefined {
  if (!isIpv4Body(bytes, start, end, 12)) return undefined;
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
  return { type: rtmGetRule, body: ipv4Body(12) };
}

export function encodeNewRule(rule: RuleMessage): RequestBody {
  return { type: rtmNewRule, body: encodeRule(rule) };
}

export function encodeDelRule(rule: RuleMessage): RequestBody {
  return { type: rtmDelRule, body: encodeRule(rule) };
}

function encodeRule(rule: RuleMessage): Buffer {
  const body = ipv4Body(12);
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
  if (!isIpv4Body(bytes, start, end, 12)) return undefined;
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
