// SPDX-License-Identifier: Apache-2.0
/**
 * Netlink messages and attributes as bytes (RFC 3549 §2; netlink(7), linux/netlink.h).
 *
 *   | length 32 | type 16 | flags 16 | sequence 32 | port 32 | body | attributes ... |
 *   attribute: | length 16 | type 16 | value | padding to 4 |
 *
 * Everything is in host order (little-endian: Egret runs on x86-64 and arm64), except IP addresses.
 * Pure functions; what the bodies of rtnetlink mean stands in rtnetlink-codec.ts.
 */

export const headerBytes = 16;

export const nlmsgError = 2;
export const nlmsgDone = 3;

/** NLM_F_* */
export const flagRequest = 0x1;
export const flagAck = 0x4;
export const flagDump = 0x300;
export const flagDumpInterrupted = 0x10;
export const flagReplace = 0x100;
export const flagExclusive = 0x200;
export const flagCreate = 0x400;
const flagCapped = 0x100;
const flagAckTlvs = 0x200;

export interface MessageHeader {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  readonly port: number;
}

const align = (bytes: number): number => (bytes + 3) & ~3;

/** One attribute: NLA_F_NESTED is left out, as iproute2 does for rtnetlink. */
export function attribute(type: number, value: Uint8Array): Buffer {
  const bytes = Buffer.alloc(align(4 + value.length));
  bytes.writeUInt16LE(4 + value.length, 0);
  bytes.writeUInt16LE(type, 2);
  bytes.set(value, 4);
  return bytes;
}

export function attributeU32(type: number, value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt16LE(8, 0);
  bytes.writeUInt16LE(type, 2);
  bytes.writeUInt32LE(value >>> 0, 4);
  return bytes;
}

/** An IPv4 address, in network order. */
export function attributeIpv4(type: number, address: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt16LE(8, 0);
  bytes.writeUInt16LE(type, 2);
  bytes.writeUInt32BE(address, 4);
  return bytes;
}

export function attributeU8(type: number, value: number): Buffer {
  return attribute(type, Uint8Array.of(value));
}

/** A whole message: header, body (already padded) and attributes. */
export function encodeMessage(
  type: number,
  flags: number,
  sequence: number,
  body: Uint8Array,
): Buffer {
  const bytes = Buffer.alloc(align(headerBytes + body.length));
  bytes.writeUInt32LE(headerBytes + body.length, 0);
  bytes.writeUInt16LE(type, 4);
  bytes.writeUInt16LE(flags, 6);
  bytes.writeUInt32LE(sequence >>> 0, 8);
  bytes.set(body, headerBytes);
  return bytes;
}

/**
 * Walks the messages of a datagram. A message that is cut short ends the walk.
 *
 * @param visit - header, and where the message's body starts and ends in `bytes`
 */
export function forEachMessage(
  bytes: Buffer,
  from: number,
  to: number,
  visit: (header: MessageHeader, start: number, end: number) => void,
): void {
  let at = from;
  while (to - at >= headerBytes) {
    const length = bytes.readUInt32LE(at);
    if (length < headerBytes || length > to - at) return;
    visit(
      {
        type: bytes.readUInt16LE(at + 4),
        flags: bytes.readUInt16LE(at + 6),
        sequence: bytes.readUInt32LE(at + 8),
        port: bytes.readUInt32LE(at + 12),
      },
      at + headerBytes,
      at + length,
    );
    at += align(length);
  }
}

/**
 * Walks attributes. One that is cut short ends the walk.
 *
 * @param visit - type without its two flag bits, and where the value starts and ends
 */
export function forEachAttribute(
  bytes: Buffer,
  from: number,
  to: number,
  visit: (type: number, start: number, end: number) => void,
): void {
  let at = from;
  while (to - at >= 4) {
    const length = bytes.readUInt16LE(at);
    if (length < 4 || length > to - at) return;
    visit(bytes.readUInt16LE(at + 2) & 0x3fff, at + 4, at + length);
    at += align(length);
  }
}

/** What NLMSG_ERROR or NLMSG_DONE says. */
export interface MessageFault {
  /** Positive errno; 0: it is done. */
  readonly errno: number;
  /** The kernel's own words (extended acknowledgement), when it has any. */
  readonly reason: string | undefined;
}

/** @param start - the body of an NLMSG_ERROR or NLMSG_DONE */
export function decodeError(
  bytes: Buffer,
  header: MessageHeader,
  start: number,
  end: number,
): MessageFault {
  if (end - start < 4) return { errno: 71, reason: 'truncated answer' }; // EPROTO
  const errno = 0 - bytes.readInt32LE(start);
  let reason: string | undefined;
  if (header.flags & flagAckTlvs) {
    // NLMSG_ERROR quotes the request: its header alone when capped, otherwise all of it.
    let quoted = 0;
    if (header.type === nlmsgError && end - start >= 4 + headerBytes)
      quoted = header.flags & flagCapped ? headerBytes : bytes.readUInt32LE(start + 4);
    forEachAttribute(bytes, start + 4 + align(quoted), end, (type, from, to) => {
      if (type === 1) reason = decodeString(bytes, from, to);
    });
  }
  return { errno, reason };
}

/** A string with or without its terminating zero. */
export function decodeString(bytes: Buffer, start: number, end: number): string {
  const zero = bytes.indexOf(0, start);
  return bytes.toString('utf8', start, zero >= 0 && zero < end ? zero : end);
}
