// SPDX-License-Identifier: Apache-2.0
/**
 * Path attributes (RFC 4271 §4.3) with the revised error handling of RFC 7606.
 *
 * Decoding never stops at the first fault: every attribute is judged, the strongest outcome counts
 * (RFC 7606 §3.h), and what is left is usable. Known: ORIGIN, AS_PATH, NEXT_HOP, MED, LOCAL_PREF,
 * ATOMIC_AGGREGATE, AGGREGATOR, COMMUNITIES (RFC 1997), ORIGINATOR_ID and CLUSTER_LIST (RFC 4456),
 * MP_REACH_NLRI and MP_UNREACH_NLRI (RFC 4760), extended (RFC 4360) and large communities (RFC
 * 8092), AS4_PATH and AS4_AGGREGATOR (RFC 6793). Unknown optional transitive ones are kept, other
 * optional ones dropped (RFC 4271 §5).
 *
 * Elsewhere: type codes and flags in attribute-header.ts, values with a structure of their own in
 * as-path.ts and multiprotocol.ts, and what a whole UPDATE must have in update.ts.
 */
import { type AsPathSegment, noAttributes, type PathAttributes } from '../../rib/route.ts';
import { decodeAsPath, encodeAsPath, isConfederation, mergeAs4Path } from './as-path.ts';
import {
  attributeFlag,
  attributeType,
  optionalTransitive,
  specifiedFlags,
  writeAttribute,
} from './attribute-header.ts';
import { ByteWriter, noBytes, u16, u32 } from './bytes.ts';
import { decodeMpReach, decodeMpUnreach, type MpReach, type MpUnreach } from './multiprotocol.ts';
import { asTrans } from './open.ts';

/** What RFC 7606 §2 does about a fault, weakest first. */
export type AttributeOutcome = 'attribute-discard' | 'treat-as-withdraw' | 'session-reset';

export interface AttributeFault {
  readonly outcome: AttributeOutcome;
  /** Type code of the attribute; 0: the list itself. */
  readonly type: number;
  /** Subcode of UPDATE Message Error, if it comes to a NOTIFICATION. */
  readonly subcode: number;
  readonly reason: string;
  /** The attribute as received, for the NOTIFICATION. */
  readonly data: Uint8Array;
}

/** How a session encodes its attributes. */
export interface AttributeOptions {
  /** AS numbers have four octets (RFC 6793 §3). */
  readonly isFourOctet: boolean;
  /** eBGP: LOCAL_PREF, ORIGINATOR_ID and CLUSTER_LIST are not for us (RFC 7606 §7.5, 7.9, 7.10). */
  readonly isExternal: boolean;
}

export interface DecodedAttributes {
  readonly attributes: PathAttributes;
  readonly faults: readonly AttributeFault[];
  /** Type codes present, also of discarded attributes. */
  readonly present: ReadonlySet<number>;
  readonly mpReach: MpReach | undefined;
  readonly mpUnreach: MpUnreach | undefined;
}

const origins = ['IGP', 'EGP', 'INCOMPLETE'] as const;

/** PathAttributes under construction, and what only decoding needs. */
interface Draft {
  attributes: { -readonly [Field in keyof PathAttributes]: PathAttributes[Field] };
  unknown: { flags: number; type: number; value: Uint8Array }[];
  as4Path: readonly AsPathSegment[] | undefined;
  as4Aggregator: PathAttributes['aggregator'];
  mpReach: MpReach | undefined;
  mpUnreach: MpUnreach | undefined;
}

/**
 * @param bytes - the attributes of one UPDATE; mpReach and mpUnreach are views into them
 * @throws never
 */
