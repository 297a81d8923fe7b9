// SPDX-License-Identifier: Apache-2.0
/**
 * What a session remembers for status: counts, the last error, why it last went down, and the last
 * events. Written by the session, read by its snapshot.
 */
import type { Clock } from '../lib/clock.ts';
import {
  type LastDown,
  type LastError,
  type MessageCounts,
  type NeighborRow,
  type SessionEvent,
  zeroCounts,
} from './status.ts';
import { describeNotification, type Notification, shutdownText } from './wire/notification.ts';
import type { AttributeOutcome } from './wire/path-attribute.ts';

const eventsMax = 50;

const messageNames: Record<number, keyof MessageCounts> = {
  1: 'open',
  2: 'update',
  3: 'notification',
  4: 'keepalive',
  5: 'routeRefresh',
};

export class SessionRecord {
  establishedCount = 0;
  refusedCount = 0;
  readonly #clock: Clock;
  readonly #sent = zeroCounts();
  readonly #received = zeroCounts();
  readonly #faults: Record<AttributeOutcome, number> = {
    'attribute-discard': 0,
    'treat-as-withdraw': 0,
    'session-reset': 0,
  };
  readonly #events: SessionEvent[] = [];
  #downCount = 0;
  #lastError: LastError | undefined;
  #lastDown: LastDown | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get lastError(): LastError | undefined {
    return this.#lastError;
  }

  sent(type: number): void {
    const name = messageNames[type];
    if (name) this.#sent[name] += 1;
  }

  received(type: number): void {
    const name = messageNames[type];
    if (name) this.#received[name] += 1;
  }

  /** @returns whether it is the first of its kind */
  attributeFault(outcome: AttributeOutcome): boolean {
    this.#faults[outcome] += 1;
    return this.#faults[outcome] === 1;
  }

  /** A connection failed, or never came to be. */
  failed(text: string): void {
    const none = { sender: undefined, code: undefined, subcode: undefined, words: undefined };
    this.#keepError({ ...none, text });
  }

  /** @param reason - ours, for a NOTIFICATION that we send; else empty */
  notified(sender: 'local' | 'remote', notification: Notification, reason: string): void {
    const { code, subcode } = notification;
    const names = describeNotification(notification);
    const words = shutdownText(notification);
    const why = words ?? reason;
    const isNew = !names.toLowerCase().endsWith(why.toLowerCase());
    this.#keepError({ sender, code, subcode, words, text: isNew ? `${names} (${why})` : names });
  }

  /** An established session came to its end; what failed or was notified just before is why. */
  down(upMs: number, isGraceful: boolean): void {
    this.#downCount += 1;
    if (this.#lastError) this.#lastDown = { ...this.#lastError, upMs, isGraceful };
    this.note(isGraceful ? 'down, routes kept as stale' : 'down');
  }

  note(text: string): void {
    // What repeats itself, such as an unanswered connection, is one event: the last one.
    if (this.#events.at(-1)?.text === text) this.#events.pop();
    this.#events.push({ wallMs: this.#clock.wallMs(), text });
    if (this.#events.length > eventsMax) this.#events.shift();
  }

  /** Its part of a row. */
  snapshot(): Pick<
    NeighborRow,
    | 'messagesSent'
    | 'messagesReceived'
    | 'attributeFaults'
    | 'lastError'
    | 'lastDown'
    | 'establishedCount'
    | 'downCount'
    | 'refusedCount'
    | 'events'
  > {
    return {
      messagesSent: { ...this.#sent },
      messagesReceived: { ...this.#received },
      attributeFaults: { ...this.#faults },
      lastError: this.#lastError,
      lastDown: this.#lastDown,
      establishedCount: this.establishedCount,
      downCount: this.#downCount,
      refusedCount: this.refusedCount,
      events: [...this.#events],
    };
  }

  #keepError(error: Omit<LastError, 'wallMs'>): void {
    this.#lastError = { ...error, wallMs: this.#clock.wallMs() };
    this.note(`${error.sender ? `${error.sender} NOTIFICATION: ` : ''}${error.text}`);
  }
}
