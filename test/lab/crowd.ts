// SPDX-License-Identifier: Apache-2.0
/**
 * A crowd of clients that no stack could be: one UDP frame for each of up to millions of sessions,
 * straight onto the wire.
 *
 *   number n ──▶ port firstPort + ⌊n / (sources × remotes)⌋, source n mod sources, then remote
 *
 * Every (source, port) asks `remotes` different addresses, so that endpoint-independent mapping
 * gives it one outside port and `remotes` sessions.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { checksum, udpFrame } from './frames.ts';
import { openSender } from './raw-socket.ts';

export interface Crowd {
  readonly interface: string;
  readonly sourceMac: string;
  readonly gatewayMac: string;
  /** The first of `sources` consecutive addresses. */
  readonly firstSource: string;
  readonly sources: number;
  /** The first of `remotes` consecutive addresses. */
  readonly firstRemote: string;
  readonly remotes: number;
  readonly firstPort: number;
  /** Sessions, from number `from` on. */
  readonly from: number;
  readonly count: number;
  readonly perSecond: number;
}

const ipAt = 14;
const portAt = ipAt + 20;
const chunkFrames = 256;

/** Sends one frame for each session. @returns how many the kernel took */
export async function sendCrowd(crowd: Crowd): Promise<number> {
  const frame = Buffer.from(
    udpFrame({
      sourceMac: crowd.sourceMac,
      destinationMac: crowd.gatewayMac,
      source: crowd.firstSource,
      destination: crowd.firstRemote,
      sourcePort: 0,
      destinationPort: 9,
      payload: 'crowd',
    }),
    'hex',
  );
  frame.writeUInt16BE(0, portAt + 6); // RFC 768: no checksum
  const firstSource = frame.readUInt32BE(ipAt + 12);
  const firstRemote = frame.readUInt32BE(ipAt + 16);
  const sender = openSender(crowd.interface);
  const startMs = performance.now();
  let taken = 0;
  try {
    for (let done = 0; done < crowd.count; done += 1) {
      const n = crowd.from + done;
      const pair = Math.floor(n / crowd.sources);
      frame.writeUInt32BE(firstSource + (n % crowd.sources), ipAt + 12);
      frame.writeUInt32BE(firstRemote + (pair % crowd.remotes), ipAt + 16);
      frame.writeUInt16BE(crowd.firstPort + Math.floor(pair / crowd.remotes), portAt);
      frame.writeUInt16BE(0, ipAt + 10);
      frame.writeUInt16BE(checksum(frame.subarray(ipAt, portAt)), ipAt + 10);
      if (sender.send(frame)) taken += 1;
      if (done % chunkFrames !== chunkFrames - 1) continue;
      const aheadMs = (done * 1000) / crowd.perSecond - (performance.now() - startMs);
      if (aheadMs > 1) await sleep(aheadMs);
    }
  } finally {
    sender.close();
  }
  return taken;
}