export function decodePathAttributes(
  bytes: Uint8Array,
  options: AttributeOptions,
): DecodedAttributes {
  const faults: AttributeFault[] = [];
  const present = new Set<number>();
  const draft = emptyDraft();
  let at = 0;
  while (at < bytes.length) {
    const start = at;
    const flags = bytes[at]!;
    const isLong = (flags & attributeFlag.extendedLength) !== 0;
    const headBytes = isLong ? 4 : 3;
    const isHeadWhole = at + headBytes <= bytes.length;
    const type = bytes[at + 1] ?? 0;
    const valueBytes = isHeadWhole ? (isLong ? u16(bytes, at + 2) : bytes[at + 2]!) : 0;
    at += headBytes + valueBytes;
    if (!isHeadWhole || at > bytes.length) {
      // RFC 7606 §4: the rest of the list is lost, the NLRI field still stands.
      const reason = 'an attribute longer than the list';
      const data = bytes.slice(start);
      faults.push({ outcome: 'treat-as-withdraw', type: 0, subcode: 1, reason, data });
      break;
    }
    const value = bytes.subarray(at - valueBytes, at);
    const problem = judge(draft, present, flags, type, value, options);
    present.add(type);
    if (problem) faults.push({ ...problem, type, data: bytes.slice(start, at) });
  }
  mergeFourOctets(draft, options);
  return {
    attributes: draft.attributes,
    faults,
    present,
    mpReach: draft.mpReach,
    mpUnreach: draft.mpUnreach,
  };
}

type Problem = Omit<AttributeFault, 'type' | 'data'>;

/**
 * RFC 7606 §3.c, §3.g: flags and repetitions; then the value. Whatever is wrong with MP_REACH_NLRI or
 * MP_UNREACH_NLRI ends the session (RFC 4760 §7).
 */
function judge(
  draft: Draft,
  present: ReadonlySet<number>,
  flags: number,
  type: number,
  value: Uint8Array,
  options: AttributeOptions,
): Problem | undefined {
  const specified = specifiedFlags.get(type);
  const isMultiprotocol = type === attributeType.mpReach || type === attributeType.mpUnreach;
  if (present.has(type)) {
    const reason = `attribute ${type} twice`;
    return isMultiprotocol ? reset(1, reason) : discard(1, reason);
  }
  if (specified === undefined) {
    const isOptional = (flags & attributeFlag.optional) !== 0;
    if (!isOptional) return reset(2, `unknown well-known attribute ${type}`);
    if ((flags & attributeFlag.transitive) !== 0) {
      const kept = flags & (optionalTransitive | attributeFlag.partial);
      draft.unknown.push({ flags: kept, type, value: value.slice() });
    }
    return undefined;
  }
  if ((flags & optionalTransitive) !== specified) {
    const reason = `flags ${flags} of attribute ${type}`;
    return isMultiprotocol ? reset(4, reason) : withdraw(4, reason);
  }
  return decodeValue(draft, type, value, options);
}

function reset(subcode: number, reason: string): Problem {
  return { outcome: 'session-reset', subcode, reason };
}

function withdraw(subcode: number, reason: string): Problem {
  return { outcome: 'treat-as-withdraw', subcode, reason };
}

function discard(subcode: number, reason: string): Problem {
  return { outcome: 'attribute-discard', subcode, reason };
}

