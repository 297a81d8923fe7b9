// SPDX-License-Identifier: Apache-2.0
/**
 * IPv4 prefixes in UPDATE: one byte of length, then as many bytes as it needs (RFC 4271 §4.3).
 *
 * Checked once, then walked without an object per prefix: a full table is a million of them.
 */
import type { Ipv4, Ipv4Prefix } from '../../net/ipv4.ts';
import { maskOf } from '../../net/ipv4.ts';
import { ByteWriter } from './bytes.ts';

/** @returns whether the bytes are whole prefixes (RFC 7606 §5.3) */
export function isNlriValid(bytes: Uint8Array): boolean {
  let at = 0;
  while (at < bytes.length) {
    const bits = bytes[at]!;
    if (bits > 32) return false;
    at += 1 + ((bits + 7) >>> 3);
  }
  return at === bytes.length;
}

/** Visits every prefix, host bits cleared. The bytes are valid. */
export function forEachPrefix(
  bytes: Uint8Array,
  visit: (address: Ipv4, length: number) => void,
): void {
  let at = 0;
  while (at < bytes.length) {
    const length = bytes[at]!;
    let address = 0;
    if (length > 0) address = bytes[at + 1]! << 24;
    if (length > 8) address |= bytes[at + 2]! << 16;
    if (length > 16) address |= bytes[at + 3]! << 8;
    if (length > 24) address |= bytes[at + 4]!;
    at += 1 + ((length + 7) >>> 3);
    visit((address & maskOf(length)) >>> 0, length);
  }
}

export function encodeNlri(prefixes: readonly Ipv4Prefix[]): Uint8Array {
  const writer = new ByteWriter();
  for (const { address, length } of prefixes) {
    writer.u8(length);
    for (let bits = 0; bits < length; bits += 8) writer.u8((address >>> (24 - bits)) & 0xff);
  }
  return writer.done();
}
