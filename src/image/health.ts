// SPDX-License-Identifier: Apache-2.0
/**
 * Whether a box that has started is what it was before: egretd answers, the networks that were ready
 * are ready again, and sshd answers. Asked from outside of both, over their own sockets.
 */
import { readlinkSync } from 'node:fs';
import type { Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import { basename } from 'node:path';
import { EgretError } from '../lib/errors.ts';
import { networkRows } from './egretd.ts';

/** @returns a socket that connects to sshd, from inside of a VRF device when there is one */
export type ConnectSsh = (address: string, vrfDevice: string | undefined) => Socket;

const greetingTimeoutMs = 10_000;

/** @returns why the box is not healthy; undefined: it is */
export async function troubleOf(
  runDir: string,
  networks: readonly string[],
  connect: ConnectSsh,
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
  return (await sshAnswers(connect)) ? undefined : 'sshd does not answer';
}

/** At one of the box's own addresses: with a management network it listens there alone. */
async function sshAnswers(connect: ConnectSsh): Promise<boolean> {
  for (const { address, device } of ownAddresses()) {
    const greeting = await greetingOf(connect(address, device));
    if (greeting.startsWith('SSH-2.0-')) return true;
  }
  return false;
}

function ownAddresses(): { address: string; device: string | undefined }[] {
  return Object.entries(networkInterfaces()).flatMap(([name, addresses = []]) =>
    addresses
      .filter(({ family }) => family === 'IPv4')
      .map(({ address }) => ({ address, device: vrfOf(name) })),
  );
}

/** @returns undefined: the interface belongs to none */
function vrfOf(name: string): string | undefined {
  try {
    return basename(readlinkSync(`/sys/class/net/${name}/master`));
  } catch {
    return undefined;
  }
}

/** RFC 4253 §4.2. @returns '' when none comes */
function greetingOf(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
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
