// SPDX-License-Identifier: Apache-2.0
/** Many sessions at once from one client: as many UDP ports, or short TCP connections. */
import { createSocket, type Socket } from 'node:dgram';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { patienceMs } from './process.ts';

export interface ManyReport {
  /** Sessions that got their answer. */
  readonly answered: number;
  /** What went wrong with the others, and how often. */
  readonly failures: Readonly<Record<string, number>>;
  /** Different `address port` under which the server saw us. */
  readonly outsideCount: number;
  /** Addresses under which the server saw us. */
  readonly sources: readonly string[];
  /** Names of the networks that answered. */
  readonly networks: readonly string[];
  readonly ms: number;
}

class Tally {
  readonly #outside = new Set<string>();
  readonly #sources = new Set<string>();
  readonly #networks = new Set<string>();
  readonly #failures: Record<string, number> = {};
  readonly #startMs = performance.now();
  #answered = 0;

  /** @param line - NETWORK ADDRESS PORT, as web-server.ts answers */
  answer(line: string): void {
    const [network = '', address = '', port = ''] = line.trim().split(' ');
    this.#answered += 1;
    this.#outside.add(`${address} ${port}`);
    this.#sources.add(address);
    this.#networks.add(network);
  }

  fail(what: string): void {
    this.#failures[what] = (this.#failures[what] ?? 0) + 1;
  }

  report(): ManyReport {
    return {
      answered: this.#answered,
      failures: this.#failures,
      outsideCount: this.#outside.size,
      sources: [...this.#sources],
      networks: [...this.#networks],
      ms: Math.round(performance.now() - this.#startMs),
    };
  }
}

const held: Socket[] = [];

/**
 * Sends one datagram from each of `count` ports and waits for the answers. The sockets stay open, so
 * that a later call of askAgain sends from the same ports.
 */
export async function manyUdp(options: {
  readonly remote: string;
  readonly port: number;
  readonly firstLocalPort: number;
  readonly count: number;
  readonly perSecond: number;
}): Promise<ManyReport> {
  for (let i = 0; i < options.count; i += 1) {
    const socket = createSocket('udp4');
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.bind(options.firstLocalPort + i, resolve);
    });
    held.push(socket);
  }
  return askAgain(options);
}

/** One datagram from every port that manyUdp holds. */
export async function askAgain(options: {
  readonly remote: string;
  readonly port: number;
  readonly perSecond: number;
}): Promise<ManyReport> {
  const tally = new Tally();
  let waiting = held.length;
  const startMs = performance.now();
  for (const [i, socket] of held.entries()) {
    socket.removeAllListeners('message');
    socket.once('message', (message) => {
      waiting -= 1;
      tally.answer(message.toString());
    });
    socket.send('many', options.port, options.remote, (error) => {
      if (error) tally.fail(error.message);
    });
    const aheadMs = (i * 1000) / options.perSecond - (performance.now() - startMs);
    if (aheadMs > 1) await sleep(aheadMs);
  }
  const endMs = performance.now() + patienceMs;
  while (waiting > 0 && performance.now() < endMs) await sleep(20);
  for (let i = 0; i < waiting; i += 1) tally.fail('no answer');
  return tally.report();
}

export function closeMany(): void {
  for (const socket of held.splice(0)) socket.close();
}

/** Opens `count` short TCP connections, some at a time; the server's first line is the answer. */
export async function manyTcp(options: {
  readonly remote: string;
  readonly port: number;
  readonly count: number;
  readonly atOnce: number;
}): Promise<ManyReport> {
  const tally = new Tally();
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < options.count) {
      next += 1;
      try {
        tally.answer(await firstLine(options.remote, options.port, patienceMs));
      } catch (error) {
        tally.fail((error as Error).message);
      }
    }
  };
  await Promise.all(Array.from({ length: options.atOnce }, worker));
  return tally.report();
}

/** Connects, reads one line, and closes in order. */
export async function firstLine(
  remote: string,
  port: number,
  timeoutMs: number,
  request = '',
): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: remote, port });
    let text = '';
    socket.setTimeout(timeoutMs, () => socket.destroy(new Error('timeout')));
    socket.once('error', reject);
    if (request) socket.write(request);
    socket.on('data', (chunk) => {
      text += chunk.toString();
      if (text.includes('\n')) socket.end();
    });
    socket.once('close', () => {
      if (text.includes('\n')) resolve(text.slice(0, text.indexOf('\n')));
      else reject(new Error('closed without an answer'));
    });
  });
}
