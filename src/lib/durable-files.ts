// SPDX-License-Identifier: Apache-2.0
/**
 * Files that a power cut leaves whole: a file is written next to its place, forced to disk, and moved
 * to it, and then its folder is forced to disk. Before the move the old one stands there, afterwards
 * the new one.
 *
 * The operations are an argument, so that tests fail or stop at each of them.
 */
import type { FileHandle } from 'node:fs/promises';
import { mkdir, open, readdir, readFile, rename, rm, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/** Each rejects with the system's error. */
export interface FileOperations {
  /** Makes a folder and those above it; one that is there stays as it is. */
  makeFolder(path: string, mode: number): Promise<void>;
  /** Names in a folder. */
  list(path: string): Promise<string[]>;
  read(path: string): Promise<Buffer>;
  /** Reads the start of a file. */
  readStart(path: string, bytesMax: number): Promise<Buffer>;
  /** Makes a file, in place of the one that is there. */
  write(path: string, chunks: readonly Uint8Array[], mode: number): Promise<void>;
  /** fsync(2) of a file. */
  sync(path: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  remove(path: string): Promise<void>;
  /** fsync(2) of a folder: what was moved or removed in it stays so. */
  syncFolder(path: string): Promise<void>;
}

export const systemFiles: FileOperations = {
  async makeFolder(path, mode) {
    await mkdir(path, { recursive: true, mode });
  },
  list: (path) => readdir(path),
  read: (path) => readFile(path),
  readStart: (path, bytesMax) =>
    opened(path, 'r', 0, async (file) => {
      const { bytesRead, buffer } = await file.read(Buffer.alloc(bytesMax), 0, bytesMax, 0);
      return buffer.subarray(0, bytesRead);
    }),
  async write(path, chunks, mode) {
    await rm(path, { force: true });
    await opened(path, 'wx', mode, async (file) => {
      await file.chmod(mode);
      for (const chunk of chunks) await file.writeFile(chunk);
    });
  },
  sync: (path) => opened(path, 'r', 0, (file) => file.sync()),
  rename: (from, to) => rename(from, to),
  remove: (path) => unlink(path),
  syncFolder: (path) => opened(path, 'r', 0, (file) => file.sync()),
};

async function opened<Value>(
  path: string,
  flags: string,
  mode: number,
  act: (file: FileHandle) => Promise<Value>,
): Promise<Value> {
  const file = await open(path, flags, mode);
  try {
    return await act(file);
  } finally {
    await file.close();
  }
}

/** Where a file is written before it is moved to its place: hidden, and in the same folder. */
export const unfinishedPath = (path: string): string =>
  join(dirname(path), `.${basename(path)}.new`);

/**
 * Puts a file in place, whole or not at all.
 *
 * @throws the system's error, e.g. ENOSPC: the old file stays. Only when the folder could not be forced
 *   to disk, the new one stands there and may be lost by a power cut
 */
export async function replaceFile(
  files: FileOperations,
  path: string,
  chunks: readonly Uint8Array[],
  mode: number,
): Promise<void> {
  const unfinished = unfinishedPath(path);
  try {
    await files.write(unfinished, chunks, mode);
    await files.sync(unfinished);
    await files.rename(unfinished, path);
  } catch (error) {
    await files.remove(unfinished).catch(() => {});
    throw error;
  }
  await files.syncFolder(dirname(path));
}

/** Removes a file for good. @throws the system's error */
export async function removeFile(files: FileOperations, path: string): Promise<void> {
  await files.remove(path);
  await files.syncFolder(dirname(path));
}
