// SPDX-License-Identifier: Apache-2.0
/**
 * Serves requests over a Unix socket (protocol.ts). Who may ask is who may open the socket: the owner,
 * and the group when it exists.
 *
 * A client that asks slowly, asks too much or does not read costs little: nothing is made before it
 * is wanted, what follows the request is read only if the request has a body, and the time of both is
 * bounded. When too many are connected, the one that has waited longest for its own side gives way.
 */
import { chmodSync, chownSync, readFileSync, unlinkSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { EgretError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import type { WorkQueue } from '../lib/work-queue.ts';
import { type Answer, endOfText, type Head } from './protocol.ts';

export type Body = AsyncIterable<Uint8Array>;

export interface Service {
  /** May open the socket, as its owner may; a group that does not exist adds no one. */
  readonly group: string;
  /** Printed with each answer; undefined: nothing to warn of. */
  readonly warning: () => string | undefined;
  /** @throws EgretError before the first text: a refusal */
  readonly answer: (line: string, body: Body) => Answer;
}

const requestBytesMax = 65_536;
const requestTimeoutMs = 10_000;
/** How long a reader may pause, e.g. a person in a pager. */
const readerTimeoutMs = 600_000;
const connectionsMax = 128;

export class RequestServer {
  readonly #server: Server;
  readonly #path: string;

  private constructor(server: Server, path: string) {
    this.#server = server;
    this.#path = path;
  }

  /** Listens at a path that nothing else serves (the run directory's lock sees to that). */
  static async listen(
    path: string,
    service: Service,
    queue: WorkQueue,
    log: Log,
  ): Promise<RequestServer> {
    removeSocket(path);
    const stalled = new Stalled();
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      socket.on('error', () => socket.destroy());
      socket.setTimeout(requestTimeoutMs, () => socket.destroy());
      stalled.admit(socket);
      readLine(socket)
        .then(async (line) => {
          stalled.delete(socket);
          socket.setTimeout(readerTimeoutMs);
          // Before the work of routes, and each answer by itself.
          await queue.pause('urgent');
          await answer(socket, line, service, stalled);
        })
        .catch((error) => {
          log.debug({ error }, 'request failed');
          socket.destroy();
        });
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(path, resolve);
    });
    const gid = groupId(service.group);
    if (gid !== undefined && process.getuid?.() === 0) chownSync(path, 0, gid);
    chmodSync(path, 0o660);
    return new RequestServer(server, path);
  }

  close(): void {
    this.#server.close();
    removeSocket(this.#path);
  }
}

/** Connections, and those among them that wait for their client, the longest first. */
class Stalled {
  readonly #sockets = new Set<Socket>();
  #connections = 0;

  /** A new connection, which has not asked yet. */
  admit(socket: Socket): void {
    this.#connections += 1;
    socket.once('close', () => {
      this.#connections -= 1;
      this.#sockets.delete(socket);
    });
    this.#sockets.add(socket);
    if (this.#connections <= connectionsMax) return;
    const [longest] = this.#sockets;
    this.#sockets.delete(longest!);
    longest!.destroy();
  }

  add(socket: Socket): void {
    this.#sockets.add(socket);
  }

  delete(socket: Socket): void {
    this.#sockets.delete(socket);
  }
}

function removeSocket(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // Nothing is there.
  }
}

/** group(5). @returns undefined when there is no such group */
function groupId(name: string): number | undefined {
  let text = '';
  try {
    text = readFileSync('/etc/group', 'utf8');
  } catch {
    return undefined; // A container may have no such file.
  }
  const fields = text
    .split('\n')
    .map((line) => line.split(':'))
    .find(([group]) => group === name);
  return fields?.[2] === undefined ? undefined : Number(fields[2]);
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
  stalled: Stalled,
): Promise<void> {
  let isBegun = false;
  const headLine = (head: Head): string => `${JSON.stringify(head)}\n`;
  const begin = (): void => {
    if (!isBegun) socket.write(headLine({ status: 0, message: service.warning() }));
    isBegun = true;
  };
  try {
    const texts = service.answer(line, bodyOf(socket));
    for (;;) {
      const next = await texts.next();
      begin();
      if (next.done) {
        finish(socket, `${endOfText}${next.value ?? 0}`);
        return;
      }
      if (!socket.write(next.value)) {
        stalled.add(socket);
        await drained(socket);
        stalled.delete(socket);
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
    finish(
      socket,
      headLine({
        status: known ? error.exit : 1,
        message: known ? error.message : `egretd could not answer: ${(error as Error).message}`,
        hint: known ? error.hint : undefined,
      }),
    );
    if (!known) throw error;
  }
}

/** What follows the request, read only as far as it is asked for. */
async function* bodyOf(socket: Socket): Body {
  for await (const chunk of socket.iterator({ destroyOnReturn: false })) yield chunk as Buffer;
}

/** Sends the last of an answer and closes; whatever else the client has sent stays unread. */
function finish(socket: Socket, text: string): void {
  socket.write(text);
  socket.destroySoon();
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
