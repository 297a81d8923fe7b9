// SPDX-License-Identifier: Apache-2.0
/**
 * A slot: two partitions that are written whole, and at the end of the second one the head of the
 * update that they came from. The head is erased first and written last: a slot that has one was
 * complete and was read back.
 */
import { createHash } from 'node:crypto';
import { EgretError } from '../lib/errors.ts';
import type { SlotPartitions } from './box.ts';
import type { ByteSource } from './byte-source.ts';
import { type OpenStorage, type Partition, using } from './storage.ts';
import {
  encodeHead,
  type Head,
  headBytesMax,
  invalid,
  type Part,
  type PartName,
  readHead,
} from './update-head.ts';

/** The end of the root partition, for the head. */
export const labelBytes = 32_768;
if (headBytesMax > labelBytes) throw new RangeError('a head has no room at the end of a slot');
/** Read at once, and written until it is forced to disk: what waits to be written stays small. */
const blockBytes = 1 << 20;
const unsyncedBytesMax = 16 << 20;

/** @returns what the slot holds; undefined: nothing, or something incomplete */
export async function readLabel(
  open: OpenStorage,
  { root }: SlotPartitions,
): Promise<Head | undefined> {
  return using(open, root.path, 'read', async (storage) => {
    let position = root.bytes - labelBytes;
    const take = async (bytes: number): Promise<Buffer> => {
      const piece = await storage.read(position, bytes);
      if (piece.length < bytes) throw invalid('it is cut short');
      position += bytes;
      return piece;
    };
    return readHead(take).catch((error) => {
      if (error instanceof EgretError) return undefined;
      throw error;
    });
  });
}

/** From here on the slot counts for nothing, until its label is written again. */
export async function eraseLabel(open: OpenStorage, { root }: SlotPartitions): Promise<void> {
  await writeLabelBytes(open, root, Buffer.alloc(labelBytes));
}

export async function writeLabel(
  open: OpenStorage,
  { root }: SlotPartitions,
  head: Head,
): Promise<void> {
  await writeLabelBytes(open, root, encodeHead(head));
}

async function writeLabelBytes(open: OpenStorage, root: Partition, bytes: Buffer): Promise<void> {
  await using(open, root.path, 'write', async (storage) => {
    await storage.write(root.bytes - labelBytes, bytes);
    await storage.sync();
  });
}

/** Room for a part. */
export function roomFor(slot: SlotPartitions, name: PartName): number {
  return slot[name].bytes - (name === 'root' ? labelBytes : 0);
}

/**
 * Writes one part from the stream.
 *
 * @throws EgretError UPDATE_INVALID when the stream is too short or its hash is another
 */
export async function writePart(
  open: OpenStorage,
  target: Partition,
  part: Part,
  source: ByteSource,
): Promise<void> {
  const hash = createHash('sha256');
  await using(open, target.path, 'write', async (storage) => {
    let position = 0;
    let unsynced = 0;
    for await (const piece of source.pieces(part.bytes)) {
      hash.update(piece);
      await storage.write(position, piece);
      position += piece.length;
      unsynced += piece.length;
      if (unsynced < unsyncedBytesMax) continue;
      await storage.sync();
      unsynced = 0;
    }
    await storage.sync();
  });
  if (hash.digest('hex') !== part.sha256) throw invalid(`its part ${part.name} is damaged`);
}

/** Reads one part from the disk again. @throws EgretError SLOT_DAMAGED */
export async function verifyPart(
  open: OpenStorage,
  target: Partition,
  { name, bytes, sha256 }: Part,
): Promise<void> {
  const hash = createHash('sha256');
  await using(open, target.path, 'read', async (storage) => {
    for (let at = 0; at < bytes; ) {
      const block = await storage.read(at, Math.min(blockBytes, bytes - at));
      if (block.length === 0) break;
      hash.update(block);
      at += block.length;
    }
  });
  if (hash.digest('hex') !== sha256) throw new EgretError('SLOT_DAMAGED', { name });
}
