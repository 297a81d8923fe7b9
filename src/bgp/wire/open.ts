// SPDX-License-Identifier: Apache-2.0
/**
 * OPEN (RFC 4271 §4.2) with capabilities (RFC 5492) in ordinary or extended optional parameters
 * (RFC 9072).
 *
 * Here: what any OPEN must satisfy. What this neighbor must satisfy (its AS, its identifier) is
 * checked in bgp/connection/negotiate.ts.
 */
import { fail, ok, type Result } from '../../lib/result.ts';
import type { Ipv4 } from '../../net/ipv4.ts';
import { ByteWriter, u16, u32 } from './bytes.ts';
import { type Capability, decodeCapability, encodeCapability } from './capability.ts';
import { type BgpFault, makeFault, notificationCode } from './notification.ts';

export interface Open {
  /** My Autonomous System, two octets: AS_TRANS when the real one does not fit (RFC 6793 §4.1). */
  readonly as: number;
  readonly holdTimeSeconds: number;
  readonly bgpId: Ipv4;
  readonly capabilities: readonly Capability[];
}

/** Stands for a four-octet AS where only two fit. */
export const asTrans = 23456;

const version = 4;
const capabilitiesParameter = 2;
const extendedMark = 255;

/** The message's body. Capabilities go into one parameter each, as RFC 5492 §4 allows. */
export function encodeOpen(open: Open): Uint8Array {
  const capabilities = open.capabilities.map(encodeCapability);
  const plainBytes = capabilities.reduce((sum, each) => sum + 2 + each.length, 0);
  const writer = new ByteWriter().u8(version).u16(open.as).u16(open.holdTimeSeconds);
  writer.u32(open.bgpId);
  const isExtended = plainBytes > 254;
  if (isExtended) {
    writer
      .u8(extendedMark)
      .u8(extendedMark)
      .u16(plainBytes + capabilities.length);
  } else {
    writer.u8(plainBytes);
  }
  for (const capability of capabilities) {
    writer.u8(capabilitiesParameter);
    if (isExtended) writer.u16(capability.length);
    else writer.u8(capability.length);
    writer.bytes(capability);
  }
  return writer.done();
}

/** RFC 4271 §6.2. Nothing of the result is a view into `body`. */
export function decodeOpen(body: Uint8Array): Result<Open, BgpFault> {
  if (body.length < 10) return fail(openFault(0, 'an OPEN shorter than 29 bytes'));
  if (body[0] !== version) {
    const supported = new ByteWriter().u16(version).done();
    return fail(openFault(1, `BGP version ${body[0]}`, supported));
  }
  const holdTimeSeconds = u16(body, 3);
  if (holdTimeSeconds === 1 || holdTimeSeconds === 2) {
    return fail(openFault(6, `a hold time of ${holdTimeSeconds} s`));
  }
  const bgpId = u32(body, 5);
  if (bgpId === 0) return fail(openFault(3, 'a BGP Identifier of zero'));
  const capabilities = decodeParameters(body);
  if (!capabilities.ok) return capabilities;
  return ok({ as: u16(body, 1), holdTimeSeconds, bgpId, capabilities: capabilities.value });
}

/** The optional parameters, ordinary or extended (RFC 9072 §2). */
function decodeParameters(body: Uint8Array): Result<Capability[], BgpFault> {
  const isExtended = body[9]! !== 0 && body[10] === extendedMark;
  const headBytes = isExtended ? 3 : 2;
  const start = isExtended ? 13 : 10;
  if (body.length < start) return fail(openFault(0, 'optional parameters cut short'));
  const end = start + (isExtended ? u16(body, 11) : body[9]!);
  if (end !== body.length) return fail(openFault(0, 'optional parameters of wrong length'));
  const capabilities: Capability[] = [];
  let at = start;
  while (at < end) {
    if (at + headBytes > end) return fail(openFault(0, 'an optional parameter cut short'));
    const type = body[at]!;
    const valueBytes = isExtended ? u16(body, at + 1) : body[at + 1]!;
    const valueStart = at + headBytes;
    at = valueStart + valueBytes;
    if (at > end) return fail(openFault(0, 'an optional parameter longer than its message'));
    if (type !== capabilitiesParameter) return fail(openFault(4, `optional parameter ${type}`));
    if (!decodeCapabilities(body.subarray(valueStart, at), capabilities)) {
      return fail(openFault(0, 'a capability of wrong length'));
    }
  }
  return ok(capabilities);
}

/** @returns false when one is longer than its parameter, or not as long as its code asks for */
function decodeCapabilities(bytes: Uint8Array, into: Capability[]): boolean {
  let at = 0;
  while (at < bytes.length) {
    if (at + 2 > bytes.length) return false;
    const end = at + 2 + bytes[at + 1]!;
    if (end > bytes.length) return false;
    const capability = decodeCapability(bytes[at]!, bytes.subarray(at + 2, end));
    if (!capability) return false;
    into.push(capability);
    at = end;
  }
  return true;
}

function openFault(subcode: number, reason: string, data?: Uint8Array): BgpFault {
  return makeFault(notificationCode.open, subcode, reason, data);
}
