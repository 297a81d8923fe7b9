// SPDX-License-Identifier: Apache-2.0
/**
 * IPv4 addresses and prefixes as unsigned 32-bit numbers in host order.
 *
 * Numbers, not strings or objects: a full table is a million of them. Text is strict dotted decimal
 * (RFC 6943 §3.1.1): no leading zeros, no octal, no shorthand.
 */

/** An address: 0 to 2^32 - 1. */
export type Ipv4 = number;

/** A prefix with its host bits zero. */
export interface Ipv4Prefix {
  readonly address: Ipv4;
  /** 0 to 32. */
  readonly length: number;
}

/** @returns undefined when the text is not an address */
export function parseIpv4(text: string): Ipv4 | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (!match) return undefined;
  let address = 0;
  for (const part of match.slice(1)) {
    if (part.length > 1 && part.startsWith('0')) return undefined;
    const octet = Number(part);
    if (octet > 255) return undefined;
    address = address * 256 + octet;
  }
  return address;
}

export function formatIpv4(address: Ipv4): string {
  return `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`;
}

/** The mask of a prefix length, e.g. 24 → 0xffffff00. */
export function maskOf(length: number): number {
  return length === 0 ? 0 : (0xffffffff << (32 - length)) >>> 0;
}

/** @returns the prefix with host bits cleared; isExact says whether they were zero in the text */
export function parseIpv4Prefix(text: string): (Ipv4Prefix & { isExact: boolean }) | undefined {
  const slash = text.indexOf('/');
  if (slash < 0) return undefined;
  const address = parseIpv4(text.slice(0, slash));
  const lengthText = text.slice(slash + 1);
  if (address === undefined || !/^(\d|[12]\d|3[0-2])$/.test(lengthText)) return undefined;
  const length = Number(lengthText);
  const network = (address & maskOf(length)) >>> 0;
  return { address: network, length, isExact: network === address };
}

export function formatIpv4Prefix(prefix: Ipv4Prefix): string {
  return `${formatIpv4(prefix.address)}/${prefix.length}`;
}

/** Whether an address, or a whole shorter prefix, lies inside a prefix. */
export function prefixHolds(prefix: Ipv4Prefix, address: Ipv4, length = 32): boolean {
  return length >= prefix.length && (address & maskOf(prefix.length)) >>> 0 === prefix.address;
}

export function prefixesOverlap(a: Ipv4Prefix, b: Ipv4Prefix): boolean {
  return prefixHolds(a, b.address, b.length) || prefixHolds(b, a.address, a.length);
}

/** By address, then by length. */
export function comparePrefixes(a: Ipv4Prefix, b: Ipv4Prefix): number {
  return a.address - b.address || a.length - b.length;
}

/** Addresses of a prefix, first and last included. */
export function prefixSize(prefix: Ipv4Prefix): number {
  return 2 ** (32 - prefix.length);
}
