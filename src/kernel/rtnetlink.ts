// SPDX-License-Identifier: Apache-2.0
/**
 * Conversation with the kernel over rtnetlink: requests with acknowledgements, dumps, and the stream
 * of notifications (docs/adr/0002-own-rtnetlink.md).
 *
 * Two sockets: one for requests, whose answers find their request by sequence number, and one for
 * notifications. The kernel runs one dump at a time on a socket, so dumps queue here. A dump that
 * the kernel marks as interrupted (NLM_F_DUMP_INTR) is read again. When notifications were lost
 * (ENOBUFS) the listener is notified, and it reads everything again. No request waits without end: when
 * the kernel has sent nothing for a while, the requests that wait fail, and their callers try again.
 */
import { constants } from 'node:os';
import type { Clock, Timer } from '../lib/clock.ts';
import { EgretError } from '../lib/errors.ts';
import type { WorkQueue } from '../lib/work-queue.ts';
import { ByteStream } from './byte-stream.ts';
import { type NetlinkSockets, netlinkRoute } from './native.ts';
import {
  decodeError,
  encodeMessage,
  flagAck,
  flagDump,
  flagDumpInterrupted,
  flagRequest,
  forEachMessage,
  type MessageFault,
  type MessageHeader,
  nlmsgDone,
  nlmsgError,
} from './netlink-codec.ts';
import type { RequestBody } from './rtnetlink-codec.ts';

const requestReceiveBytes = 4 << 20;
const notificationReceiveBytes = 16 << 20;
/** Requests in one send, so that their answers fit into the receive buffer. */
const requestsMax = 256;
const dumpTriesMax = 8;
/** Without a word from the kernel. It answers while it is asked; only a reader that is stuck is late. */
const silenceMaxMs = 10_000;

/** Bodies of a dump's messages as they come; `type` is RTM_NEW*. */
export type VisitMessage = (type: number, bytes: Buffer, start: number, end: number) => void;

interface Answer {
  readonly fault: MessageFault;
  /** Of a dump: the table changed meanwhile. */
  readonly isInterrupted: boolean;
}

interface Pending {
  readonly visit: VisitMessage | undefined;
  isInterrupted: boolean;
  readonly settle: (answer: Answer) => void;
}

const lost: MessageFault = { errno: constants.errno.ENOBUFS, reason: 'answers were lost' };
const closed: MessageFault = { errno: constants.errno.ECANCELED, reason: 'closed' };
const silent: MessageFault = { errno: constants.errno.ETIMEDOUT, reason: 'no answer came' };

export class Rtnetlink {
  readonly #sockets: NetlinkSockets;
  readonly #clock: Clock;
  readonly #queue: WorkQueue;
  readonly #fd: number;
  readonly #stream: ByteStream;
  /** By sequence number. */
  readonly #pending = new Map<number, Pending>();
  #sequence = 0;
  #lastDump: Promise<unknown> = Promise.resolve();
  #silence: Timer | undefined;
  #isHeard = false;
  #isClosed = false;

