// SPDX-License-Identifier: Apache-2.0
/** Words of a command line → command, words and options, by the table. */
import {
  type Call,
  type Command,
  commonOptions,
  jsonOption,
  type Option,
  usage,
} from './command.ts';

/** No path, name or address is longer, and so no request is longer than egretd reads. */
const wordLengthMax = 4096;

export interface Given extends Pick<Call, 'words' | 'options' | 'isJson'> {
  readonly command: string | undefined;
  /** What --run-dir said. */
  readonly runDir: string | undefined;
  readonly isHelp: boolean;
}

/** @throws EgretError USAGE */
export function parseArguments(commands: readonly Command[], argv: readonly string[]): Given {
  const long = argv.find((word) => word.length > wordLengthMax);
  if (long !== undefined) throw usage(`${long.slice(0, 20)}… is too long`);
  const words: string[] = [];
  const options = new Map<string, string>();
  const rest = argv.flatMap((word) => /^(--[a-z-]+)=(.*)$/s.exec(word)?.slice(1) ?? word);
  const known = new Map(
    commands.flatMap(optionsOf).map((option) => [option.name as string, option]),
  );
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if (word === '-h') options.set('--help', '');
    else if (word === '--version') words.unshift('version');
    else if (!word.startsWith('-') || word === '-') words.push(word);
    else options.set(word, takenBy(known.get(word), word, rest));
  }
  const name = words.shift();
  const command = commands.find((candidate) => candidate.name === name);
  if (command && !options.has('--help')) {
    const own = optionsOf(command);
    for (const option of options.keys()) {
      if (!own.some((one) => one.name === option)) throw usage(`${name} takes no ${option}`);
    }
  }
  return {
    command: name,
    words,
    options,
    runDir: options.get('--run-dir'),
    isJson: options.has('--json'),
    isHelp: options.has('--help'),
  };
}

/** All that a command takes. */
export function optionsOf({ options, takesJson }: Command): readonly Option[] {
  return [...options, ...(takesJson ? [jsonOption] : []), ...commonOptions];
}

function takenBy(option: Option | undefined, word: string, rest: string[]): string {
  if (!option) throw usage(`there is no option ${word}`);
  if (option.value === undefined) return '';
  const value = rest.shift();
  if (value === undefined) throw usage(`${word} needs a value`);
  return value;
}
