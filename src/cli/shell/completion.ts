// SPDX-License-Identifier: Apache-2.0
/** What may come at the cursor: for Tab, which completes it, and for `?`, which explains it. */
import { wrapped } from '../../lib/text-width.ts';
import { optionsOf } from '../arguments.ts';
import type { Command, Option } from '../command.ts';
import { continuations, type Expected } from './grammar.ts';
import { knowsNames, namesFor } from './names.ts';
import { quoted, splitLine } from './words.ts';

export interface CompletionSource {
  readonly commands: readonly Command[];
  readonly names: (expected: Expected, start: string) => Promise<readonly string[]>;
}

export const completionSource = (
  commands: readonly Command[],
  asker: { readonly runDir: string; readonly who: string },
): CompletionSource => ({
  commands,
  names: (expected, start) => namesFor(expected, start, asker),
});

/** Candidates, and the part of the line that each of them replaces. */
export interface Completion {
  readonly candidates: readonly string[];
  readonly replaced: string;
}

/** @param line - up to the cursor */
export async function complete(source: CompletionSource, line: string): Promise<Completion> {
  const place = placeOf(source, line);
  if (!place) return { candidates: [], replaced: '' };
  const { start, replaced } = place;
  const words = await Promise.all(
    place.entries.map(async ({ text, expected }) => {
      if (!expected?.isPlaceholder) return [text];
      return knowsNames(expected) ? [...(await source.names(expected, start))] : [];
    }),
  );
  const candidates = [...new Set(words.flat())]
    // Options are offered once they are begun; `?` shows them before.
    .filter((word) => word.startsWith(start) && word.startsWith('-') === start.startsWith('-'))
    .map(quoted);
  const [only] = candidates;
  return { candidates: candidates.length === 1 ? [`${only} `] : candidates, replaced };
}

/** @returns what may come at the cursor, in lines of so many columns */
export async function helpAt(
  source: CompletionSource,
  line: string,
  columns: number,
): Promise<string[]> {
  const place = placeOf(source, line);
  if (!place) return ['The line is no command.'];
  const rows = await Promise.all(
    place.entries
      .filter(({ text, expected }) => expected?.isPlaceholder || text.startsWith(place.start))
      .map(async ({ text, help, expected }) => ({
        text,
        help: expected?.isPlaceholder ? await namesHelp(source, expected, place.start) : help,
      })),
  );
  if (place.isComplete && place.start === '') rows.unshift({ text: 'enter', help: 'Run it.' });
  if (rows.length === 0) return ['Nothing more is known to come here.'];
  const width = Math.max(...rows.map(({ text }) => text.length));
  return rows.map(({ text, help }) =>
    `  ${text.padEnd(width)}  ${wrapped(help, width + 4, columns)}`.trimEnd(),
  );
}

async function namesHelp(
  source: CompletionSource,
  expected: Expected,
  start: string,
): Promise<string> {
  const shownMax = 8;
  const names = knowsNames(expected) ? await source.names(expected, start) : [];
  const shown = names.slice(0, shownMax).join(' ');
  const what = expected.after === undefined ? '' : `of ${expected.after}`;
  return names.length > shownMax ? `${shown} …` : shown || what;
}

interface Entry {
  readonly text: string;
  readonly help: string;
  /** Of a word that the command's forms name. */
  readonly expected?: Expected;
}

interface Place {
  readonly entries: readonly Entry[];
  readonly isComplete: boolean;
  /** What is typed of the word at the cursor, and how. */
  readonly start: string;
  readonly replaced: string;
}

/** @returns undefined when the words before the cursor are no command */
function placeOf({ commands }: CompletionSource, line: string): Place | undefined {
  const split = splitLine(line);
  if (!split.ok) return undefined;
  const { words, starts, isOpen } = split.value;
  const start = isOpen ? words.at(-1)! : '';
  const replaced = isOpen ? line.slice(starts.at(-1)) : '';
  const before = isOpen ? words.slice(0, -1) : [...words];
  if (before[0] === 'egret') before.shift();
  const place = { start, replaced };
  const name = before[0];
  if (name === undefined) {
    const entries = commands.map((command): Entry => ({ text: command.name, help: command.help }));
    return { ...place, entries, isComplete: false };
  }
  const command = commands.find((each) => each.name === name);
  if (!command) return undefined;
  const given = withoutOptions(command, before);
  if (given.wanting) {
    const { value = '', help } = given.wanting;
    return {
      ...place,
      entries: value.split(' ').map((text) => ({ text, help })),
      isComplete: false,
    };
  }
  const { expected, isComplete } = continuations(command.forms ?? command.usage, given.words);
  const entries = expected.map(
    (each): Entry => ({
      text: each.text,
      help: command.wordHelp?.get(each.text) ?? '',
      expected: each,
    }),
  );
  const options = optionsOf(command)
    .filter(({ name }) => name !== '--run-dir')
    .map(({ name, help }): Entry => ({ text: name, help }));
  const isOption = start.startsWith('-');
  return { ...place, entries: isOption ? options : [...entries, ...options], isComplete };
}

/** Leaves options out; `wanting` is the last one, when its value comes next. */
function withoutOptions(
  command: Command,
  words: readonly string[],
): { readonly words: string[]; readonly wanting?: Option } {
  const options = optionsOf(command);
  const rest = [...words];
  const kept: string[] = [];
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    const option = options.find(({ name, short }) => word === name || word === short);
    if (!option && !word.startsWith('--')) kept.push(word);
    if (option?.value === undefined) continue;
    if (rest.length === 0) return { words: kept, wanting: option };
    rest.shift();
  }
  return { words: kept };
}
