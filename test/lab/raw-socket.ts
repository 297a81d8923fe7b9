// SPDX-License-Identifier: Apache-2.0
/**
 * Frames as they are: a packet socket that watches what passes an interface, and one that sends
 * frames that no stack would (spoofed sources, replays, rubbish).
 *
 * A watch filters in the kernel (classic BPF), so that a watch for frames that must never come is
 * exact at any rate: what the kernel could not queue is counted separately.
 */
import {
  AF_PACKET,
  attachFilter,
  type BpfInstruction,
  bindSocket,
  closeSocket,
  ETH_P_ALL_BE,
  getOption,
  interfaceIndex,
  openSocket,
  receiveBytes,
  SO_RCVBUFFORCE,
  SOCK_RAW,
  SOL_SOCKET,
  sendBytes,
  setOption,
} from './libc.ts';

/** What a watch lets through; undefined parts match everything. Always IPv4. */
export interface FrameMatch {
  /** CIDR notation. */
  readonly source?: string;
  readonly destination?: string;
  /** IP protocol number. */
  readonly protocol?: number;
  /** Frames that come, frames that go, or both (default: come). */
  readonly direction?: 'in' | 'out' | 'both';
}

/** A frame as the watch saw it. */
export interface SeenFrame {
  readonly atMs: number;
  /** The first bytes, hexadecimal. */
  readonly hex: string;
  readonly bytes: number;
}

const SOL_PACKET = 263;
const PACKET_STATISTICS = 6;
const PACKET_OUTGOING = 4;
/** Bytes of a frame that are kept. */
const snapBytes = 256;
const pollMs = 2;

function packetSocket(): number {
  const fd = openSocket(AF_PACKET, SOCK_RAW, 0);
  setOption(fd, SOL_SOCKET, SO_RCVBUFFORCE, 32 << 20);
  return fd;
}

function bindTo(fd: number, name: string): void {
  const address = Buffer.alloc(20);
  address.writeUInt16LE(AF_PACKET, 0);
  address.writeUInt16LE(ETH_P_ALL_BE, 2);
  address.writeInt32LE(name === 'any' ? 0 : interfaceIndex(name), 4);
  bindSocket(fd, address);
}

/** The program that accepts what `match` describes. */
export function matchProgram(match: FrameMatch): BpfInstruction[] {
  // Each test skips to the rejection at the end when it fails; the distance is filled in below.
  const tests: BpfInstruction[][] = [
    [
      [0x28, 0, 0, 12],
      [0x15, 0, 1, 0x0800],
    ],
  ];
  if (match.direction !== 'both') {
    // The ancillary word SKF_AD_PKTTYPE says whether the frame is ours going out.
    const isOut = match.direction === 'out';
    const load: BpfInstruction = [0x28, 0, 0, 0xfffff004];
    const jump: BpfInstruction = isOut
      ? [0x15, 0, 1, PACKET_OUTGOING]
      : [0x15, 1, 0, PACKET_OUTGOING];
    tests.push([load, jump]);
  }
  const prefixes = [
    [match.source, 26],
    [match.destination, 30],
  ] as const;
  for (const [prefix, offset] of prefixes) {
    if (prefix === undefined) continue;
    const [address = '', length = '32'] = prefix.split('/');
    const mask = Number(length) === 0 ? 0 : (0xffffffff << (32 - Number(length))) >>> 0;
    const octets = address.split('.').map(Number);
    const value = octets.reduce((sum, octet) => sum * 256 + octet, 0);
    tests.push([
      [0x20, 0, 0, offset],
      [0x54, 0, 0, mask],
      [0x15, 0, 1, (value & mask) >>> 0],
    ]);
  }
  if (match.protocol !== undefined) {
    tests.push([
      [0x30, 0, 0, 23],
      [0x15, 0, 1, match.protocol],
    ]);
  }
  const flat = tests.flat();
  return [
    ...flat.map(([code, jt, jf, k], i): BpfInstruction => {
      const toReject = flat.length - i;
      return [code, jt ? toReject : 0, jf ? toReject : 0, k];
    }),
    [0x06, 0, 0, 0x40000],
    [0x06, 0, 0, 0],
  ];
}

/** Watches an interface from now on; `any` watches all, also those that come later. */
export class Watch {
  readonly #fd: number;
  readonly #timer: NodeJS.Timeout;
  readonly #frames: SeenFrame[] = [];
  readonly #framesMax: number;
  #count = 0;

  constructor(name: string, match: FrameMatch, framesMax = 1000) {
    this.#framesMax = framesMax;
    this.#fd = packetSocket();
    attachFilter(this.#fd, matchProgram(match));
    bindTo(this.#fd, name);
    this.#timer = setInterval(() => this.#drain(), pollMs);
  }

  #drain(): void {
    const bytes = Buffer.alloc(snapBytes);
    const address = Buffer.alloc(20);
    for (;;) {
      const got = receiveBytes(this.#fd, bytes, address);
      if (got < 0) return;
      this.#count += 1;
      if (this.#frames.length >= this.#framesMax) continue;
      const hex = bytes.toString('hex', 0, got);
      // The wall clock, since watches of several processes are compared.
      this.#frames.push({ atMs: Date.now(), hex, bytes: got });
    }
  }

  /** What was seen so far. */
  seen(): { count: number; lost: number; frames: readonly SeenFrame[] } {
    this.#drain();
    const statistics = getOption(this.#fd, SOL_PACKET, PACKET_STATISTICS, 8);
    return { count: this.#count, lost: statistics.readUInt32LE(4), frames: this.#frames };
  }

  close(): void {
    clearInterval(this.#timer);
    closeSocket(this.#fd);
  }
}

/** A socket that sends frames as they are; it hears nothing. */
export function openSender(name: string): { send(frame: Buffer): boolean; close(): void } {
  const fd = packetSocket();
  attachFilter(fd, [[0x06, 0, 0, 0]]);
  try {
    bindTo(fd, name);
  } catch (error) {
    closeSocket(fd);
    throw error;
  }
  return {
    send: (frame) => sendBytes(fd, frame) > 0,
    close: () => closeSocket(fd),
  };
}

/**
 * Sends frames, hexadecimal, as they are and as fast as possible.
 *
 * @param rounds - how often all of them are sent
 * @returns how many the kernel took
 */
export function sendFrames(name: string, frames: readonly string[], rounds = 1): number {
  const bytes = frames.map((frame) => Buffer.from(frame, 'hex'));
  const sender = openSender(name);
  let taken = 0;
  try {
    for (let round = 0; round < rounds; round += 1) {
      for (const frame of bytes) if (sender.send(frame)) taken += 1;
    }
    return taken;
  } finally {
    sender.close();
  }
}