/** RFC 7606 §7, attribute by attribute. */
function decodeValue(
  draft: Draft,
  type: number,
  value: Uint8Array,
  options: AttributeOptions,
): Problem | undefined {
  const { attributes } = draft;
  const size = value.length;
  switch (type) {
    case attributeType.origin: {
      const origin = size === 1 ? origins[value[0]!] : undefined;
      if (origin === undefined) return withdraw(size === 1 ? 6 : 5, 'an invalid ORIGIN');
      attributes.origin = origin;
      return undefined;
    }
    case attributeType.asPath: {
      const path = decodeAsPath(value, options.isFourOctet ? 4 : 2);
      if (!path) return withdraw(11, 'a malformed AS_PATH');
      if (options.isExternal && path.some(isConfederation)) {
        return withdraw(11, 'confederation segments from outside (RFC 5065 §5)');
      }
      attributes.asPath = path;
      return undefined;
    }
    case attributeType.nextHop:
      if (size !== 4) return withdraw(5, 'a NEXT_HOP that is not 4 bytes');
      attributes.nextHop = u32(value, 0);
      return undefined;
    case attributeType.med:
      if (size !== 4) return withdraw(5, 'a MULTI_EXIT_DISC that is not 4 bytes');
      attributes.med = u32(value, 0);
      return undefined;
    case attributeType.localPref:
      if (options.isExternal) return discard(9, 'LOCAL_PREF from outside');
      if (size !== 4) return withdraw(5, 'a LOCAL_PREF that is not 4 bytes');
      attributes.localPref = u32(value, 0);
      return undefined;
    case attributeType.atomicAggregate:
      if (size !== 0) return discard(5, 'an ATOMIC_AGGREGATE with a value');
      attributes.isAtomicAggregate = true;
      return undefined;
    case attributeType.aggregator: {
      const aggregator = decodeAggregator(value, options.isFourOctet ? 4 : 2);
      if (!aggregator) return discard(5, 'a malformed AGGREGATOR');
      attributes.aggregator = aggregator;
      return undefined;
    }
    case attributeType.communities:
      if (size === 0 || size % 4 !== 0) return withdraw(9, 'malformed COMMUNITIES');
      attributes.communities = words(value);
      return undefined;
    case attributeType.originatorId:
      if (options.isExternal) return discard(9, 'ORIGINATOR_ID from outside');
      if (size !== 4) return withdraw(5, 'an ORIGINATOR_ID that is not 4 bytes');
      attributes.originatorId = u32(value, 0);
      return undefined;
    case attributeType.clusterList:
      if (options.isExternal) return discard(9, 'CLUSTER_LIST from outside');
      if (size === 0 || size % 4 !== 0) return withdraw(5, 'a malformed CLUSTER_LIST');
      attributes.clusterList = words(value);
      return undefined;
    case attributeType.extendedCommunities:
      if (size === 0 || size % 8 !== 0) return withdraw(9, 'malformed extended communities');
      attributes.extendedCommunities = doubleWords(value);
      return undefined;
    case attributeType.largeCommunities:
      if (size === 0 || size % 12 !== 0) return withdraw(9, 'malformed large communities');
      attributes.largeCommunities = distinctTriples(value);
      return undefined;
    case attributeType.as4Path:
      draft.as4Path = options.isFourOctet ? undefined : decodeAsPath(value, 4);
      return draft.as4Path ? undefined : discard(9, 'an unusable AS4_PATH (RFC 6793 §6)');
    case attributeType.as4Aggregator:
      draft.as4Aggregator = options.isFourOctet ? undefined : decodeAggregator(value, 4);
      return draft.as4Aggregator ? undefined : discard(9, 'an unusable AS4_AGGREGATOR');
    case attributeType.mpReach: {
      const reach = decodeMpReach(value);
      if (!reach.ok) return reset(9, reach.fault);
      draft.mpReach = reach.value;
      return undefined;
    }
    case attributeType.mpUnreach: {
      const unreach = decodeMpUnreach(value);
      if (!unreach.ok) return reset(9, unreach.fault);
      draft.mpUnreach = unreach.value;
      return undefined;
    }
    default:
      return undefined;
  }
}

/** RFC 6793 §4.2.3. */
function mergeFourOctets(draft: Draft, options: AttributeOptions): void {
  if (options.isFourOctet) return;
  const { attributes, as4Path, as4Aggregator } = draft;
  if (as4Aggregator && attributes.aggregator) {
    if (attributes.aggregator.as !== asTrans) return;
    attributes.aggregator = as4Aggregator;
  }
  if (as4Path) attributes.asPath = mergeAs4Path(attributes.asPath, as4Path);
}

function decodeAggregator(value: Uint8Array, asBytes: 2 | 4): PathAttributes['aggregator'] {
  if (value.length !== asBytes + 4) return undefined;
  const as = asBytes === 4 ? u32(value, 0) : u16(value, 0);
  // RFC 7607 §2: AS 0 makes AGGREGATOR malformed.
  return as === 0 ? undefined : { as, address: u32(value, asBytes) };
}

function words(value: Uint8Array): number[] {
  const list: number[] = [];
  for (let at = 0; at < value.length; at += 4) list.push(u32(value, at));
  return list;
}

function doubleWords(value: Uint8Array): bigint[] {
  const list: bigint[] = [];
  for (let at = 0; at < value.length; at += 8) {
    list.push((BigInt(u32(value, at)) << 32n) | BigInt(u32(value, at + 4)));
  }
  return list;
}

