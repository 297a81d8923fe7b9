// SPDX-License-Identifier: Apache-2.0
/**
 * A BGP speaker that does what it is asked for (see test/lab/requests.ts), however wrong;
 * hostile-speaker.ts is its other end. It writes its own bytes and shares no code with the speaker
 * that it is to harm.
 */
import { connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { patienceMs } from '../lab/process.ts';
import { serveRequests } from '../lab/requests.ts';

/** A message as it came. */
export interface HeardMessage {
  readonly type: number;
  /** Without the header, hexadecimal. */
  readonly body: string;
}

export interface Heard {
  readonly isOpen: boolean;
  readonly messages: readonly HeardMessage[];
}

export interface OpenFields {
  readonly as: number;
  readonly bgpId: string;
  /** Instead of an AS number of four octets in a capability; default: with all capabilities. */
  readonly capabilities?: string;
  readonly holdTimeS?: number;
}

export function message(type: number, body: Buffer, lengthWritten = 19 + body.length): Buffer {
  const header = Buffer.alloc(19, 0xff);
  header.writeUInt16BE(lengthWritten & 0xffff, 16);
  header[18] = type;
  return Buffer.concat([header, body]);
}

/** Multiprotocol IPv4 and IPv6, route refresh, enhanced route refresh, AS of four octets. */
function allCapabilities(as: number): Buffer {
  const four = Buffer.alloc(4);
  four.writeUInt32BE(as);
  return Buffer.concat([Buffer.from('010400010001010400020001020046004104', 'hex'), four]);
}

export function openMessage(params: OpenFields): Buffer {
  const capabilities =
    params.capabilities === undefined
      ? allCapabilities(params.as)
      : Buffer.from(params.capabilities, 'hex');
  const parameter =
    capabilities.length > 0
      ? Buffer.concat([Buffer.from([2, capabilities.length]), capabilities])
      : capabilities;
  const fixed = Buffer.alloc(10);
  fixed[0] = 4;
  fixed.writeUInt16BE(params.as > 0xffff ? 23456 : params.as, 1);
  fixed.writeUInt16BE(params.holdTimeS ?? 90, 3);
  fixed.set(params.bgpId.split('.').map(Number), 5);
  fixed[9] = parameter.length;
  return message(1, Buffer.concat([fixed, parameter]));
}

class Wire {
  readonly socket: Socket;
  readonly messages: HeardMessage[] = [];
  isOpen = true;
  #rest = Buffer.alloc(0);
  #changed: (() => void)[] = [];

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('error', () => {});
    socket.on('data', (chunk) => this.#read(chunk as Buffer));
    socket.on('close', () => {
      this.isOpen = false;
      this.#wake();
    });
  }

  #read(chunk: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    while (this.#rest.length >= 19) {
      const length = this.#rest.readUInt16BE(16);
      if (length < 19 || this.#rest.length < length) break;
      const [type, body] = [this.#rest[18] ?? 0, this.#rest.toString('hex', 19, length)];
      this.#rest = this.#rest.subarray(length);
      this.messages.push({ type, body });
    }
    this.#wake();
  }

  #wake(): void {
    for (const wake of this.#changed.splice(0)) wake();
  }

  /** Waits for a message of a type or the end. @returns whether the message came */
  async expect(type: number, timeoutMs: number): Promise<boolean> {
    const endMs = performance.now() + timeoutMs;
    for (;;) {
      if (this.messages.some((each) => each.type === type)) return true;
      const leftMs = endMs - performance.now();
      if (!this.isOpen || leftMs <= 0) return false;
      await Promise.race([new Promise<void>((go) => this.#changed.push(go)), sleep(leftMs)]);
    }
  }

  heard(): Heard {
    return { isOpen: this.isOpen, messages: this.messages };
  }
}

const wires = new Map<number, Wire>();
const servers: Server[] = [];
let nextWire = 0;

function wireOf(id: number): Wire {
  const wire = wires.get(id);
  if (!wire) throw new Error(`There is no connection ${id} here.`);
  return wire;
}

/** A TCP connection; undefined when it is refused or there is no answer. */
function dial(local: string, remote: string, timeoutMs: number): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host: remote, port: 179, localAddress: local });
    const late = setTimeout(() => socket.destroy(), timeoutMs);
    socket.on('error', () => {});
    socket.once('close', () => {
      clearTimeout(late);
      resolve(undefined);
    });
    socket.once('connect', () => {
      clearTimeout(late);
      resolve(socket);
    });
  });
}

async function dialed(local: string, remote: string): Promise<Wire> {
  const socket = await dial(local, remote, patienceMs);
  if (!socket) throw new Error(`${local} cannot connect`);
  return new Wire(socket);
}

