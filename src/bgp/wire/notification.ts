// SPDX-License-Identifier: Apache-2.0
/**
 * NOTIFICATION (RFC 4271 §4.5) and the fault that becomes one.
 *
 * A decoder that meets an error returns the NOTIFICATION to send. Names of codes are IANA's: RFC
 * 4271 §4.5, RFC 4486 (Cease), RFC 6608 (FSM), RFC 7313 (ROUTE-REFRESH), RFC 8538, RFC 9384 and
 * RFC 9687.
 */
import { fail, ok, type Result } from '../../lib/result.ts';
import { ByteWriter, noBytes } from './bytes.ts';

/** What is wrong, as the NOTIFICATION that says so; `reason` is for our own log and status. */
export interface BgpFault {
  readonly code: number;
  readonly subcode: number;
  readonly data: Uint8Array;
  readonly reason: string;
}

export interface Notification {
  readonly code: number;
  readonly subcode: number;
  readonly data: Uint8Array;
}

/** NOTIFICATION error codes. */
export const notificationCode = {
  header: 1,
  open: 2,
  update: 3,
  holdTimerExpired: 4,
  fsm: 5,
  cease: 6,
  routeRefresh: 7,
  sendHoldTimerExpired: 8,
} as const;

/** Subcodes of Cease (RFC 4486, RFC 8538 §4). */
export const ceaseSubcode = {
  prefixesMax: 1,
  administrativeShutdown: 2,
  peerDeconfigured: 3,
  administrativeReset: 4,
  connectionRejected: 5,
  configurationChange: 6,
  connectionCollision: 7,
  outOfResources: 8,
  hardReset: 9,
  bfdDown: 10,
} as const;

const codeNames: Record<number, string> = {
  1: 'Message Header Error',
  2: 'OPEN Message Error',
  3: 'UPDATE Message Error',
  4: 'Hold Timer Expired',
  5: 'Finite State Machine Error',
  6: 'Cease',
  7: 'ROUTE-REFRESH Message Error',
  8: 'Send Hold Timer Expired',
};

const subcodeNames: Record<number, Record<number, string>> = {
  1: { 1: 'Connection Not Synchronized', 2: 'Bad Message Length', 3: 'Bad Message Type' },
  2: {
    1: 'Unsupported Version Number',
    2: 'Bad Peer AS',
    3: 'Bad BGP Identifier',
    4: 'Unsupported Optional Parameter',
    6: 'Unacceptable Hold Time',
    7: 'Unsupported Capability',
    11: 'Role Mismatch',
  },
  3: {
    1: 'Malformed Attribute List',
    2: 'Unrecognized Well-known Attribute',
    3: 'Missing Well-known Attribute',
    4: 'Attribute Flags Error',
    5: 'Attribute Length Error',
    6: 'Invalid ORIGIN Attribute',
    8: 'Invalid NEXT_HOP Attribute',
    9: 'Optional Attribute Error',
    10: 'Invalid Network Field',
    11: 'Malformed AS_PATH',
  },
  5: {
    1: 'Unexpected Message in OpenSent',
    2: 'Unexpected Message in OpenConfirm',
    3: 'Unexpected Message in Established',
  },
  6: {
    1: 'Maximum Number of Prefixes Reached',
    2: 'Administrative Shutdown',
    3: 'Peer De-configured',
    4: 'Administrative Reset',
    5: 'Connection Rejected',
    6: 'Other Configuration Change',
    7: 'Connection Collision Resolution',
    8: 'Out of Resources',
    9: 'Hard Reset',
    10: 'BFD Down',
  },
  7: { 1: 'Invalid Message Length' },
};

export function makeFault(
  code: number,
  subcode: number,
  reason: string,
  data: Uint8Array = noBytes,
): BgpFault {
  return { code, subcode, data, reason };
}

export function makeCease(subcode: keyof typeof ceaseSubcode, reason: string): BgpFault {
  return makeFault(notificationCode.cease, ceaseSubcode[subcode], reason);
}

/** What an operator asks for, with a text for the neighbor's (RFC 9003); '': none. */
export function makeOperatorCease(
  subcode: 'administrativeShutdown' | 'administrativeReset',
  words: string,
): BgpFault {
  const data = words === '' ? noBytes : encodeShutdownText(words);
  const reason = words === '' ? 'by the operator' : `by the operator: ${words}`;
  return makeFault(notificationCode.cease, ceaseSubcode[subcode], reason, data);
}

