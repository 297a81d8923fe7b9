// SPDX-License-Identifier: Apache-2.0
/**
 * What is passed to the mirror's thread and comes back: rows of struct egret_mirror_route
 * (native/egret.h) and struct mirror_event (native/egretd/mirror.h), in host order.
 */
import type { Ipv4 } from '../net/ipv4.ts';

/** EGRET_GROUP_PATHS_MAX. */
export const mirrorPathsMax = 16;
const rowWords = 4 + 2 * mirrorPathsMax;

export interface MirrorPath {
  readonly ifindex: number;
  /** 0: on the link. */
  readonly address: Ipv4;
}

/** A buffer of rows that is filled, handed over and filled again. */
export class MirrorRows {
  readonly rowsMax: number;
  readonly bytes: Uint8Array;
  readonly #words: Uint32Array;
  count = 0;

  constructor(rowsMax: number) {
    this.rowsMax = rowsMax;
    this.#words = new Uint32Array(rowsMax * rowWords);
    this.bytes = new Uint8Array(this.#words.buffer);
  }

  /** @param paths - 1 to mirrorPathsMax; empty removes the route */
  push(table: number, address: Ipv4, length: number, paths: readonly MirrorPath[]): void {
    const at = this.count * rowWords;
    const words = this.#words;
    words[at] = address;
    words[at + 1] = length;
    words[at + 2] = table;
    words[at + 3] = paths.length;
    for (let i = 0; i < paths.length; i += 1) {
      words[at + 4 + 2 * i] = paths[i]!.address;
      words[at + 5 + 2 * i] = paths[i]!.ifindex;
    }
    this.count += 1;
  }
}

const eventBytes = 32;

export interface MirrorEventListener {
  /** Every route up to this number is settled. */
  progressed(sequence: number): void;
  /** Comes before the progress that covers it. */
  failed(sequence: number, errno: number): void;
  /** Another program removed or replaced a route. */
  foreignChange(table: number, address: Ipv4, length: number): void;
  /** Notifications were lost. */
  overrun(): void;
}

/** @returns how many bytes were whole events */
export function decodeMirrorEvents(bytes: Buffer, listener: MirrorEventListener): number {
  let at = 0;
  for (; bytes.length - at >= eventBytes; at += eventBytes) {
    const sequence = bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4) * 0x1_0000_0000;
    switch (bytes.readUInt32LE(at + 8)) {
      case 1:
        listener.progressed(sequence);
        break;
      case 2:
        listener.failed(sequence, bytes.readUInt32LE(at + 24));
        break;
      case 3:
        listener.foreignChange(
          bytes.readUInt32LE(at + 20),
          bytes.readUInt32LE(at + 12),
          bytes.readUInt32LE(at + 16),
        );
        break;
      case 4:
        listener.overrun();
        break;
    }
  }
  return at;
}
