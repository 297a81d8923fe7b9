// SPDX-License-Identifier: Apache-2.0
/**
 * Frames written by hand: Ethernet, IPv4, UDP. For what no stack would send, and with every field
 * free to be wrong.
 */

export interface UdpFrame {
  readonly sourceMac: string;
  readonly destinationMac: string;
  readonly source: string;
  readonly destination: string;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly payload: string;
  readonly ttl?: number;
}

/** RFC 1071. */
export function checksum(bytes: Buffer): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) {
    sum += ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

function octets(address: string): number[] {
  return address.split('.').map(Number);
}

export function ethernetHeader(destination: string, source: string, etherType: number): Buffer {
  const macs = Buffer.from((destination + source).replaceAll(':', ''), 'hex');
  return Buffer.concat([macs, Buffer.from([etherType >>> 8, etherType & 255])]);
}

/** An IPv4 header in front of a payload. */
export function ipv4Packet(
  fields: { source: string; destination: string; protocol: number; ttl?: number },
  payload: Buffer,
): Buffer {
  const header = Buffer.alloc(20);
  header[0] = 0x45;
  header.writeUInt16BE(20 + payload.length, 2);
  header[8] = fields.ttl ?? 64;
  header[9] = fields.protocol;
  header.set(octets(fields.source), 12);
  header.set(octets(fields.destination), 16);
  header.writeUInt16BE(checksum(header), 10);
  return Buffer.concat([header, payload]);
}

/** A whole UDP frame, hexadecimal, with correct checksums. */
export function udpFrame(fields: UdpFrame): string {
  const payload = Buffer.from(fields.payload);
  const udp = Buffer.alloc(8 + payload.length);
  udp.writeUInt16BE(fields.sourcePort, 0);
  udp.writeUInt16BE(fields.destinationPort, 2);
  udp.writeUInt16BE(udp.length, 4);
  udp.set(payload, 8);
  const pseudo = Buffer.from([
    ...octets(fields.source),
    ...octets(fields.destination),
    ...[0, 17, udp.length >>> 8, udp.length & 255],
  ]);
  udp.writeUInt16BE(checksum(Buffer.concat([pseudo, udp])) || 0xffff, 6);
  const ethernet = ethernetHeader(fields.destinationMac, fields.sourceMac, 0x0800);
  return Buffer.concat([ethernet, ipv4Packet({ ...fields, protocol: 17 }, udp)]).toString('hex');
}