  constructor(sockets: NetlinkSockets, clock: Clock, queue: WorkQueue) {
    this.#sockets = sockets;
    this.#clock = clock;
    this.#queue = queue;
    const { fd, events } = sockets.open([], requestReceiveBytes, 0);
    this.#fd = fd;
    this.#stream = new ByteStream(events, queue, {
      take: (bytes) =>
        takeDatagrams(
          bytes,
          (datagram, from, to) => this.#answered(datagram, from, to),
          () => this.#settleAll(lost),
        ),
      ended: () => this.close(),
    });
  }

  /** Sends one request. @throws EgretError NETLINK_REFUSED */
  async request(what: string, body: RequestBody, flags = 0): Promise<void> {
    const [answer] = await Promise.all(this.#send([body], flagRequest | flagAck | flags));
    if (answer!.fault.errno !== 0) throw refused(what, answer!.fault);
  }

  /** Sends requests in order. @returns the kernel's answer to each; errno 0: done */
  async requestAll(bodies: readonly RequestBody[], flags = 0): Promise<readonly MessageFault[]> {
    const faults: MessageFault[] = [];
    for (let from = 0; from < bodies.length; from += requestsMax) {
      const slice = bodies.slice(from, from + requestsMax);
      const answers = await Promise.all(this.#send(slice, flagRequest | flagAck | flags));
      for (const answer of answers) faults.push(answer.fault);
      // Of ten thousand clients: other work gets its turn between.
      await this.#queue.pause();
    }
    return faults;
  }

  /** Reads a table whole. @throws EgretError NETLINK_REFUSED */
  async dump<Row>(
    what: string,
    body: RequestBody,
    decode: (bytes: Buffer, start: number, end: number) => Row | undefined,
  ): Promise<Row[]> {
    let rows: Row[] = [];
    const begin = (): void => {
      rows = [];
    };
    await this.dumpEach(what, body, begin, (_type, bytes, start, end) => {
      const row = decode(bytes, start, end);
      if (row !== undefined) rows.push(row);
    });
    return rows;
  }

  /**
   * Reads a table as it comes, for those too large to keep.
   *
   * @param begin - called before the first message, and again when the dump starts over
   * @throws EgretError NETLINK_REFUSED
   */
  async dumpEach(
    what: string,
    body: RequestBody,
    begin: () => void,
    visit: VisitMessage,
  ): Promise<void> {
    const run = this.#lastDump.then(async () => {
      for (let tries = 0; tries < dumpTriesMax; tries++) {
        begin();
        if (await this.#dumpOnce(body, visit)) return;
      }
      throw { errno: constants.errno.EINTR, reason: 'it never held still' } satisfies MessageFault;
    });
    this.#lastDump = run.catch(() => {});
    await run.catch((fault: MessageFault) => {
      throw refused(what, fault);
    });
  }

  /** What waits has failed, and what is asked later fails at once. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#silence?.clear();
    this.#stream.close();
    this.#sockets.close(this.#fd);
    this.#settleAll(closed);
  }

  /** @returns false when the table changed while it was read */
  async #dumpOnce(body: RequestBody, visit: VisitMessage): Promise<boolean> {
    const [answer] = await Promise.all(this.#send([body], flagRequest | flagDump, visit));
    const { fault, isInterrupted } = answer!;
    // Strict checking says ENOENT of a table that was never used.
    if (fault.errno !== 0 && fault.errno !== constants.errno.ENOENT) throw fault;
    return !isInterrupted;
  }

  /** Sends messages at once; each gets a promise of its answer. */
  #send(bodies: readonly RequestBody[], flags: number, visit?: VisitMessage): Promise<Answer>[] {
    if (this.#isClosed) return bodies.map(async () => ({ fault: closed, isInterrupted: false }));
    const answers: Promise<Answer>[] = [];
    const messages = bodies.map(({ type, body }) => {
      this.#sequence = this.#sequence === 0xffff_ffff ? 1 : this.#sequence + 1;
      const sequence = this.#sequence;
      answers.push(
        new Promise((settle) => {
          this.#pending.set(sequence, { visit, isInterrupted: false, settle });
        }),
      );
      return encodeMessage(type, flags, sequence, body);
    });
    this.#sockets.send(this.#fd, Buffer.concat(messages));
    if (!this.#silence) this.#watchForSilence();
    return answers;
  }

  #answered(bytes: Buffer, from: number, to: number): void {
    this.#isHeard = true;
    forEachMessage(bytes, from, to, (header, start, end) => {
      const one = this.#pending.get(header.sequence);
      if (!one) return;
      if (header.flags & flagDumpInterrupted) one.isInterrupted = true;
      if (header.type === nlmsgError || header.type === nlmsgDone) {
        this.#pending.delete(header.sequence);
        const fault = decodeError(bytes, header, start, end);
        one.settle({ fault, isInterrupted: one.isInterrupted });
      } else {
        one.visit?.(header.type, bytes, start, end);
      }
    });
  }

  #settleAll(fault: MessageFault): void {
    const all = [...this.#pending.values()];
    this.#pending.clear();
    for (const one of all) one.settle({ fault, isInterrupted: false });
  }

  #watchForSilence(): void {
    this.#isHeard = false;
    this.#silence = this.#clock.after(silenceMaxMs, () => {
      // What lies unread here, because this thread was busy or stopped, is no silence.
      this.#queue.soon(() => {
        this.#silence = undefined;
        if (!this.#isHeard && !this.#stream.hasUnread) this.#settleAll(silent);
        if (this.#pending.size > 0 && !this.#isClosed) this.#watchForSilence();
      });
    });
  }
}

export interface NotificationListener {
  message(header: MessageHeader, bytes: Buffer, start: number, end: number): void;
  /** Messages were lost: what is known may be wrong. */
  overrun(): void;
}

/**
 * Listens to multicast groups.
 *
 * @param filterProtocol - see NetlinkSockets.open
 */
export function openNotifications(
  sockets: NetlinkSockets,
  queue: WorkQueue,
  groups: readonly number[],
  filterProtocol: number,
  listener: NotificationListener,
  protocol = netlinkRoute,
): { close(): void } {
  const { fd, events } = sockets.open(groups, notificationReceiveBytes, filterProtocol, protocol);
  const datagram = (bytes: Buffer, from: number, to: number): void => {
    forEachMessage(bytes, from, to, (header, start, end) =>
      listener.message(header, bytes, start, end),
    );
  };
  const stream = new ByteStream(events, queue, {
    take: (bytes) => takeDatagrams(bytes, datagram, () => listener.overrun()),
    ended: () => {},
  });
  let isClosed = false;
  return {
    close() {
      if (isClosed) return;
      isClosed = true;
      stream.close();
      sockets.close(fd);
    },
  };
}

/** The EgretError for a request that failed. */
export function refused(what: string, fault: MessageFault): EgretError {
  const name =
    Object.entries(constants.errno).find(([, value]) => value === fault.errno)?.[0] ??
    `errno ${fault.errno}`;
  const reason = fault.reason ? `${fault.reason} (${name})` : name;
  return new EgretError('NETLINK_REFUSED', { request: what, reason });
}

/** Cuts a stream into datagrams, each behind its 32-bit length; 0 says that some were lost. */
export function takeDatagrams(
  bytes: Buffer,
  datagram: (bytes: Buffer, from: number, to: number) => void,
  overrun: () => void,
): number {
  let at = 0;
  while (bytes.length - at >= 4) {
    const length = bytes.readUInt32LE(at);
    if (bytes.length - at - 4 < length) break;
    if (length === 0) overrun();
    else datagram(bytes, at + 4, at + 4 + length);
    at += 4 + length;
  }
  return at;
}
