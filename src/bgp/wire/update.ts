// SPDX-License-Identifier: Apache-2.0
/**
 * UPDATE (RFC 4271 §4.3): withdrawn prefixes, path attributes, prefixes.
 *
 *     | withdrawn bytes (2) | withdrawn | attribute bytes (2) | attributes | prefixes |
 *
 * A fault of the message ends the session; a fault of an attribute gives the outcome of RFC 7606
 * with the UPDATE, which is then still worth reading: its withdrawals hold in any case.
 *
 * Prefixes of a family that was not negotiated are refused (RFC 4760 §8): the UPDATE is read as if it
 * were without them, and they are reported among its faults. The session continues.
 */
import { fail, ok, type Result } from '../../lib/result.ts';
import type { PathAttributes } from '../../rib/route.ts';
import { attributeType } from './attribute-header.ts';
import { ByteWriter, noBytes, u16 } from './bytes.ts';
import { type Family, formatFamily, ipv4Unicast } from './family.ts';
import type { MpReach, MpUnreach } from './multiprotocol.ts';
import { isNlriValid } from './nlri.ts';
import { type BgpFault, makeFault, notificationCode } from './notification.ts';
import {
  type AttributeFault,
  type AttributeOptions,
  type DecodedAttributes,
  decodePathAttributes,
} from './path-attribute.ts';

export interface UpdateOptions extends AttributeOptions {
  /** Whose prefixes the fields of UPDATE may carry, if it is IPv4's. */
  readonly families: readonly Family[];
  /** Whose prefixes MP_REACH_NLRI and MP_UNREACH_NLRI may carry. */
  readonly multiprotocolFamilies: readonly Family[];
}

/** Byte fields are views into the message. */
export interface Update {
  /** IPv4 prefixes, valid. */
  readonly withdrawn: Uint8Array;
  /** IPv4 prefixes, valid. */
  readonly nlri: Uint8Array;
  readonly attributes: PathAttributes;
  /** As received, if equal attributes have equal bytes; undefined: prefixes lie among them. */
  readonly attributeKey: Uint8Array | undefined;
  /** Of negotiated families: IPv4 prefixes. */
  readonly mpReach: MpReach | undefined;
  readonly mpUnreach: MpUnreach | undefined;
  /** Everything that the UPDATE announces counts as withdrawn (RFC 7606 §2). */
  readonly isTreatedAsWithdraw: boolean;
  /** What was wrong, weakest outcomes included, for log and counters. */
  readonly faults: readonly AttributeFault[];
  /** That of IPv4 unicast (RFC 4724 §2). */
  readonly isEndOfRib: boolean;
}

/** @param body - the message without its header  @throws never */
export function decodeUpdate(body: Uint8Array, options: UpdateOptions): Result<Update, BgpFault> {
  if (body.length < 4) return fail(updateFault(1, 'an UPDATE shorter than 23 bytes'));
  const attributesAt = 2 + u16(body, 0);
  if (attributesAt + 2 > body.length) return fail(updateFault(1, 'withdrawn routes too long'));
  const nlriAt = attributesAt + 2 + u16(body, attributesAt);
  if (nlriAt > body.length) return fail(updateFault(1, 'path attributes too long'));
  const withdrawn = body.subarray(2, attributesAt);
  const attributeBytes = body.subarray(attributesAt + 2, nlriAt);
  const nlri = body.subarray(nlriAt);
  if (!isNlriValid(withdrawn)) return fail(updateFault(10, 'a malformed withdrawn prefix'));
  if (!isNlriValid(nlri)) return fail(updateFault(10, 'a malformed prefix'));
  const decoded = decodePathAttributes(attributeBytes, options);
  const faulty = withMissing(decoded, nlri.length > 0);
  const fatal = fatalFault(decoded, faulty, nlri);
  if (fatal)
    return fail(makeFault(notificationCode.update, fatal.subcode, fatal.reason, fatal.data));
  const { present } = decoded;
  const holdsPrefixes = present.has(attributeType.mpReach) || present.has(attributeType.mpUnreach);
  const { fields, mpReach, mpUnreach, refusals } = onlyNegotiated(
    withdrawn,
    nlri,
    decoded,
    options,
  );
  return ok({
    ...fields,
    attributes: decoded.attributes,
    attributeKey: holdsPrefixes ? undefined : attributeBytes,
    mpReach,
    mpUnreach,
    isTreatedAsWithdraw: faulty.some((fault) => fault.outcome === 'treat-as-withdraw'),
    faults: [...faulty, ...refusals],
    isEndOfRib: isEndOfRib(withdrawn, attributeBytes, nlri, decoded, options),
  });
}

