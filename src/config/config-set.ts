// SPDX-License-Identifier: Apache-2.0
/**
 * The files of a configuration as they were read: what is checked, compared and kept are the same
 * bytes, whatever is written to the files meanwhile.
 */
import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import type { LocatedError } from './yaml/located.ts';

export interface ConfigFile {
  /** As errors show it. */
  readonly path: string;
  /** undefined: it could not be read, and an error says why. */
  readonly bytes: Uint8Array | undefined;
}

export interface ConfigSet {
  /** The file or the folder. */
  readonly path: string;
  /** By name. */
  readonly files: readonly ConfigFile[];
  /** What kept files from being read. */
  readonly errors: readonly LocatedError[];
}

/** The name under which a file is kept: of its folder, which is the same for all of them. */
export const nameOf = (file: ConfigFile): string => basename(file.path);

/** Equal for sets with the same names and bytes, wherever their folder is. SHA-256, in hex. */
export function hashOf(files: readonly ConfigFile[]): string {
  const hash = createHash('sha256');
  for (const file of files) {
    hash.update(`${nameOf(file)}\0${file.bytes?.length ?? -1}\0`);
    if (file.bytes) hash.update(file.bytes);
  }
  return hash.digest('hex');
}
