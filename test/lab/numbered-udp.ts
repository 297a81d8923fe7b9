// SPDX-License-Identifier: Apache-2.0
/**
 * Numbered datagrams both ways, at a rate at most, and an exact account of what arrived.
 *
 * One end opens a flow; the other, which listens, answers with a stream of its own at the same rate
 * to wherever the flow came from last. Each end keeps the count of every number, the sources that
 * it saw and the longest silence.
 *
 *   datagram: u32 flow · u32 number · u32 packets a second · padding      (big endian)
 */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { listenUdp } from './web-server.ts';

/** What one end of a flow has sent and seen. */
export interface FlowReport {
  readonly sent: number;
  /** Datagrams that the local kernel refused, e.g. for want of a route. */
  readonly refused: number;
  /** Different numbers received. */
  readonly received: number;
  readonly duplicates: number;
  /** Numbers below `expected` that never came, 50 at most. */
  readonly missing: readonly number[];
  readonly missingCount: number;
  /** `address port` of everyone who sent. */
  readonly sources: readonly string[];
  /** Longest time between two arrivals, up to now. */
  readonly silenceMsMax: number;
}

const headerBytes = 12;
/** A sender that was held up does not make up for it: what one turn sends at most. */
const burstMax = 32;

class Flow {
  readonly id: number;
  readonly #socket: Socket;
  readonly #packetsPerSecond: number;
  readonly #datagram: Buffer;
  #remote: { address: string; port: number };
  #sent = 0;
  #refused = 0;
  #counts = new Uint8Array(1 << 16);
  #received = 0;
  #duplicates = 0;
  #lastMs = 0;
  #silenceMsMax = 0;
  readonly #sources = new Set<string>();
  #timer: NodeJS.Timeout | undefined;

  constructor(
    id: number,
    socket: Socket,
    remote: { address: string; port: number },
    packetsPerSecond: number,
    bytes: number,
  ) {
    this.id = id;
    this.#socket = socket;
    this.#remote = remote;
    this.#packetsPerSecond = packetsPerSecond;
    this.#datagram = Buffer.alloc(Math.max(headerBytes, bytes));
    this.#datagram.writeUInt32BE(id, 0);
    this.#datagram.writeUInt32BE(packetsPerSecond, 8);
  }

  start(): void {
    const everyMs = 1000 / this.#packetsPerSecond;
    let nextMs = performance.now();
    this.#timer = setInterval(() => {
      const nowMs = performance.now();
      nextMs = Math.max(nextMs, nowMs - burstMax * everyMs);
      for (; nextMs <= nowMs; nextMs += everyMs) this.#send();
    }, 1);
  }

  #send(): void {
    // A copy each: the socket keeps the buffer until it is sent.
    const datagram = Buffer.from(this.#datagram);
    datagram.writeUInt32BE(this.#sent, 4);
    this.#sent += 1;
    this.#socket.send(datagram, this.#remote.port, this.#remote.address, (error) => {
      if (error) this.#refused += 1;
    });
  }

  receive(datagram: Buffer, from: RemoteInfo): void {
    const number = datagram.readUInt32BE(4);
    while (number >= this.#counts.length) {
      const larger = new Uint8Array(this.#counts.length * 2);
      larger.set(this.#counts);
      this.#counts = larger;
    }
    const before = this.#counts[number] ?? 0;
    if (before === 0) this.#received += 1;
    else this.#duplicates += 1;
    this.#counts[number] = Math.min(255, before + 1);
    const nowMs = performance.now();
    if (this.#lastMs) this.#silenceMsMax = Math.max(this.#silenceMsMax, nowMs - this.#lastMs);
    this.#lastMs = nowMs;
    this.#sources.add(`${from.address} ${from.port}`);
  }

  /** Sends the rest of the stream to where the flow comes from now. */
  follow(remote: { address: string; port: number }): void {
    this.#remote = remote;
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined; // from here on silence is no finding
  }

  report(expected: number): FlowReport {
    const missing: number[] = [];
    let missingCount = 0;
    for (let number = 0; number < expected; number += 1) {
      if (this.#counts[number]) continue;
      missingCount += 1;
      if (missing.length < 50) missing.push(number);
    }
    const silenceMs = this.#lastMs ? performance.now() - this.#lastMs : 0;
    return {
      sent: this.#sent,
      refused: this.#refused,
      received: this.#received,
      duplicates: this.#duplicates,
      missing,
      missingCount,
      sources: [...this.#sources],
      silenceMsMax: Math.round(Math.max(this.#silenceMsMax, this.#timer ? silenceMs : 0)),
    };
  }
}

const flows = new Map<number, Flow>();

/** Listens for flows and answers each. */
export async function answerFlows(address: string, port: number): Promise<void> {
  const socket = createSocket('udp4');
  await listenUdp(socket, port, address);
  socket.on('message', (datagram, from) => {
    if (datagram.length < headerBytes) return;
    const id = datagram.readUInt32BE(0);
    let flow = flows.get(id);
    if (!flow) {
      flow = new Flow(id, socket, from, datagram.readUInt32BE(8), datagram.length);
      flows.set(id, flow);
      flow.start();
    }
    flow.receive(datagram, from);
    flow.follow(from);
  });
}

/** Opens a flow and begins to send. */
export async function openFlow(options: {
  readonly id: number;
  readonly remote: string;
  readonly port: number;
  readonly packetsPerSecond: number;
  readonly bytes: number;
  /** 0.0.0.0: the kernel chooses. */
  readonly localAddress: string;
}): Promise<void> {
  const socket = createSocket('udp4');
  await listenUdp(socket, 0, options.localAddress);
  const remote = { address: options.remote, port: options.port };
  const flow = new Flow(options.id, socket, remote, options.packetsPerSecond, options.bytes);
  flows.set(options.id, flow);
  socket.on('message', (datagram, from) => {
    if (datagram.length >= headerBytes) flow.receive(datagram, from);
  });
  flow.start();
}

export function stopFlow(id: number): void {
  flows.get(id)?.stop();
}

/** @param expected - how many numbers the other end has sent */
export function reportFlow(id: number, expected: number): FlowReport {
  const flow = flows.get(id);
  if (!flow) throw new Error(`There is no flow ${id} here.`);
  return flow.report(expected);
}
