// SPDX-License-Identifier: Apache-2.0
/**
 * A partition as bytes. In tests a plain file stands for it: there is no difference for the code.
 * Opening is an argument, so that tests fail or stop at each write and each sync.
 */
import { open } from 'node:fs/promises';

/** Where a partition is, and its size. */
export interface Partition {
  readonly path: string;
  readonly bytes: number;
}

export interface Storage {
  /** Fewer bytes than asked for at the end. */
  read(position: number, bytes: number): Promise<Buffer>;
  write(position: number, bytes: Uint8Array): Promise<void>;
  /** fsync(2). */
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** What is there is opened, never made. */
export type OpenStorage = (path: string, use: 'read' | 'write') => Promise<Storage>;

export const openStorage: OpenStorage = async (path, use) => {
  const file = await open(path, use === 'read' ? 'r' : 'r+');
  return {
    async read(position, bytes) {
      const { bytesRead, buffer } = await file.read(Buffer.alloc(bytes), 0, bytes, position);
      return buffer.subarray(0, bytesRead);
    },
    async write(position, bytes) {
      for (let at = 0; at < bytes.length; ) {
        const rest = bytes.length - at;
        at += (await file.write(bytes, at, rest, position + at)).bytesWritten;
      }
    },
    sync: () => file.sync(),
    close: () => file.close(),
  };
};

/** Opens, uses and closes. The last close of a block device drops what the kernel has cached of it. */
export async function using<Value>(
  open: OpenStorage,
  path: string,
  use: 'read' | 'write',
  act: (storage: Storage) => Promise<Value>,
): Promise<Value> {
  const storage = await open(path, use);
  try {
    return await act(storage);
  } finally {
    await storage.close();
  }
}