const methods = {
  ready: async (_: object): Promise<true> => true,

  /** Brings up a session and keeps it alive. @returns its number */
  open: async (p: { local: string; remote: string; as: number }): Promise<number> => {
    const wire = await dialed(p.local, p.remote);
    wire.socket.write(openMessage({ as: p.as, bgpId: p.local }));
    if (!(await wire.expect(1, patienceMs))) throw new Error(`no OPEN for ${p.local}`);
    wire.socket.write(message(4, Buffer.alloc(0)));
    if (!(await wire.expect(4, patienceMs))) {
      throw new Error(`no KEEPALIVE for ${p.local}: ${JSON.stringify(wire.messages)}`);
    }
    const alive = setInterval(() => {
      if (wire.socket.writable) wire.socket.write(message(4, Buffer.alloc(0)));
    }, 5_000);
    wire.socket.once('close', () => clearInterval(alive));
    nextWire += 1;
    wires.set(nextWire, wire);
    return nextWire;
  },

  /** Sends bytes as they are, many times over. @returns how many bytes are still queued here */
  send: async (p: { wire: number; hex: string; times?: number }): Promise<number> => {
    const { socket } = wireOf(p.wire);
    const bytes = Buffer.from(p.hex, 'hex');
    const batch = Math.max(1, Math.floor(65_536 / bytes.length));
    let left = p.times ?? 1;
    while (left > 0 && socket.writable) {
      const count = Math.min(left, batch);
      left -= count;
      const isTaken = socket.write(Buffer.concat(Array<Buffer>(count).fill(bytes)));
      if (!isTaken && left > 0) {
        const drained = new Promise<void>((go) => socket.once('drain', go));
        const closed = new Promise<void>((go) => socket.once('close', () => go()));
        const isStuck = await Promise.race([drained, closed, sleep(1_000, true)]);
        if (isStuck === true) break;
      }
    }
    return socket.writableLength;
  },

  /** Reads nothing more: the window closes. */
  deafen: async (p: { wire: number }): Promise<void> => {
    wireOf(p.wire).socket.pause();
  },

  heard: async (p: { wire: number; waitMs?: number }): Promise<Heard> => {
    const wire = wireOf(p.wire);
    if (p.waitMs) await wire.expect(3, p.waitMs);
    return wire.heard();
  },

  close: async (p: { wire: number; isReset?: boolean }): Promise<void> => {
    const { socket } = wireOf(p.wire);
    if (p.isReset) socket.resetAndDestroy();
    else socket.destroy();
    wires.delete(p.wire);
  },

  /**
   * Connects and sends these pieces as they are, each after the OPEN of the other side has come when
   * it says so, then waits for the end.
   */
  blurt: async (p: {
    local: string;
    remote: string;
    pieces: readonly string[];
    waitMs: number;
    /** Message type to wait for; a NOTIFICATION unless given. */
    type?: number;
  }): Promise<Heard> => {
    const socket = await dial(p.local, p.remote, p.waitMs);
    if (!socket) return { isOpen: false, messages: [] };
    const wire = new Wire(socket);
    for (const piece of p.pieces) {
      if (socket.writable) socket.write(Buffer.from(piece, 'hex'));
      await sleep(5);
    }
    await wire.expect(p.type ?? 3, p.waitMs);
    const heard = { ...wire.heard() };
    socket.destroy();
    return heard;
  },

  /** Opens many connections at once. @returns how many came to be */
  crowd: async (p: {
    locals: readonly string[];
    remote: string;
    count: number;
    holdMs: number;
    hex?: string;
  }): Promise<number> => {
    const dials = Array.from({ length: p.count }, (_, i) =>
      dial(p.locals[i % p.locals.length] ?? '', p.remote, 5_000),
    );
    const sockets = (await Promise.all(dials)).filter((socket) => socket !== undefined);
    for (const socket of sockets) {
      socket.on('data', () => {});
      if (p.hex && socket.writable) socket.write(Buffer.from(p.hex, 'hex'));
    }
    await sleep(p.holdMs);
    for (const socket of sockets) socket.destroy();
    return sockets.length;
  },

  /** Accepts on port 179 and answers every connection with these bytes. */
  answerWith: async (p: { local: string; hex: string }): Promise<void> => {
    const server = createServer((socket) => {
      socket.on('error', () => {});
      socket.on('data', () => {});
      socket.end(Buffer.from(p.hex, 'hex'));
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(179, p.local, resolve));
  },
};

export type HostileMethods = typeof methods;

if (process.argv[1] === import.meta.filename) serveRequests(methods);
