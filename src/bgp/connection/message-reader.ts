// SPDX-License-Identifier: Apache-2.0
/**
 * The receiving side of one connection: bytes that came, until they are taken as messages.
 *
 * Memory is bounded: the connection is paused while much lies here. Kept for the hold timer: when the
 * neighbor was last heard, and whether there is more to read; for the end: how the connection closed.
 *
 * Absent: what a message is (bgp/wire/header.ts), when to take the next one and what it means
 * (bgp/connection/peering.ts).
 */
import type { Clock } from '../../lib/clock.ts';
import type { Result } from '../../lib/result.ts';
import { type Frame, Framer } from '../wire/header.ts';
import type { BgpFault } from '../wire/notification.ts';
import type { Connection } from './transport.ts';

/** Reading stops above, and continues below. */
const bufferedBytesHigh = 256 * 1024;
const bufferedBytesLow = 64 * 1024;

export class MessageReader {
  readonly connection: Connection;
  /** Why the connection was closed, while messages that came before are unread. */
  closedReason: string | undefined;
  readonly #clock: Clock;
  readonly #framer = new Framer();
  #isPaused = false;
  #hasUnread = false;
  #heardMs = 0;

  constructor(connection: Connection, clock: Clock) {
    this.connection = connection;
    this.#clock = clock;
  }

  /** Whether next() may find a message. */
  get hasUnread(): boolean {
    return this.#hasUnread;
  }

  /** When the last bytes came. */
  get heardMs(): number {
    return this.#heardMs;
  }

  /** We have advertised Extended Message: up to 65535 bytes may come (RFC 8654 §4). */
  allowExtended(): void {
    this.#framer.isExtended = true;
  }

  push(chunk: Uint8Array): void {
    this.#heardMs = this.#clock.nowMs();
    this.#framer.push(chunk);
    this.#hasUnread = true;
    if (this.#isPaused || this.#framer.bufferedBytes <= bufferedBytesHigh) return;
    this.#isPaused = true;
    this.connection.pause();
  }

  /** @returns undefined when there is no whole message left; its body is valid until more comes */
  next(): Result<Frame | undefined, BgpFault> {
    if (this.#isPaused && this.#framer.bufferedBytes <= bufferedBytesLow) {
      this.#isPaused = false;
      this.connection.resume();
    }
    const next = this.#framer.next();
    this.#hasUnread = next.ok && next.value !== undefined;
    return next;
  }
}