/** RFC 8092 §3: what is there twice counts once. */
function distinctTriples(value: Uint8Array): (readonly [number, number, number])[] {
  const found = new Map<string, readonly [number, number, number]>();
  for (let at = 0; at < value.length; at += 12) {
    const triple = [u32(value, at), u32(value, at + 4), u32(value, at + 8)] as const;
    found.set(triple.join(), triple);
  }
  return [...found.values()];
}

function emptyDraft(): Draft {
  const unknown: Draft['unknown'] = [];
  return {
    attributes: { ...noAttributes, origin: 'INCOMPLETE', unknown },
    unknown,
    as4Path: undefined,
    as4Aggregator: undefined,
    mpReach: undefined,
    mpUnreach: undefined,
  };
}

/** Attributes in ascending order of type (RFC 4271 §5), NEXT_HOP if there is one. */
export function encodePathAttributes(
  attributes: PathAttributes,
  options: { readonly isFourOctet: boolean },
): Uint8Array {
  const parts: { type: number; value: Uint8Array; flags?: number }[] = [];
  const add = (type: number, value: Uint8Array) => parts.push({ type, value });
  const u32s = (numbers: readonly number[]) => {
    const writer = new ByteWriter();
    for (const each of numbers) writer.u32(each);
    return writer.done();
  };
  const asBytes = options.isFourOctet ? 4 : 2;
  const { aggregator, asPath } = attributes;
  add(attributeType.origin, Uint8Array.of(origins.indexOf(attributes.origin)));
  add(attributeType.asPath, encodeAsPath(asPath, asBytes));
  if (attributes.nextHop !== undefined) add(attributeType.nextHop, u32s([attributes.nextHop]));
  if (attributes.med !== undefined) add(attributeType.med, u32s([attributes.med]));
  if (attributes.localPref !== undefined) {
    add(attributeType.localPref, u32s([attributes.localPref]));
  }
  if (attributes.isAtomicAggregate) add(attributeType.atomicAggregate, noBytes);
  if (aggregator) add(attributeType.aggregator, encodeAggregator(aggregator, asBytes));
  if (attributes.communities.length > 0) {
    add(attributeType.communities, u32s(attributes.communities));
  }
  if (attributes.originatorId !== undefined) {
    add(attributeType.originatorId, u32s([attributes.originatorId]));
  }
  if (attributes.clusterList.length > 0) {
    add(attributeType.clusterList, u32s(attributes.clusterList));
  }
  if (attributes.extendedCommunities.length > 0) {
    const halves = attributes.extendedCommunities.flatMap((each) => [
      Number(each >> 32n),
      Number(each & 0xffffffffn),
    ]);
    add(attributeType.extendedCommunities, u32s(halves));
  }
  if (!options.isFourOctet && needsFourOctets(asPath)) {
    const path = asPath.filter((segment) => !isConfederation(segment));
    add(attributeType.as4Path, encodeAsPath(path, 4));
  }
  if (!options.isFourOctet && aggregator && aggregator.as > 0xffff) {
    add(attributeType.as4Aggregator, encodeAggregator(aggregator, 4));
  }
  if (attributes.largeCommunities.length > 0) {
    add(attributeType.largeCommunities, u32s(attributes.largeCommunities.flat()));
  }
  parts.push(...attributes.unknown);
  parts.sort((a, b) => a.type - b.type);
  const writer = new ByteWriter();
  for (const { type, value, flags } of parts) writeAttribute(writer, type, value, flags);
  return writer.done();
}

function needsFourOctets(path: readonly AsPathSegment[]): boolean {
  return path.some(
    (segment) => !isConfederation(segment) && segment.asNumbers.some((as) => as > 0xffff),
  );
}

function encodeAggregator(
  aggregator: NonNullable<PathAttributes['aggregator']>,
  asBytes: 2 | 4,
): Uint8Array {
  const writer = new ByteWriter();
  if (asBytes === 4) writer.u32(aggregator.as);
  else writer.u16(aggregator.as > 0xffff ? asTrans : aggregator.as);
  return writer.u32(aggregator.address).done();
}
