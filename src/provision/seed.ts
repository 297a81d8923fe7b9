// SPDX-License-Identifier: Apache-2.0
/** What a box may take at its first boot, wherever it comes from. */

export interface Seed {
  /** Configuration files, by name. */
  readonly configs: ReadonlyMap<string, Buffer>;
  /** Lines as in authorized_keys(5). */
  readonly adminKeys: readonly string[];
  /** For the read-only user; undefined: those of admin. */
  readonly statusKeys: readonly string[] | undefined;
  /** Keys of certificate authorities, a line each. */
  readonly userCas: readonly string[];
}

export type Say = (line: string) => void;

/** A configuration's file, as `egret config put` takes it. */
export const configName = /^[A-Za-z0-9][A-Za-z0-9._-]{0,120}\.ya?ml$/;
