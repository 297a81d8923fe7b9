// SPDX-License-Identifier: Apache-2.0
/**
 * The message header (RFC 4271 §4.1) and the framer that cuts a TCP stream into messages.
 *
 *      0                   1                   2                   3
 *     |                        marker: 16 bytes of ones ...            |
 *     |          length (19 to 4096)  |      type     |
 *
 * Lengths up to 65535 are taken once Extended Message was advertised (RFC 8654), except for OPEN
 * and KEEPALIVE. Memory is bounded: the caller stops reading while `bufferedBytes` is high.
 */
import { fail, ok, type Result } from '../../lib/result.ts';
import { ByteWriter, u16 } from './bytes.ts';
import { type BgpFault, makeFault, notificationCode } from './notification.ts';

export const messageType = {
  open: 1,
  update: 2,
  notification: 3,
  keepalive: 4,
  routeRefresh: 5,
} as const;

export const headerBytes = 19;
export const messageBytesMax = 4096;
export const extendedMessageBytesMax = 65535;

/** A message cut out of the stream; `body` is a view that the next push invalidates. */
export interface Frame {
  readonly type: number;
  readonly body: Uint8Array;
}

export function encodeMessage(type: number, body: Uint8Array): Uint8Array {
  const message = new Uint8Array(headerBytes + body.length);
  message.fill(0xff, 0, 16);
  message[16] = message.length >>> 8;
  message[17] = message.length;
  message[18] = type;
  message.set(body, headerBytes);
  return message;
}

/** Smallest lengths by type (RFC 4271 §6.1); ROUTE-REFRESH answers with an error of its own. */
const bytesMin: Record<number, number> = { 1: 29, 2: 23, 3: 21, 4: 19, 5: 19 };

function lengthFault(length: number): BgpFault {
  const data = new ByteWriter().u16(length).done();
  return makeFault(notificationCode.header, 2, `a message of ${length} bytes`, data);
}

export class Framer {
  #buffer = new Uint8Array(8192);
  #start = 0;
  #end = 0;
  /** Set once we have advertised Extended Message. */
  isExtended = false;

  get bufferedBytes(): number {
    return this.#end - this.#start;
  }

  push(chunk: Uint8Array): void {
    if (this.#end + chunk.length > this.#buffer.length) this.#makeRoom(chunk.length);
    this.#buffer.set(chunk, this.#end);
    this.#end += chunk.length;
  }

  /**
   * RFC 4271 §6.1.
   *
   * @returns undefined while the next message is incomplete; a fault as soon as its header is wrong
   */
  next(): Result<Frame | undefined, BgpFault> {
    const buffered = this.#end - this.#start;
    const markerEnd = this.#start + Math.min(buffered, 16);
    for (let at = this.#start; at < markerEnd; at += 1) {
      if (this.#buffer[at] !== 0xff) {
        return fail(makeFault(notificationCode.header, 1, 'a marker that is not all ones'));
      }
    }
    if (buffered < headerBytes) return ok(undefined);
    const length = u16(this.#buffer, this.#start + 16);
    const type = this.#buffer[this.#start + 18]!;
    const shortest = bytesMin[type];
    const isAlwaysShort = type === messageType.open || type === messageType.keepalive;
    const longest = this.isExtended && !isAlwaysShort ? extendedMessageBytesMax : messageBytesMax;
    if (length < headerBytes || length > longest) return fail(lengthFault(length));
    if (shortest === undefined) {
      const data = Uint8Array.of(type);
      return fail(makeFault(notificationCode.header, 3, `a message of type ${type}`, data));
    }
    if (length < shortest) return fail(lengthFault(length));
    if (type === messageType.keepalive && length !== headerBytes) return fail(lengthFault(length));
    if (buffered < length) return ok(undefined);
    const body = this.#buffer.subarray(this.#start + headerBytes, this.#start + length);
    this.#start += length;
    return ok({ type, body });
  }

  #makeRoom(byteCount: number): void {
    const buffered = this.bufferedBytes;
    let target = this.#buffer;
    if (buffered + byteCount > target.length) {
      target = new Uint8Array(Math.max(target.length * 2, buffered + byteCount));
    }
    target.set(this.#buffer.subarray(this.#start, this.#end));
    this.#buffer = target;
    this.#start = 0;
    this.#end = buffered;
  }
}
