// SPDX-License-Identifier: Apache-2.0
/** Words of a command line → command, words and options, by the table. */
import { didYouMean } from '../lib/nearest.ts';
import {
  type Call,
  type Command,
  commonOptions,
  jsonOption,
  type Option,
  outputOption,
  usage,
} from './command.ts';

/** No path, name or address is longer, and so no request is longer than egretd reads. */
const wordLengthMax = 4096;

export interface Given extends Pick<Call, 'words' | 'options' | 'isJson'> {
  readonly command: string | undefined;
  /** What --run-dir said. */
  readonly runDir: string | undefined;
  /** Columns are to be shown whole. */
  readonly isWide: boolean;
  readonly isHelp: boolean;
}

/** @throws EgretError USAGE */
export function parseArguments(commands: readonly Command[], argv: readonly string[]): Given {
  const long = argv.find((word) => word.length > wordLengthMax);
  if (long !== undefined) throw usage(`${long.slice(0, 20)}… is too long`);
  const words: string[] = [];
  const options = new Map<string, string>();
  const rest = argv.flatMap((word) => /^(--[a-z-]+)=(.*)$/s.exec(word)?.slice(1) ?? word);
  const known = new Map<string, Option>();
  for (const option of commands.flatMap(optionsOf)) {
    known.set(option.name, option);
    if (option.short) known.set(option.short, option);
  }
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if (word === '-h') options.set('--help', '');
    else if (word === '--version') words.unshift('version');
    else if (!word.startsWith('-') || word === '-') words.push(word);
    else take(known, word, rest, options);
  }
  const name = words.shift();
  const command = commands.find((candidate) => candidate.name === name);
  if (command && !options.has('--help')) {
    const own = optionsOf(command);
    for (const option of options.keys()) {
      if (own.some((one) => one.name === option)) continue;
      const near = didYouMean(
        option,
        own.map((one) => one.name),
      );
      throw usage(`${name} takes no ${option}${near}`);
    }
  }
  const output = options.get('--output') ?? '';
  if (!['', 'wide', 'json'].includes(output)) {
    throw usage(
      `--output takes wide or json, not ${output}${didYouMean(output, ['wide', 'json'])}`,
    );
  }
  return {
    command: name,
    words,
    options,
    runDir: options.get('--run-dir'),
    isJson: options.has('--json') || output === 'json',
    isWide: output === 'wide',
    isHelp: options.has('--help'),
  };
}

/** All that a command takes. */
export function optionsOf({ options, takesJson, takesOutput }: Command): readonly Option[] {
  return [
    ...options,
    ...(takesJson ? [jsonOption] : []),
    ...(takesOutput ? [outputOption] : []),
    ...commonOptions,
  ];
}

function take(
  known: ReadonlyMap<string, Option>,
  word: string,
  rest: string[],
  options: Map<string, string>,
): void {
  const option = known.get(word);
  if (!option) throw usage(`there is no option ${word}${didYouMean(word, known.keys())}`);
  const value = option.value === undefined ? '' : rest.shift();
  if (value === undefined) throw usage(`${word} needs a value`);
  options.set(option.name, value);
}
