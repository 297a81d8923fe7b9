// SPDX-License-Identifier: Apache-2.0
/**
 * Capabilities in OPEN (RFC 5492).
 *
 * Known: 1 multiprotocol (RFC 4760 §8), 2 route refresh (RFC 2918), 6 extended message (RFC 8654),
 * 64 graceful restart (RFC 4724 §3), 65 four-octet AS (RFC 6793 §3), 70 enhanced route refresh (RFC
 * 7313), 73 FQDN. All others, and a malformed FQDN, which is only shown, stay bytes and are ignored
 * (RFC 5492 §3). Others of a wrong length are an error, as in BIRD and FRR.
 */
import { ByteWriter, u16, u32 } from './bytes.ts';
import { afiOf, type Family, formatFamily, makeFamily, safiOf } from './family.ts';

export type Capability =
  | { readonly kind: 'multiprotocol'; readonly family: Family }
  | { readonly kind: 'routeRefresh' }
  | { readonly kind: 'extendedMessage' }
  | GracefulRestart
  | { readonly kind: 'fourOctetAs'; readonly as: number }
  | { readonly kind: 'enhancedRouteRefresh' }
  | { readonly kind: 'fqdn'; readonly host: string; readonly domain: string }
  | { readonly kind: 'unknown'; readonly code: number; readonly value: Uint8Array };

export interface GracefulRestart {
  readonly kind: 'gracefulRestart';
  /** R: the sender has restarted. */
  readonly isRestarting: boolean;
  /** N: a NOTIFICATION is a graceful end too (RFC 8538 §2). */
  readonly hasNotification: boolean;
  /** 0 to 4095. */
  readonly restartTimeSeconds: number;
  /** isForwarding is F: the sender forwards by what it announced before. */
  readonly families: readonly { readonly family: Family; readonly isForwarding: boolean }[];
}

const code = {
  multiprotocol: 1,
  routeRefresh: 2,
  extendedMessage: 6,
  gracefulRestart: 64,
  fourOctetAs: 65,
  enhancedRouteRefresh: 70,
  fqdn: 73,
} as const;

/** Code, length, value. */
export function encodeCapability(capability: Capability): Uint8Array {
  const value = encodeValue(capability);
  const number = capability.kind === 'unknown' ? capability.code : code[capability.kind];
  return new ByteWriter().u8(number).u8(value.length).bytes(value).done();
}

function encodeValue(capability: Capability): Uint8Array {
  const writer = new ByteWriter();
  switch (capability.kind) {
    case 'multiprotocol':
      writer.u16(afiOf(capability.family)).u8(0).u8(safiOf(capability.family));
      break;
    case 'gracefulRestart':
      writer.u16(
        (capability.isRestarting ? 0x8000 : 0) |
          (capability.hasNotification ? 0x4000 : 0) |
          capability.restartTimeSeconds,
      );
      for (const { family, isForwarding } of capability.families) {
        writer
          .u16(afiOf(family))
          .u8(safiOf(family))
          .u8(isForwarding ? 0x80 : 0);
      }
      break;
    case 'fourOctetAs':
      writer.u32(capability.as);
      break;
    case 'fqdn':
      for (const text of [capability.host, capability.domain]) {
        const utf8 = new TextEncoder().encode(text);
        writer.u8(utf8.length).bytes(utf8);
      }
      break;
    case 'unknown':
      writer.bytes(capability.value);
      break;
  }
  return writer.done();
}

const knownCodes: readonly number[] = Object.values(code);

/** @returns undefined when the value does not have the length that its code asks for */
export function decodeCapability(number: number, value: Uint8Array): Capability | undefined {
  const known = decodeKnown(number, value);
  if (known || (knownCodes.includes(number) && number !== code.fqdn)) return known;
  return { kind: 'unknown', code: number, value: value.slice() };
}

function decodeKnown(number: number, value: Uint8Array): Capability | undefined {
  switch (number) {
    case code.multiprotocol:
      if (value.length !== 4) return undefined;
      return { kind: 'multiprotocol', family: makeFamily(u16(value, 0), value[3]!) };
    case code.routeRefresh:
      return value.length === 0 ? { kind: 'routeRefresh' } : undefined;
    case code.extendedMessage:
      return value.length === 0 ? { kind: 'extendedMessage' } : undefined;
    case code.gracefulRestart:
      return decodeGracefulRestart(value);
    case code.fourOctetAs:
      return value.length === 4 ? { kind: 'fourOctetAs', as: u32(value, 0) } : undefined;
    case code.enhancedRouteRefresh:
      return value.length === 0 ? { kind: 'enhancedRouteRefresh' } : undefined;
    case code.fqdn:
      return decodeFqdn(value);
    default:
      return undefined;
  }
}

function decodeGracefulRestart(value: Uint8Array): GracefulRestart | undefined {
  if (value.length < 2 || (value.length - 2) % 4 !== 0) return undefined;
  const flags = u16(value, 0);
  const families = [];
  for (let at = 2; at < value.length; at += 4) {
    const family = makeFamily(u16(value, at), value[at + 2]!);
    families.push({ family, isForwarding: (value[at + 3]! & 0x80) !== 0 });
  }
  return {
    kind: 'gracefulRestart',
    isRestarting: (flags & 0x8000) !== 0,
    hasNotification: (flags & 0x4000) !== 0,
    restartTimeSeconds: flags & 0x0fff,
    families,
  };
}

function decodeFqdn(value: Uint8Array): Capability | undefined {
  const hostBytes = value[0];
  if (hostBytes === undefined) return undefined;
  const domainBytes = value[1 + hostBytes];
  if (domainBytes === undefined || value.length !== 2 + hostBytes + domainBytes) return undefined;
  const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });
  return {
    kind: 'fqdn',
    host: utf8.decode(value.subarray(1, 1 + hostBytes)),
    domain: utf8.decode(value.subarray(2 + hostBytes)),
  };
}

/** One word for status. */
export function describeCapability(capability: Capability): string {
  switch (capability.kind) {
    case 'multiprotocol':
      return formatFamily(capability.family);
    case 'routeRefresh':
      return 'route-refresh';
    case 'extendedMessage':
      return 'extended-message';
    case 'gracefulRestart':
      return 'graceful-restart';
    case 'fourOctetAs':
      return 'four-octet-as';
    case 'enhancedRouteRefresh':
      return 'enhanced-route-refresh';
    case 'fqdn':
      return 'fqdn';
    case 'unknown':
      return `capability-${capability.code}`;
  }
}
