// SPDX-License-Identifier: Apache-2.0
/**
 * The packets of ping, traceroute and tcp-check: IPv4 (RFC 791) with an ICMP echo request (RFC 792) or
 * a TCP segment without data (RFC 9293), and what of an answer matters.
 */
import type { Ipv4 } from '../../net/ipv4.ts';

const ipBytes = 20;
const protocols = { icmp: 1, tcp: 6 } as const;

export interface Ends {
  readonly source: Ipv4;
  readonly destination: Ipv4;
  readonly ttl: number;
}

export const tcpFlags = { syn: 0x02, rst: 0x04, ack: 0x10 } as const;

/** @param dataBytes - behind the ICMP header; the packet is not to be fragmented when isWhole */
export function echoRequest(
  ends: Ends,
  id: number,
  sequence: number,
  dataBytes: number,
  isWhole = false,
): Uint8Array {
  const packet = header(ends, protocols.icmp, 8 + dataBytes, isWhole);
  const icmp = packet.subarray(ipBytes);
  icmp[0] = 8;
  icmp.writeUInt16BE(id, 4);
  icmp.writeUInt16BE(sequence, 6);
  for (let i = 0; i < dataBytes; i += 1) icmp[8 + i] = i & 0xff;
  icmp.writeUInt16BE(checksum(icmp), 2);
  return packet;
}

export interface Segment {
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly sequence: number;
  readonly flags: number;
}

export function tcpSegment(ends: Ends, segment: Segment): Uint8Array {
  const packet = header(ends, protocols.tcp, 20, true);
  const tcp = packet.subarray(ipBytes);
  tcp.writeUInt16BE(segment.sourcePort, 0);
  tcp.writeUInt16BE(segment.destinationPort, 2);
  tcp.writeUInt32BE(segment.sequence, 4);
  tcp[12] = 5 << 4;
  tcp[13] = segment.flags;
  tcp.writeUInt16BE(65_535, 14);
  const pseudo = Buffer.alloc(12);
  pseudo.writeUInt32BE(ends.source, 0);
  pseudo.writeUInt32BE(ends.destination, 4);
  pseudo[9] = protocols.tcp;
  pseudo.writeUInt16BE(tcp.length, 10);
  tcp.writeUInt16BE(checksum(Buffer.concat([pseudo, tcp])), 16);
  return packet;
}

function header(ends: Ends, protocol: number, bytes: number, isWhole: boolean): Buffer {
  const packet = Buffer.alloc(ipBytes + bytes);
  packet[0] = (4 << 4) | (ipBytes / 4);
  packet.writeUInt16BE(packet.length, 2);
  if (isWhole) packet.writeUInt16BE(0x4000, 6);
  packet[8] = ends.ttl;
  packet[9] = protocol;
  packet.writeUInt32BE(ends.source, 12);
  packet.writeUInt32BE(ends.destination, 16);
  packet.writeUInt16BE(checksum(packet.subarray(0, ipBytes)), 10);
  return packet;
}

/** RFC 1071. */
function checksum(bytes: Buffer): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) sum += (bytes[at]! << 8) | (bytes[at + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

export type Answer =
  | (From & { readonly kind: 'echo reply'; readonly sequence: number; readonly bytes: number })
  | (From & { readonly kind: 'segment'; readonly flags: number; readonly acknowledgment: number })
  /** @property sequence - of the echo request that it quotes; of TCP: 0 */
  | (From & {
      readonly kind: 'error';
      readonly type: number;
      readonly code: number;
      readonly sequence: number;
      readonly mtu: number;
    });

interface From {
  readonly from: Ipv4;
  readonly ttl: number;
}

/** @returns undefined when it is none of these */
export function parseAnswer(bytes: Uint8Array): Answer | undefined {
  const packet = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (packet.length < ipBytes) return undefined;
  const { start, protocol, from } = parseHeader(packet);
  const ttl = packet[8]!;
  const rest = packet.subarray(start);
  if (protocol === protocols.tcp && rest.length >= 20) {
    return { kind: 'segment', from, ttl, flags: rest[13]!, acknowledgment: rest.readUInt32BE(8) };
  }
  if (protocol !== protocols.icmp || rest.length < 8) return undefined;
  const [type, code] = [rest[0]!, rest[1]!];
  if (type === 0) {
    return { kind: 'echo reply', from, ttl, sequence: rest.readUInt16BE(6), bytes: rest.length };
  }
  const quote = rest.subarray(8);
  if (quote.length < ipBytes) return undefined;
  const inner = parseHeader(quote);
  const isEcho = inner.protocol === protocols.icmp && quote.length >= inner.start + 8;
  const sequence = isEcho ? quote.readUInt16BE(inner.start + 6) : 0;
  return { kind: 'error', from, ttl, type, code, sequence, mtu: rest.readUInt16BE(6) };
}

const parseHeader = (packet: Buffer): { start: number; protocol: number; from: Ipv4 } => ({
  start: (packet[0]! & 0x0f) * 4,
  protocol: packet[9]!,
  from: packet.readUInt32BE(12),
});

const unreachable: Readonly<Record<number, string>> = {
  0: 'network unreachable',
  1: 'host unreachable',
  2: 'protocol unreachable',
  3: 'port unreachable',
  9: 'network prohibited',
  10: 'host prohibited',
  13: 'administratively prohibited',
};

/** RFC 792, RFC 1812 §5.2.7. */
export function errorText({
  type,
  code,
  mtu,
}: {
  type: number;
  code: number;
  mtu: number;
}): string {
  if (type === 11) return 'time to live exceeded';
  if (type === 3 && code === 4) return `too big, the path takes ${mtu} bytes`;
  if (type === 3) return unreachable[code] ?? `unreachable, code ${code}`;
  return `ICMP type ${type} code ${code}`;
}
