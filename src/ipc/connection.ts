// SPDX-License-Identifier: Apache-2.0
/**
 * One connection of a client: reads its request, and sends the answer (protocol.ts).
 *
 * Nothing is made before it is wanted, and what follows the request is kept only if the request has a
 * body.
 */
import type { Socket } from 'node:net';
import { EgretError } from '../lib/errors.ts';
import { type Answer, endOfText, type Head } from './protocol.ts';

export type Body = AsyncIterable<Uint8Array>;

/** The process at the other end, as the kernel knows it. */
export interface Peer {
  readonly pid: number;
  readonly uid: number;
}

export interface Service {
  /** May open the socket, as its owner may; a group that does not exist adds no one. */
  readonly group: string;
  /** Printed with each answer; undefined: nothing to warn of. */
  readonly warning: () => string | undefined;
  /** @throws EgretError before the first text: a refusal */
  readonly answer: (line: string, body: Body, peer: Peer | undefined) => Answer;
}

/** What a connection waits for, as others see it, and who has made it. */
export interface Waiting {
  /** Resolves when the answer may be made. */
  readonly turn: () => Promise<void>;
  /** It waits for its client, or no longer does. */
  readonly stalls: (isStalled: boolean) => void;
  /** Asked once the request is there; none: no service of this connection wants to know. */
  readonly peer?: () => Peer;
}

const requestBytesMax = 65_536;
const requestTimeoutMs = 10_000;
/** How long a reader may pause, e.g. a person in a pager. */
const readerTimeoutMs = 600_000;
/** Of a request that was answered before it came whole: as long as any file of a configuration. */
const droppedBytesMax = 64 << 20;

/** @throws what was no refusal; the connection is closed then */
export async function serveConnection(
  socket: Socket,
  service: Service,
  waiting: Waiting,
): Promise<void> {
  socket.on('error', () => socket.destroy());
  socket.setTimeout(requestTimeoutMs, () => socket.destroy());
  try {
    const line = await readLine(socket);
    waiting.stalls(false);
    socket.setTimeout(readerTimeoutMs);
    await waiting.turn();
    await answer(socket, line, service, waiting);
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

/** Leaves what follows the line unread. */
function readLine(socket: Socket): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const read = (chunk: Buffer): void => {
      const end = chunk.indexOf('\n');
      chunks.push(end < 0 ? chunk : chunk.subarray(0, end));
      length += chunks.at(-1)!.length;
      if (end < 0 && length <= requestBytesMax) return;
      socket.off('data', read);
      socket.pause();
      if (length > requestBytesMax) reject(new Error('the request is too long'));
      else {
        if (end + 1 < chunk.length) socket.unshift(chunk.subarray(end + 1));
        resolve(Buffer.concat(chunks).toString());
      }
    };
    socket.on('data', read);
    socket.on('end', () => reject(new Error('the request is incomplete')));
    socket.on('close', () => reject(new Error('the client closed the connection')));
  });
}

async function answer(
  socket: Socket,
  line: string,
  service: Service,
  waiting: Waiting,
): Promise<void> {
  let isBegun = false;
  const body = new SocketBody(socket);
  const headLine = (head: Head): string => `${JSON.stringify(head)}\n`;
  const begin = (): void => {
    if (!isBegun) socket.write(headLine({ status: 0, message: service.warning() }));
    isBegun = true;
  };
  try {
    const texts = service.answer(line, body, waiting.peer?.());
    for (;;) {
      const next = await texts.next();
      begin();
      if (next.done) {
        await finish(socket, `${endOfText}${next.value ?? 0}`, body);
        return;
      }
      if (!socket.write(next.value)) {
        waiting.stalls(true);
        await drained(socket);
        waiting.stalls(false);
      }
      if (socket.destroyed) {
        await texts.return(undefined);
        return;
      }
    }
  } catch (error) {
    if (isBegun) {
      socket.destroy();
      throw error;
    }
    const known = error instanceof EgretError;
    await finish(
      socket,
      headLine({
        status: known ? error.exit : 1,
        message: known ? error.message : `egretd could not answer: ${(error as Error).message}`,
        hint: known ? error.hint : undefined,
      }),
      body,
    );
    if (!known) throw error;
  }
}

/** What follows the request, read only as far as it is asked for. */
class SocketBody implements Body {
  readonly #socket: Socket;
  #chunks: AsyncGenerator<Buffer> | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  [Symbol.asyncIterator](): AsyncGenerator<Buffer> {
    this.#chunks ??= this.#read();
    return this.#chunks;
  }

  async stop(): Promise<void> {
    await this.#chunks?.return(undefined);
  }

  async *#read(): AsyncGenerator<Buffer> {
    for await (const chunk of this.#socket.iterator({ destroyOnReturn: false })) {
      yield chunk as Buffer;
    }
  }
}

/**
 * Sends the last of an answer and closes. What the client still sends is read, and dropped: of a socket
 * that is closed before, it would get an error instead of the answer. Both are bounded.
 */
async function finish(socket: Socket, text: string, body: SocketBody): Promise<void> {
  await body.stop();
  let dropped = 0;
  socket.on('data', (chunk: Buffer) => {
    dropped += chunk.length;
    if (dropped > droppedBytesMax) socket.destroy();
  });
  socket.resume();
  socket.end(text, () => socket.setTimeout(requestTimeoutMs));
}

function drained(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    if (socket.destroyed) {
      resolve();
      return;
    }
    const go = () => {
      socket.off('drain', go);
      socket.off('close', go);
      resolve();
    };
    socket.on('drain', go);
    socket.on('close', go);
  });
}
