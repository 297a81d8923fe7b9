// SPDX-License-Identifier: Apache-2.0
/** Runs one command line that came as words: from the system's shell, over SSH, or from the prompt. */
import { EgretError } from '../lib/errors.ts';
import { parseArguments } from './arguments.ts';
import { type Call, type Command, findCommand, type Io } from './command.ts';
import { helpText } from './help.ts';
import { terminalSize } from './terminal.ts';

export interface Context extends Pick<Call, 'who' | 'io'> {
  /** Unless --run-dir names another. */
  readonly runDir: string;
  /** @throws EgretError when the caller may not give it so */
  readonly permit?: (command: Command, given: Pick<Call, 'words' | 'options'>) => void;
}

/** @returns the exit status; what is wrong is printed */
export async function runWords(
  commands: readonly Command[],
  words: readonly string[],
  { who, io, runDir, permit }: Context,
): Promise<number> {
  try {
    const { command: name, isHelp, isWide, ...given } = parseArguments(commands, words);
    const width = isWide || !io.terminal ? null : terminalSize(io.terminal).columns;
    if (isHelp) {
      const shown = name === undefined ? commands : [findCommand(commands, name)];
      io.out.write(helpText(shown, width));
      return 0;
    }
    const command = findCommand(commands, name);
    permit?.(command, given);
    return await command.run({ ...given, runDir: given.runDir ?? runDir, io, who, width });
  } catch (error) {
    if (!(error instanceof EgretError)) throw error;
    return report(error, io);
  }
}

/** @returns the exit status */
export function report(
  { message, hint, exit }: EgretError,
  { errors }: Pick<Io, 'errors'>,
): number {
  errors.write(`egret: ${message}\n  ${hint}\n`);
  return exit;
}
