// SPDX-License-Identifier: Apache-2.0
/** Address families that a session may carry (RFC 4760 §5): AFI and SAFI as one number. */

/** AFI << 8 | SAFI. */
export type Family = number;

export const ipv4Unicast: Family = (1 << 8) | 1;
export const ipv6Unicast: Family = (2 << 8) | 1;

export function makeFamily(afi: number, safi: number): Family {
  return afi * 256 + safi;
}

export function afiOf(family: Family): number {
  return family >>> 8;
}

export function safiOf(family: Family): number {
  return family & 255;
}

export function formatFamily(family: Family): string {
  if (family === ipv4Unicast) return 'ipv4-unicast';
  if (family === ipv6Unicast) return 'ipv6-unicast';
  return `afi-${afiOf(family)}-safi-${safiOf(family)}`;
}
