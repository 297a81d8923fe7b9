// SPDX-License-Identifier: Apache-2.0
/**
 * Bulk transfers over TCP, up or down, whole or at a pace, whose every byte is checked: both ends
 * hash the same pseudo-random content.
 */
import { createHash } from 'node:crypto';
import { connect, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

interface Order {
  readonly direction: 'up' | 'down';
  readonly bytes: number;
  /** 0: as fast as possible. */
  readonly bytesPerSecond: number;
}

export interface TransferReport {
  readonly bytes: number;
  readonly ms: number;
  readonly isIntact: boolean;
  /** Longest time between two reads. */
  readonly stallMsMax: number;
}

const orderBytes = 128;
const blockBytes = 1 << 16;

/** A block of content; its number makes every block different. */
function block(number: number): Buffer {
  const bytes = Buffer.alloc(blockBytes);
  let state = (number * 2654435761) >>> 0;
  for (let at = 0; at < blockBytes; at += 4) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes.writeUInt32LE(state, at);
  }
  return bytes;
}

async function sendContent(socket: Socket, order: Order): Promise<string> {
  const hash = createHash('sha256');
  const startMs = performance.now();
  for (let sent = 0, number = 0; sent < order.bytes; number += 1) {
    const part = block(number).subarray(0, Math.min(blockBytes, order.bytes - sent));
    hash.update(part);
    sent += part.length;
    if (!socket.write(part)) {
      await new Promise<void>((resolve) => {
        socket.once('drain', resolve);
        socket.once('close', resolve);
      });
    }
    if (socket.destroyed) throw new Error(`The connection was closed after ${sent} bytes.`);
    const aheadMs = order.bytesPerSecond
      ? (sent * 1000) / order.bytesPerSecond - (performance.now() - startMs)
      : 0;
    if (aheadMs > 1) await sleep(aheadMs);
  }
  return hash.digest('hex');
}

/** Reads `bytes` of content, then whatever follows as text. */
function receiver(bytes: number): {
  take: (chunk: Buffer) => void;
  readonly left: number;
  digest: () => string;
  text: () => string;
} {
  const hash = createHash('sha256');
  let left = bytes;
  let text = '';
  return {
    take(chunk) {
      const part = chunk.subarray(0, left);
      hash.update(part);
      left -= part.length;
      text += chunk.subarray(part.length).toString();
    },
    get left() {
      return left;
    },
    digest: () => hash.digest('hex'),
    text: () => text,
  };
}

/** Serves transfers. */
export async function serveTransfers(address: string, port: number): Promise<void> {
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    let head = Buffer.alloc(0);
    let content: ReturnType<typeof receiver> | undefined;
    socket.on('data', (chunk) => {
      let rest: Buffer = chunk;
      if (!content) {
        head = Buffer.concat([head, chunk]);
        if (head.length < orderBytes) return;
        const order = JSON.parse(head.toString('utf8', 0, orderBytes)) as Order;
        rest = head.subarray(orderBytes);
        content = receiver(order.direction === 'up' ? order.bytes : 0);
        if (order.direction === 'down') {
          sendContent(socket, order).then(
            (digest) => socket.end(digest),
            () => socket.destroy(),
          );
          return;
        }
      }
      const before = content.left;
      content.take(rest);
      if (before > 0 && content.left === 0) socket.end(content.digest());
    });
  });
  await new Promise<void>((resolve) => server.listen(port, address, resolve));
}

/** Transfers once. @throws Error when the connection fails */
export async function transfer(
  order: Order & { readonly remote: string; readonly port: number },
): Promise<TransferReport> {
  const socket = connect({ host: order.remote, port: order.port });
  const content = receiver(order.direction === 'down' ? order.bytes : 0);
  const startMs = performance.now();
  let lastMs = startMs;
  let stallMsMax = 0;
  const ended = new Promise<void>((resolve, reject) => {
    socket.on('data', (chunk) => {
      stallMsMax = Math.max(stallMsMax, performance.now() - lastMs);
      lastMs = performance.now();
      content.take(chunk);
    });
    socket.once('error', reject);
    socket.once('close', () => resolve());
  });
  socket.write(JSON.stringify(order).padEnd(orderBytes));
  const digest = order.direction === 'up' ? sendContent(socket, order) : undefined;
  digest?.catch(() => {});
  await ended;
  const mine = digest ? await digest : content.digest();
  return {
    bytes: order.bytes - content.left,
    ms: Math.round(performance.now() - startMs),
    isIntact: content.left === 0 && content.text() === mine,
    stallMsMax: Math.round(stallMsMax),
  };
}
