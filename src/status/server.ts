// SPDX-License-Identifier: Apache-2.0
/**
 * Serves status over Unix sockets: one request a connection.
 *
 * Request: one line of JSON, at most 64 KiB. Answer: one line `{"status": N, "message"?, "hint"?}`, and
 * for status 0 the text that the command prints and a NUL, without which it was cut short. With status
 * 0 a message is a warning: the newest configuration was refused, and why. Requests change nothing. Any
 * user that may open the socket may send one.
 *
 * A client that asks slowly, asks too much or does not read costs little: nothing is made before it
 * is wanted, what follows the request is not read, and the time of both is bounded.
 */
import { chmodSync, unlinkSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { assert } from '../lib/assert.ts';
import { EgretError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import type { WorkQueue } from '../lib/work-queue.ts';
import type { LiveParts } from './parts.ts';
import { endOfAnswer, parseRequest, type StatusRequest } from './request.ts';
import { viewNamed } from './views.ts';
import { explain } from './why.ts';
import { printWhy } from './why-report.ts';

const requestBytesMax = 65_536;
const requestTimeoutMs = 10_000;
/** How long a reader may pause, e.g. a person in a pager. */
const readerTimeoutMs = 600_000;
const connectionsMax = 128;

export class StatusServer {
  readonly #server: Server;
  readonly #path: string;

  private constructor(server: Server, path: string) {
    this.#server = server;
    this.#path = path;
  }

  /**
   * Listens at a path that nothing else serves (the run directory's lock sees to that).
   *
   * @param partsNow - called for each request
   */
  static async listen(
    path: string,
    partsNow: () => LiveParts,
    queue: WorkQueue,
    log: Log,
  ): Promise<StatusServer> {
    try {
      unlinkSync(path);
    } catch {
      // Nothing was left there.
    }
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      socket.on('error', () => socket.destroy());
      socket.setTimeout(requestTimeoutMs, () => socket.destroy());
      readLine(socket)
        .then(async (line) => {
          socket.setTimeout(readerTimeoutMs);
          // Before the work of routes, and each answer by itself.
          await queue.pause('urgent');
          await answer(socket, line, partsNow());
        })
        .catch((error) => {
          log.debug({ error }, 'status request failed');
          socket.destroy();
        });
    });
    server.maxConnections = connectionsMax;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(path, resolve);
    });
    chmodSync(path, 0o660);
    return new StatusServer(server, path);
  }

  close(): void {
    this.#server.close();
    try {
      unlinkSync(this.#path);
    } catch {
      // It was removed already.
    }
  }
}

function readLine(socket: Socket): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    socket.setEncoding('utf8');
    const read = (chunk: string): void => {
      text += chunk;
      const end = text.indexOf('\n');
      if (end < 0 && text.length <= requestBytesMax) return;
      socket.off('data', read);
      socket.pause();
      if (end >= 0 && end <= requestBytesMax) resolve(text.slice(0, end));
      else reject(new Error('the request is too long'));
    };
    socket.on('data', read);
    socket.on('end', () => reject(new Error('the request is incomplete')));
    socket.on('close', () => reject(new Error('the client closed the connection')));
  });
}

async function answer(socket: Socket, line: string, parts: LiveParts): Promise<void> {
  let isBegun = false;
  const head = `${JSON.stringify({ status: 0, message: refusal(parts) })}\n`;
  try {
    for await (const text of run(parseRequest(line), parts)) {
      if (!isBegun) socket.write(head);
      isBegun = true;
      if (!socket.write(text)) await drained(socket);
      if (socket.destroyed) return;
    }
    finish(socket, isBegun ? endOfAnswer : `${head}${endOfAnswer}`);
  } catch (error) {
    if (isBegun) {
      socket.destroy();
      throw error;
    }
    const known = error instanceof EgretError;
    finish(
      socket,
      `${JSON.stringify({
        status: known ? error.exit : 1,
        message: known ? error.message : `egretd could not answer: ${(error as Error).message}`,
        hint: known ? error.hint : undefined,
      })}\n`,
    );
    if (!known) throw error;
  }
}

/** Sends the last of an answer and closes; whatever else the client has sent stays unread. */
function finish(socket: Socket, text: string): void {
  socket.write(text);
  socket.destroySoon();
}

/** @returns undefined while the newest configuration runs */
function refusal({ configErrors }: LiveParts): string | undefined {
  if (configErrors.length === 0) return undefined;
  return ['the newest configuration was refused, an older one runs:', ...configErrors].join('\n');
}

async function* run(request: StatusRequest, parts: LiveParts): AsyncIterable<string> {
  if (request.command === 'why') {
    yield printWhy(explain(parts, request.client, request.destination), request.isJson);
    return;
  }
  const view = viewNamed(request.view);
  assert(view !== undefined, 'a request names a view that exists');
  yield* view.print(parts, request.words, request.isJson);
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
