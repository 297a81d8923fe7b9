// SPDX-License-Identifier: Apache-2.0
/**
 * The neighbor of many networks at once (see requests.ts); feed.ts is its other end. It listens on
 * port 179 of every interface of its host, keeps one session for each interface, and announces the
 * prefixes of a file to those that are named. It writes its own bytes, and reads only which message
 * came.
 *
 * A message in full carries some nine hundred prefixes, all with one AS path; the next has another.
 */
import { readFile } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { serveRequests } from './requests.ts';

const openType = 1;
const updateType = 2;
const notificationType = 3;
const keepaliveType = 4;
const headerBytes = 19;
const messageBytesMax = 4096;
const openedMs = 60_000;

export interface FeedSession {
  /** Our address, which names the network. */
  readonly address: string;
  readonly isEstablished: boolean;
  /** Connections that got as far as OPEN, and NOTIFICATIONs that came. */
  readonly opens: number;
  readonly notifications: number;
  /** Longest that nothing came from the other side. */
  readonly silenceMsMax: number;
}

interface Neighbor {
  socket: Socket | undefined;
  rest: Buffer;
  isEstablished: boolean;
  opens: number;
  notifications: number;
  heardMs: number;
  silenceMsMax: number;
}

const neighbors = new Map<string, Neighbor>();
/** NLRI of each message, the same for all networks. */
let chunks: Buffer[] = [];
let localAs = 0;
let holdTimeS = 0;

function message(type: number, ...bodies: readonly Buffer[]): Buffer {
  const header = Buffer.alloc(headerBytes, 0xff);
  const length = bodies.reduce((sum, body) => sum + body.length, headerBytes);
  header.writeUInt16BE(length, 16);
  header[18] = type;
  return Buffer.concat([header, ...bodies]);
}

const octets = (address: string): number[] => address.split('.').map(Number);

/** OPEN with multiprotocol IPv4 and AS numbers of four octets. */
function openMessage(address: string): Buffer {
  const capabilities = Buffer.from('020c0104000100014104ffffffff', 'hex');
  capabilities.writeUInt32BE(localAs, 10);
  const fixed = Buffer.from([4, 0, 0, 0, 0, ...octets(address), capabilities.length]);
  fixed.writeUInt16BE(localAs > 0xffff ? 23456 : localAs, 1);
  fixed.writeUInt16BE(holdTimeS, 3);
  return message(openType, fixed, capabilities);
}

/** ORIGIN, AS_PATH of three and NEXT_HOP (RFC 4271 §5.1), behind their length. */
function attributes(address: string, chunk: number): Buffer {
  const path = Buffer.from('40020e0203000000000000000000000000', 'hex');
  path.writeUInt32BE(localAs, 5);
  path.writeUInt32BE(64_600, 9);
  path.writeUInt32BE(100_000 + chunk, 13);
  const body = Buffer.concat([
    Buffer.from('40010100', 'hex'),
    path,
    Buffer.from([0x40, 3, 4, ...octets(address)]),
  ]);
  const length = Buffer.alloc(4);
  length.writeUInt16BE(body.length, 2); // no withdrawn routes before it
  return Buffer.concat([length, body]);
}

function encodeChunks(prefixes: readonly string[]): Buffer[] {
  const room = messageBytesMax - headerBytes - attributes('0.0.0.0', 0).length;
  const encoded: Buffer[] = [];
  let chunk: number[] = [];
  for (const prefix of prefixes) {
    const [address = '', length = '0'] = prefix.split('/');
    const bytes = octets(address).slice(0, Math.ceil(Number(length) / 8));
    if (chunk.length + 1 + bytes.length > room) {
      encoded.push(Buffer.from(chunk));
      chunk = [];
    }
    chunk.push(Number(length), ...bytes);
  }
  if (chunk.length > 0) encoded.push(Buffer.from(chunk));
  return encoded;
}