/** RFC 8538 §3.1: what ends the session and its routes, with the NOTIFICATION that it stands for. */
export function makeHardReset(fault: BgpFault): BgpFault {
  const data = new ByteWriter().u8(fault.code).u8(fault.subcode).bytes(fault.data).done();
  return makeFault(notificationCode.cease, ceaseSubcode.hardReset, fault.reason, data);
}

export function isHardReset({ code, subcode }: Notification): boolean {
  return code === notificationCode.cease && subcode === ceaseSubcode.hardReset;
}

/**
 * RFC 8538 §5.1: Ceases that end the routes with the session. Out of Resources is one of ours: routes
 * that stay take the room for which the session ends.
 */
export function isHard({ code, subcode }: Notification): boolean {
  if (code !== notificationCode.cease) return false;
  switch (subcode) {
    case ceaseSubcode.prefixesMax:
    case ceaseSubcode.administrativeShutdown:
    case ceaseSubcode.peerDeconfigured:
    case ceaseSubcode.outOfResources:
    case ceaseSubcode.hardReset:
      return true;
    default:
      return false;
  }
}

/** @returns what a Hard Reset stands for; any other NOTIFICATION, or one without data, itself */
function meaningOf(notification: Notification): Notification {
  const [code, subcode] = notification.data;
  if (!isHardReset(notification) || code === undefined || subcode === undefined) {
    return notification;
  }
  return { code, subcode, data: notification.data.subarray(2) };
}

/** The standard names, e.g. "Cease: Administrative Shutdown", or that "as Hard Reset". */
export function describeNotification(notification: Notification): string {
  const { code, subcode } = meaningOf(notification);
  const names = namesOf(code, subcode);
  const isWrapped = isHardReset(notification) && notification.data.length >= 2;
  return isWrapped ? `${names}, as Hard Reset` : names;
}

function namesOf(code: number, subcode: number): string {
  const name = codeNames[code] ?? `error ${code}`;
  if (subcode === 0) return name;
  return `${name}: ${subcodeNames[code]?.[subcode] ?? `subcode ${subcode}`}`;
}

/** Of a message of 4,096 bytes, which every neighbor takes. */
const dataBytesMax = 4096 - 19 - 2;

/** The message's body, without header. Data is cut to what an ordinary message holds (RFC 8654 §4). */
export function encodeNotification(notification: Notification): Uint8Array {
  return new ByteWriter()
    .u8(notification.code)
    .u8(notification.subcode)
    .bytes(notification.data.subarray(0, dataBytesMax))
    .done();
}

/** @param body - the message without its header; data is a view into it */
export function decodeNotification(body: Uint8Array): Result<Notification, BgpFault> {
  if (body.length < 2) {
    return fail(makeFault(notificationCode.header, 2, 'a NOTIFICATION shorter than 21 bytes'));
  }
  return ok({ code: body[0]!, subcode: body[1]!, data: body.subarray(2) });
}

/**
 * The operator's words in a Cease (RFC 9003 §2): a length and UTF-8 text, for Administrative
 * Shutdown and Administrative Reset.
 */
export function encodeShutdownText(text: string): Uint8Array {
  let utf8 = new TextEncoder().encode(text);
  if (utf8.length > 255) {
    let end = 255;
    // Never cut a character: continuation bytes are 10xxxxxx.
    while (((utf8[end] ?? 0) & 0xc0) === 0x80) end -= 1;
    utf8 = utf8.subarray(0, end);
  }
  return new ByteWriter().u8(utf8.length).bytes(utf8).done();
}

/**
 * Also out of a Hard Reset (RFC 8538 §3.1).
 *
 * @returns undefined when the NOTIFICATION carries no such text, or not in valid UTF-8
 */
export function shutdownText(notification: Notification): string | undefined {
  const { code, subcode, data } = meaningOf(notification);
  const { administrativeShutdown, administrativeReset } = ceaseSubcode;
  if (code !== notificationCode.cease) return undefined;
  if (subcode !== administrativeShutdown && subcode !== administrativeReset) return undefined;
  const byteCount = data[0];
  if (byteCount === undefined || byteCount === 0 || data.length < 1 + byteCount) return undefined;
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(data.subarray(1, 1 + byteCount));
  } catch {
    return undefined;
  }
}
