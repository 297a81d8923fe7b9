// SPDX-License-Identifier: Apache-2.0
/**
 * What a command of the table is (commands.ts), and a call of it. Parsing, help, completion, the man
 * page and the login shell all read the same table.
 */
import type { Readable, Writable } from 'node:stream';
import { EgretError } from '../lib/errors.ts';

export interface Option {
  readonly name: `--${string}`;
  /** How help shows its value; none: it takes no value. */
  readonly value?: string;
  readonly help: string;
}

/** Who may give a command in the login shell; `none`: only on the system's command line. */
export type ShellUser = 'status' | 'admin' | 'none';

export interface Command {
  readonly name: string;
  /** Forms of it, each without `egret`: `show VIEW`. */
  readonly usage: readonly string[];
  /** One sentence, or a few. */
  readonly help: string;
  /** Its own, without --json and those that every command takes. */
  readonly options: readonly Option[];
  readonly takesJson: boolean;
  readonly shell: ShellUser;
  /** Fixed words that may follow, for completion. */
  readonly words: readonly string[];
  /** @returns the exit status. @throws EgretError */
  readonly run: (call: Call) => Promise<number>;
}

/** A command as it was given. */
export interface Call {
  /** What follows the command's name. */
  readonly words: readonly string[];
  /** By name; an option without value has ''. */
  readonly options: ReadonlyMap<string, string>;
  readonly isJson: boolean;
  readonly runDir: string;
  readonly io: Io;
  /** Who gave it, for the history and the audit log: a key's comment, or the account's name. */
  readonly who: string;
}

export interface Io {
  readonly input: Readable;
  readonly out: Writable;
  readonly errors: Writable;
}

export const jsonOption: Option = { name: '--json', help: 'Print JSON.' };

/** Those of every command. */
export const commonOptions: readonly Option[] = [
  {
    name: '--run-dir',
    value: 'DIR',
    help: 'Run directory of egretd: /run/egret, or $EGRET_RUN_DIR.',
  },
  { name: '--help', help: 'Explain the command.' },
];

export const usage = (what: string): EgretError => new EgretError('USAGE', { what });

/** @throws EgretError USAGE */
export function takesNoWords(name: string, [first]: readonly string[]): void {
  if (first !== undefined) throw usage(`${name} takes no ${first}`);
}