function accept(socket: Socket): void {
  const address = (socket.localAddress ?? '').replace('::ffff:', '');
  const neighbor = neighbors.get(address) ?? {
    socket: undefined,
    rest: Buffer.alloc(0),
    isEstablished: false,
    opens: 0,
    notifications: 0,
    heardMs: 0,
    silenceMsMax: 0,
  };
  neighbors.set(address, neighbor);
  neighbor.socket?.destroy();
  neighbor.socket = socket;
  neighbor.rest = Buffer.alloc(0);
  neighbor.heardMs = performance.now();
  socket.on('error', () => {});
  socket.on('close', () => {
    if (neighbor.socket === socket) neighbor.isEstablished = false;
  });
  socket.on('data', (bytes: Buffer) => {
    if (neighbor.socket === socket) read(address, neighbor, bytes);
  });
}

function read(address: string, neighbor: Neighbor, bytes: Buffer): void {
  const nowMs = performance.now();
  if (neighbor.isEstablished) {
    neighbor.silenceMsMax = Math.max(neighbor.silenceMsMax, nowMs - neighbor.heardMs);
  }
  neighbor.heardMs = nowMs;
  neighbor.rest = Buffer.concat([neighbor.rest, bytes]);
  while (neighbor.rest.length >= headerBytes) {
    const length = neighbor.rest.readUInt16BE(16);
    if (neighbor.rest.length < length) break;
    const type = neighbor.rest[18];
    neighbor.rest = neighbor.rest.subarray(length);
    if (type === openType) {
      neighbor.opens += 1;
      neighbor.socket?.write(Buffer.concat([openMessage(address), message(keepaliveType)]));
    }
    if (type === keepaliveType) neighbor.isEstablished = true;
    if (type === notificationType) neighbor.notifications += 1;
  }
}

async function send(address: string, from: number, to: number): Promise<void> {
  const { socket } = neighbors.get(address)!;
  for (let chunk = from; chunk < to && socket && !socket.destroyed; chunk += 1) {
    const update = message(updateType, attributes(address, chunk), chunks[chunk]!);
    if (socket.write(update)) continue;
    await new Promise<void>((resolve) => {
      const go = (): void => {
        socket.off('drain', go).off('close', go);
        resolve();
      };
      socket.on('drain', go).on('close', go);
    });
  }
}

const methods = {
  /** Listens, and says so. Every neighbor is sent three keepalives in a hold time. */
  async listen(options: { as: number; holdTimeS: number }): Promise<void> {
    localAs = options.as;
    holdTimeS = options.holdTimeS;
    const server = createServer(accept);
    await new Promise<void>((resolve) => server.listen(179, '0.0.0.0', resolve));
    setInterval(
      () => {
        for (const { socket, isEstablished } of neighbors.values()) {
          if (isEstablished) socket?.write(message(keepaliveType));
        }
      },
      (holdTimeS * 1000) / 3,
    ).unref();
  },

  /** Waits until this many sessions are up. */
  async established({ count }: { count: number }): Promise<void> {
    const endMs = performance.now() + openedMs;
    const up = (): number => [...neighbors.values()].filter((each) => each.isEstablished).length;
    while (up() < count) {
      if (performance.now() > endMs) throw new Error(`${up()} of ${count} sessions are up`);
      await sleep(50);
    }
  },

  /** @param path - prefixes, one a line */
  async load({ path }: { path: string }): Promise<void> {
    chunks = encodeChunks((await readFile(path, 'utf8')).split('\n').filter(Boolean));
  },

  /**
   * Announces what was loaded, to all of these at once.
   *
   * @returns when the kernel has taken it all
   */
  async announce({ addresses }: { addresses: readonly string[] }): Promise<void> {
    await Promise.all(addresses.map((address) => send(address, 0, chunks.length)));
  },

  async sessions(): Promise<FeedSession[]> {
    return [...neighbors].map(([address, { socket: _socket, rest: _rest, heardMs, ...each }]) => ({
      address,
      ...each,
      silenceMsMax: Math.max(each.silenceMsMax, performance.now() - heardMs),
    }));
  },
};

export type FeedMethods = typeof methods;

serveRequests(methods);
