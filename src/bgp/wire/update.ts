/**
 * UPDATE (RFC 4271 §4.3): withdrawn prefixes, path attributes, prefixes.
 *
 *     | withdrawn bytes (2) | withdrawn | attribute bytes (2) | attributes | prefixes |
 *
 * A fault of the message ends the session; a fault of an attribute gives the outcome of RFC 7606
 * with the UPDATE, which is then still worth reading: its withdrawals hold in any case.
 */
import { fail, ok, type Result } from '../../lib/result.ts';
import type { PathAttributes } from '../../rib/route.ts';
import { attributeType } from './attribute-header.ts';
import { ByteWriter, noBytes, u16 } from './bytes.ts';
import { type Family, ipv4Unicast } from './family.ts';
import { encodeMpUnreach, type MpReach, type MpUnreach } from './multiprotocol.ts';
import { isNlriValid } from './nlri.ts';
import { type BgpFault, makeFault, notificationCode } from './notification.ts';
import {
  type AttributeFault,
  type AttributeOptions,
  type DecodedAttributes,
  decodePathAttributes,
} from './path-attribute.ts';

/** Byte fields are views into the message. */
export interface Update {
  /** IPv4 prefixes, valid. */
  readonly withdrawn: Uint8Array;
  /** IPv4 prefixes, valid. */
  readonly nlri: Uint8Array;
  readonly attributes: PathAttributes;
  /** As received: the key under which attributes are interned, when there is no mpReach. */
  readonly attributeBytes: Uint8Array;
  readonly mpReach: MpReach | undefined;
  readonly mpUnreach: MpUnreach | undefined;
  /** Everything that the UPDATE announces counts as withdrawn (RFC 7606 §2). */
  readonly isTreatedAsWithdraw: boolean;
  /** What was wrong, weakest outcomes included, for log and counters. */
  readonly faults: readonly AttributeFault[];
  /** Family whose End-of-RIB this is (RFC 4724 §2). */
  readonly endOfRib: Family | undefined;
}

/** @param body - the message without its header  @throws never */
export function decodeUpdate(
  body: Uint8Array,
  options: AttributeOptions,
): Result<Update, BgpFault> {
  if (body.length < 4) return fail(updateFault(1, 'an UPDATE shorter than 23 bytes'));
  const attributesAt = 2 + u16(body, 0);
  if (attributesAt + 2 > body.length) return fail(updateFault(1, 'withdrawn routes too long'));
  const nlriAt = attributesAt + 2 + u16(body, attributesAt);
  if (nlriAt > body.length) return fail(updateFault(1, 'path attributes too long'));
  const withdrawn = body.subarray(2, attributesAt);
  const attributeBytes = body.subarray(attributesAt + 2, nlriAt);
  const nlri = body.subarray(nlriAt);
  if (!isNlriValid(withdrawn, 32)) return fail(updateFault(10, 'a malformed withdrawn prefix'));
  if (!isNlriValid(nlri, 32)) return fail(updateFault(10, 'a malformed prefix'));
  const decoded = decodePathAttributes(attributeBytes, options);
  const faults = withMissing(decoded, nlri.length > 0);
  const fatal = fatalFault(decoded, faults, nlri);
  if (fatal)
    return fail(makeFault(notificationCode.update, fatal.subcode, fatal.reason, fatal.data));
  return ok({
    withdrawn,
    nlri,
    attributes: decoded.attributes,
    attributeBytes,
    mpReach: decoded.mpReach,
    mpUnreach: decoded.mpUnreach,
    isTreatedAsWithdraw: faults.some((fault) => fault.outcome === 'treat-as-withdraw'),
    faults,
    endOfRib: endOfRib(withdrawn, attributeBytes, nlri, decoded),
  });
}

/** RFC 7606 §3.d: a mandatory attribute that is missing treats the UPDATE as a withdrawal. */
function withMissing(decoded: DecodedAttributes, hasNlri: boolean): readonly AttributeFault[] {
  const hasMpNlri = (decoded.mpReach?.nlri.length ?? 0) > 0;
  if (!hasNlri && !hasMpNlri) return decoded.faults;
  const mandatory: number[] = [attributeType.origin, attributeType.asPath];
  if (hasNlri) mandatory.push(attributeType.nextHop);
  const missing = mandatory.filter((type) => !decoded.present.has(type));
  if (missing.length === 0) return decoded.faults;
  const added = missing.map((type): AttributeFault => {
    const reason = `well-known attribute ${type} is missing`;
    return { outcome: 'treat-as-withdraw', type, subcode: 3, reason, data: Uint8Array.of(type) };
  });
  return [...decoded.faults, ...added];
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
  if (nlri.length > 0 || decoded.mpReach) return undefined;
  return faults.find((fault) => fault.outcome === 'treat-as-withdraw');
}

function endOfRib(
  withdrawn: Uint8Array,
  attributeBytes: Uint8Array,
  nlri: Uint8Array,
  decoded: DecodedAttributes,
): Family | undefined {
  if (withdrawn.length > 0 || nlri.length > 0) return undefined;
  if (attributeBytes.length === 0) return ipv4Unicast;
  const isAlone = decoded.present.size === 1 && decoded.faults.length === 0;
  if (!isAlone || decoded.mpUnreach?.nlri.length !== 0) return undefined;
  return decoded.mpUnreach.family;
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

export function encodeEndOfRib(family: Family): Uint8Array {
  if (family === ipv4Unicast) return encodeUpdate({});
  return encodeUpdate({ attributes: encodeMpUnreach({ family, nlri: noBytes }) });
}
