// SPDX-License-Identifier: Apache-2.0
/**
 * What stands before a path attribute's value (RFC 4271 §4.3): flags, type code, length.
 *
 *     | O T P E 0 0 0 0 | type (1) | value bytes (1, or 2 with E) | value |
 *
 * Here are the attributes that we know, by IANA's type codes, with the flags that each must have.
 * Headers are read, and judged, where the list of them is: bgp/wire/path-attribute.ts.
 */
import type { ByteWriter } from './bytes.ts';

export const attributeType = {
  origin: 1,
  asPath: 2,
  nextHop: 3,
  med: 4,
  localPref: 5,
  atomicAggregate: 6,
  aggregator: 7,
  communities: 8,
  originatorId: 9,
  clusterList: 10,
  mpReach: 14,
  mpUnreach: 15,
  extendedCommunities: 16,
  as4Path: 17,
  as4Aggregator: 18,
  largeCommunities: 32,
} as const;

/** O, T, P and E. */
export const attributeFlag = {
  optional: 0x80,
  transitive: 0x40,
  partial: 0x20,
  extendedLength: 0x10,
} as const;

const wellKnown = attributeFlag.transitive;
export const optionalTransitive = attributeFlag.optional | attributeFlag.transitive;

/** Optional and Transitive as each attribute's specification has them. */
export const specifiedFlags: ReadonlyMap<number, number> = new Map([
  [attributeType.origin, wellKnown],
  [attributeType.asPath, wellKnown],
  [attributeType.nextHop, wellKnown],
  [attributeType.med, attributeFlag.optional],
  [attributeType.localPref, wellKnown],
  [attributeType.atomicAggregate, wellKnown],
  [attributeType.aggregator, optionalTransitive],
  [attributeType.communities, optionalTransitive],
  [attributeType.originatorId, attributeFlag.optional],
  [attributeType.clusterList, attributeFlag.optional],
  [attributeType.mpReach, attributeFlag.optional],
  [attributeType.mpUnreach, attributeFlag.optional],
  [attributeType.extendedCommunities, optionalTransitive],
  [attributeType.as4Path, optionalTransitive],
  [attributeType.as4Aggregator, optionalTransitive],
  [attributeType.largeCommunities, optionalTransitive],
]);

/** Appends one whole attribute. @param flags - as received, of one that we do not know */
export function writeAttribute(
  writer: ByteWriter,
  type: number,
  value: Uint8Array,
  flags: number = specifiedFlags.get(type) ?? optionalTransitive,
): void {
  const isLong = value.length > 255;
  writer.u8(isLong ? flags | attributeFlag.extendedLength : flags).u8(type);
  if (isLong) writer.u16(value.length);
  else writer.u8(value.length);
  writer.bytes(value);
}