/** What was negotiated, and what is to be said of the rest. */
function onlyNegotiated(
  withdrawn: Uint8Array,
  nlri: Uint8Array,
  { mpReach, mpUnreach }: DecodedAttributes,
  { families, multiprotocolFamilies }: UpdateOptions,
) {
  const refusals: AttributeFault[] = [];
  const refuse = (type: number, family: Family) => {
    const reason = `prefixes of ${formatFamily(family)}, which was not negotiated`;
    refusals.push({ outcome: 'attribute-discard', type, subcode: 9, reason, data: noBytes });
  };
  const agreed = <T extends MpUnreach>(type: number, part: T | undefined): T | undefined => {
    if (!part || multiprotocolFamilies.includes(part.family)) return part;
    refuse(type, part.family);
    return undefined;
  };
  const areFieldsAgreed = families.includes(ipv4Unicast);
  if (!areFieldsAgreed && withdrawn.length + nlri.length > 0) refuse(0, ipv4Unicast);
  return {
    fields: areFieldsAgreed ? { withdrawn, nlri } : { withdrawn: noBytes, nlri: noBytes },
    mpReach: agreed(attributeType.mpReach, mpReach),
    mpUnreach: agreed(attributeType.mpUnreach, mpUnreach),
    refusals,
  };
}

/**
 * RFC 7606 §3.d: a mandatory attribute that is missing treats the UPDATE as a withdrawal. RFC 4760 §3:
 * where only MP_REACH_NLRI announces, NEXT_HOP is ignored, even a malformed one.
 */
function withMissing(decoded: DecodedAttributes, hasNlri: boolean): readonly AttributeFault[] {
  const hasMpNlri = (decoded.mpReach?.nlri.length ?? 0) > 0;
  if (!hasNlri && !hasMpNlri) return decoded.faults;
  const counted = hasNlri
    ? decoded.faults
    : decoded.faults.filter(({ type }) => type !== attributeType.nextHop);
  const mandatory: number[] = [attributeType.origin, attributeType.asPath];
  if (hasNlri) mandatory.push(attributeType.nextHop);
  const missing = mandatory.filter((type) => !decoded.present.has(type));
  if (missing.length === 0) return counted;
  const added = missing.map((type): AttributeFault => {
    const reason = `well-known attribute ${type} is missing`;
    return { outcome: 'treat-as-withdraw', type, subcode: 3, reason, data: Uint8Array.of(type) };
  });
  return [...counted, ...added];
}

/** The fault that ends the session, if any. */
function fatalFault(
  decoded: DecodedAttributes,
  faults: readonly AttributeFault[],
  nlri: Uint8Array,
): AttributeFault | undefined {
  const reset = faults.find((fault) => fault.outcome === 'session-reset');
  if (reset) return reset;
  // RFC 7606 §5.2: with nothing announced there is nothing to treat as withdrawn.
  if (nlri.length > 0 || (decoded.mpReach?.nlri.length ?? 0) > 0) return undefined;
  return faults.find((fault) => fault.outcome === 'treat-as-withdraw');
}

function isEndOfRib(
  withdrawn: Uint8Array,
  attributeBytes: Uint8Array,
  nlri: Uint8Array,
  { present, faults, mpUnreach }: DecodedAttributes,
  { families, multiprotocolFamilies }: UpdateOptions,
): boolean {
  if (withdrawn.length > 0 || nlri.length > 0) return false;
  if (attributeBytes.length === 0) return families.includes(ipv4Unicast);
  const isAlone = present.size === 1 && faults.length === 0 && mpUnreach?.nlri.length === 0;
  return isAlone && mpUnreach.family === ipv4Unicast && multiprotocolFamilies.includes(ipv4Unicast);
}

function updateFault(subcode: number, reason: string): BgpFault {
  return makeFault(notificationCode.update, subcode, reason);
}

/** The message's body out of parts that are already bytes. */
export function encodeUpdate(parts: {
  readonly withdrawn?: Uint8Array;
  readonly attributes?: Uint8Array;
  readonly nlri?: Uint8Array;
}): Uint8Array {
  const { withdrawn = noBytes, attributes = noBytes, nlri = noBytes } = parts;
  const writer = new ByteWriter().u16(withdrawn.length).bytes(withdrawn);
  return writer.u16(attributes.length).bytes(attributes).bytes(nlri).done();
}

/** Of IPv4 unicast (RFC 4724 §2). */
export function encodeEndOfRib(): Uint8Array {
  return encodeUpdate({});
}
