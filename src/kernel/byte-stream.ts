// SPDX-License-Identifier: Apache-2.0
/**
 * Reads a descriptor that libegret writes to, in steps: the only file of src/kernel that opens a
 * stream. What came waits here for the stream's turn in the work queue, and while it does, nothing
 * more is read than Node has read already: the rest stays in the kernel.
 */
import { Socket } from 'node:net';
import type { Worker, WorkQueue } from '../lib/work-queue.ts';

/** Some hundred messages of the kernel. */
const bytesPerStep = 16_384;

export interface ByteStreamListener {
  /**
   * Takes what it can use from the start of the bytes.
   *
   * @returns how much that was; the rest comes again in front of what follows
   */
  take(bytes: Buffer): number;
  /** The other side has closed. */
  ended(): void;
}

export class ByteStream implements Worker {
  readonly #socket: Socket;
  readonly #queue: WorkQueue;
  readonly #listener: ByteStreamListener;
  #rest: Buffer = Buffer.alloc(0);
  #hasUnread = false;
  #hasEnded = false;
  #isClosed = false;

  /** @param fd - one end of a stream socket pair; closed with the stream */
  constructor(fd: number, queue: WorkQueue, listener: ByteStreamListener) {
    this.#queue = queue;
    this.#listener = listener;
    this.#socket = new Socket({ fd, readable: true, writable: false });
    this.#socket.on('data', (chunk: Buffer) => this.#received(chunk));
    // 'error' and 'end' both mean that the library has closed its side; 'close' follows either.
    this.#socket.on('error', () => {});
    this.#socket.on('close', () => {
      this.#hasEnded = true;
      this.#endIfRead();
    });
  }

  /** Whether something came that was not taken yet. */
  get hasUnread(): boolean {
    return this.#hasUnread;
  }

  close(): void {
    this.#isClosed = true;
    this.#hasUnread = false;
    this.#queue.remove(this);
    this.#socket.destroy();
  }

  /** Hands on some of what came: whole messages, as long as they fit, or one that is longer. */
  work(): boolean {
    const rest = this.#rest;
    let used = 0;
    for (let length = bytesPerStep; used === 0; length *= 2) {
      used = this.#listener.take(rest.subarray(0, length));
      if (length >= rest.length) break;
    }
    // It may have closed the stream.
    if (this.#isClosed) return false;
    this.#rest = rest.subarray(used);
    if (used > 0 && this.#rest.length > 0) return true;
    this.#hasUnread = false;
    this.#socket.resume();
    this.#endIfRead();
    return false;
  }

  #received(chunk: Buffer): void {
    if (this.#isClosed) return;
    this.#rest = this.#rest.length > 0 ? Buffer.concat([this.#rest, chunk]) : chunk;
    this.#hasUnread = true;
    this.#socket.pause();
    this.#queue.add(this);
  }

  #endIfRead(): void {
    if (this.#hasEnded && !this.#hasUnread && !this.#isClosed) this.#listener.ended();
  }
}
