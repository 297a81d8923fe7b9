// SPDX-License-Identifier: Apache-2.0
/**
 * Whether a box that has started is what it was before: egretd answers, the networks that were ready
 * are ready again, and sshd answers. Asked from outside of both, over their own sockets.
 */
import { readFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { EgretError } from '../lib/errors.ts';
import { networkRows } from './egretd.ts';

const sshPort = 22;
const greetingTimeoutMs = 10_000;

/** @returns why the box is not healthy; undefined: it is */
export async function troubleOf(
  runDir: string,
  networks: readonly string[],
): Promise<string | undefined> {
  const rows = await networkRows(runDir).catch((error) => {
    if (error instanceof EgretError) return undefined;
    throw error;
  });
  if (!rows) return 'egretd does not answer';
  for (const name of networks) {
    const row = rows.find((each) => each.name === name);
    if (!row?.ready) return `network ${name} is not ready: ${row?.reason ?? 'it is not there'}`;
  }
  return (await sshAnswers()) ? undefined : 'sshd does not answer';
}

/** By its greeting (RFC 4253 §4.2), at an address at which it listens. */
async function sshAnswers(): Promise<boolean> {
  const tables = ['/proc/net/tcp', '/proc/net/tcp6'].map((path) => readFileSync(path, 'utf8'));
  const addresses = listenersOf(tables.join('\n'), sshPort);
  for (const address of addresses) {
    if ((await greetingOf(address)).startsWith('SSH-2.0-')) return true;
  }
  return false;
}

/** @param table - proc_net_tcp(5). @returns addresses; `127.0.0.1` for every address */
export function listenersOf(table: string, port: number): string[] {
  const listens = '0A';
  const found = new Set<string>();
  for (const line of table.split('\n')) {
    const [, local = '', , state] = line.trim().split(/\s+/);
    const [hex = '', portHex = ''] = local.split(':');
    if (state !== listens || Number.parseInt(portHex, 16) !== port) continue;
    // Bytes of the host's order: 0100007F is 127.0.0.1. IPv6 sockets for all addresses take IPv4, too.
    const bytes = Buffer.from(hex, 'hex');
    if (bytes.every((byte) => byte === 0)) found.add('127.0.0.1');
    else if (bytes.length === 4) found.add(bytes.toReversed().join('.'));
  }
  return [...found];
}

function greetingOf(host: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = createConnection({ host, port: sshPort });
    socket.setEncoding('latin1');
    socket.setTimeout(greetingTimeoutMs, () => socket.destroy());
    socket.once('data', (text: string) => {
      socket.destroy();
      resolve(text);
    });
    socket.on('error', () => socket.destroy());
    socket.on('close', () => resolve(''));
  });
}
