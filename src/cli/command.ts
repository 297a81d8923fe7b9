// SPDX-License-Identifier: Apache-2.0
/**
 * What a command of the table is (commands.ts), and a call of it. Parsing, help, completion, the man
 * page and the login shell all read the same table.
 */
import type { Readable, Writable } from 'node:stream';
import { EgretError } from '../lib/errors.ts';
import { didYouMean } from '../lib/nearest.ts';
import type { Terminal } from './terminal.ts';

export interface Option {
  readonly name: `--${string}`;
  /** Its name of one letter. */
  readonly short?: `-${string}`;
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
  /** It prints tables, which -o makes wide. */
  readonly takesOutput?: true;
  readonly shell: ShellUser;
  /** Why the login shell does not take it so; undefined: it does. */
  readonly shellRefuses?: (
    words: readonly string[],
    options: ReadonlyMap<string, string>,
  ) => string | undefined;
  /** Fixed words that may follow, for completion. */
  readonly words: readonly string[];
  /** Forms for the prompt's completion, where `usage` is shortened. */
  readonly forms?: readonly string[];
  /** What its fixed words mean, for the prompt's help. */
  readonly wordHelp?: ReadonlyMap<string, string>;
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
  /** Columns that a table may take; null: no limit. */
  readonly width: number | null;
  readonly runDir: string;
  readonly io: Io;
  /** Who gave it, for the history and the audit log: a key's comment, or the account's name. */
  readonly who: string;
}

export interface Io {
  readonly input: Readable;
  readonly out: Writable;
  readonly errors: Writable;
  /** As `out`, for what is a file: where it is not shown on a terminal no byte is changed. */
  readonly file: Writable;
  /** The terminal that `out` ends on; undefined: a pipe or a file. */
  readonly terminal: Terminal | undefined;
}

export const jsonOption: Option = { name: '--json', help: 'Print JSON.' };

export const outputOption: Option = {
  name: '--output',
  short: '-o',
  value: 'wide',
  help: 'Print every column whole, also where the terminal is narrower (or json).',
};

/** Of apply and rollback. */
export const confirmOption: Option = {
  name: '--confirm',
  value: 'TIME',
  help: 'Revert after this time, e.g. 5m, unless egret confirm is said before.',
};
export const messageOption: Option = {
  name: '--message',
  value: 'TEXT',
  help: 'A line for egret history.',
};

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
export function findCommand(commands: readonly Command[], name: string | undefined): Command {
  if (name === undefined) throw usage('a command is needed');
  const command = commands.find((candidate) => candidate.name === name);
  if (command) return command;
  const names = commands.map((each) => each.name);
  throw usage(`there is no command ${name}${didYouMean(name, names)}`);
}

/** A whole number that an option gives. @throws EgretError USAGE */
export function numberOf(call: Call, option: `--${string}`, otherwise: number): number {
  const given = call.options.get(option);
  if (given === undefined) return otherwise;
  if (!/^\d{1,9}$/.test(given)) throw usage(`${option} takes a number, not ${given}`);
  return Number(given);
}

/** @throws EgretError USAGE */
export function takesNoWords(name: string, [first]: readonly string[]): void {
  if (first !== undefined) throw usage(`${name} takes no ${first}`);
}
