// SPDX-License-Identifier: Apache-2.0
/**
 * A disk whose power is cut, or whose operation fails, at a chosen change: each write, sync and rename
 * counts as one. What was written and not synced may be on the disk or not, by sectors.
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import type { OpenStorage, Storage } from '../../src/image/storage.ts';
import { openStorage } from '../../src/image/storage.ts';
import { type FileOperations, systemFiles } from '../../src/lib/durable-files.ts';
import type { Random } from '../../src/lib/random.ts';

export interface UnsafeDisk {
  readonly open: OpenStorage;
  readonly files: FileOperations;
  /** Changes that were begun. */
  readonly count: () => number;
  /** What the cut was about to leave is on the disk now. */
  readonly settle: () => void;
}

interface Pending {
  readonly path: string;
  readonly position: number;
  readonly bytes: Uint8Array;
}

const sectorBytes = 512;
const fileChanges = ['makeFolder', 'write', 'sync', 'rename', 'remove', 'syncFolder'] as const;

/**
 * @param failing - number of the change, from 1; 0: none
 * @param isCut - nothing is done after it; else only this one fails
 */
export function unsafeDisk(failing: number, isCut: boolean, random: Random): UnsafeDisk {
  let count = 0;
  let pending: Pending[] = [];
  const change = (): void => {
    count += 1;
    if (count === failing || (isCut && failing > 0 && count > failing)) {
      throw Object.assign(new Error('input/output error'), { code: 'EIO' });
    }
  };

  const open: OpenStorage = async (path, use) => {
    const real = await openStorage(path, use);
    const storage: Storage = {
      async read(position, bytes) {
        const block = await real.read(position, bytes);
        for (const each of pending) {
          if (each.path === path) overlay(block, position, each);
        }
        return block;
      },
      async write(position, bytes) {
        // It may have begun to reach the disk when it fails.
        pending.push({ path, position, bytes: Uint8Array.from(bytes) });
        change();
      },
      async sync() {
        change();
        const own = pending.filter((each) => each.path === path);
        pending = pending.filter((each) => each.path !== path);
        for (const { position, bytes } of own) await real.write(position, bytes);
        await real.sync();
      },
      close: () => real.close(),
    };
    return storage;
  };

  const files = { ...systemFiles } as Record<string, unknown>;
  for (const name of fileChanges) {
    const act = systemFiles[name] as (...words: unknown[]) => Promise<void>;
    files[name] = async (...words: unknown[]) => {
      change();
      await act(...words);
    };
  }

  return {
    open,
    files: files as unknown as FileOperations,
    count: () => count,
    settle() {
      for (const { path, position, bytes } of pending) {
        const file = openSync(path, 'r+');
        for (let at = 0; at < bytes.length; at += sectorBytes) {
          if (random.next() < 0.5) continue;
          const sector = bytes.subarray(at, at + sectorBytes);
          writeSync(file, sector, 0, sector.length, position + at);
        }
        closeSync(file);
      }
      pending = [];
    },
  };
}

function overlay(block: Buffer, start: number, { position, bytes }: Pending): void {
  const from = Math.max(start, position);
  const to = Math.min(start + block.length, position + bytes.length);
  if (from < to) block.set(bytes.subarray(from - position, to - position), from - start);
}
