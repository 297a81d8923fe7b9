// SPDX-License-Identifier: Apache-2.0
/** Makes update files, and the labels of the slots of a new disk: for the build and for tests. */
import { createHash, type KeyLike } from 'node:crypto';
import { createReadStream, createWriteStream, renameSync, statSync } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { signBytes } from './keys.ts';
import {
  architecture,
  encodeHead,
  encodeManifest,
  type Part,
  type PartName,
  partNames,
} from './update-head.ts';

/** Paths of the parts. */
export type PartFiles = Readonly<Record<PartName, string>>;

/** @param key - private; undefined: it is not signed. @returns the bytes of the head */
export async function makeHead(
  version: string,
  files: PartFiles,
  key: KeyLike | undefined,
): Promise<Buffer> {
  const parts: Part[] = [];
  for (const name of partNames) parts.push(await describe(name, files[name]));
  const signed = encodeManifest({ format: 1, version, architecture, parts });
  const signature = key === undefined ? Buffer.alloc(0) : signBytes(signed, key);
  return encodeHead({ signed, signature });
}

/** Writes head and parts, whole or not at all. */
export async function writeUpdate(head: Buffer, files: PartFiles, target: string): Promise<void> {
  async function* all(): AsyncGenerator<Buffer> {
    yield head;
    for (const name of partNames) yield* createReadStream(files[name], { highWaterMark: 1 << 20 });
  }
  await pipeline(Readable.from(all()), createWriteStream(`${target}.new`));
  renameSync(`${target}.new`, target);
}

async function describe(name: PartName, path: string): Promise<Part> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return { name, bytes: statSync(path).size, sha256: hash.digest('hex') };
}
