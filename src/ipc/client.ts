// SPDX-License-Identifier: Apache-2.0
/** Asks egretd over one of its Unix sockets (protocol.ts), and prints what it answers. */
import { createConnection } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import { EgretError } from '../lib/errors.ts';
import { endOfText, type Head } from './protocol.ts';

export interface Question {
  readonly path: string;
  /** Sent as one line of JSON. */
  readonly request: unknown;
  /** Sent behind it, when the request has one. */
  readonly body?: Readable;
  /** Where the text is printed. */
  readonly out: Writable;
  /** Where a warning or a refusal is printed. */
  readonly errors: Writable;
}

/** How long the first line of an answer may take when the request has no body. */
const answerTimeoutMs = 30_000;

/**
 * @returns the exit status of the command
 * @throws EgretError DAEMON_UNREACHABLE, also for an answer that was cut short; ACCESS_DENIED
 */
export function ask({ path, request, body, out, errors }: Question): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(path);
    let head: Head | undefined;
    let start = '';
    let ending: string | undefined;
    const unreachable = () => reject(new EgretError('DAEMON_UNREACHABLE', { path }));
    const print = (text: string): void => {
      const end = ending === undefined ? text.indexOf(endOfText) : 0;
      if (end >= 0) ending = `${ending ?? ''}${text.slice(end).replace(endOfText, '')}`;
      const shown = end < 0 ? text : text.slice(0, end);
      if (shown === '' || out.write(shown)) return;
      socket.pause();
      out.once('drain', () => socket.resume());
    };
    socket.setEncoding('utf8');
    if (!body) socket.setTimeout(answerTimeoutMs, () => socket.destroy());
    socket.on('connect', () => {
      socket.write(`${JSON.stringify(request)}\n`);
      body?.pipe(socket);
    });
    socket.on('data', (chunk: string) => {
      if (head) {
        print(chunk);
        return;
      }
      start += chunk;
      const end = start.indexOf('\n');
      if (end < 0) return;
      socket.setTimeout(0);
      head = JSON.parse(start.slice(0, end)) as Head;
      if (head.message) errors.write(`egret: ${head.message}\n`);
      if (head.hint) errors.write(`  ${head.hint}\n`);
      if (end + 1 < start.length) print(start.slice(end + 1));
    });
    // What is left of the body is not wanted.
    socket.on('end', () => {
      body?.unpipe(socket);
      socket.destroy();
    });
    socket.on('error', ({ code }: NodeJS.ErrnoException) => {
      if (code === 'EACCES') reject(new EgretError('ACCESS_DENIED', { path }));
      else if (!head) unreachable(); // A refusal may come before the body was taken.
    });
    out.on('error', () => {
      resolve(0);
      socket.destroy();
    });
    socket.on('close', () => {
      body?.unpipe(socket);
      if (head && head.status !== 0) resolve(head.status);
      else if (ending !== undefined) resolve(Number(ending));
      else unreachable();
    });
  });
}
