// SPDX-License-Identifier: Apache-2.0
/**
 * What a user of the login shell may do: the commands of the one table, as far as they are for the shell
 * and the sockets of egretd open to this user.
 */
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { EgretError } from '../../lib/errors.ts';
import { type Call, type Command, type Io, usage } from '../command.ts';
import { makeHelp } from '../commands/help.ts';
import { commands } from '../commands.ts';
import { report, runWords } from '../run-words.ts';
import { splitWords } from './words.ts';

export class Session {
  readonly runDir: string;
  readonly who: string;
  /** Those of the shell; those that this user may not give are known too, so that they are said so. */
  readonly #commands: readonly Command[];

  constructor(runDir: string, who: string) {
    this.runDir = runDir;
    this.who = who;
    const ofShell = commands.filter(({ shell, name }) => shell !== 'none' && name !== 'help');
    this.#commands = [...ofShell, makeHelp(() => this.allowed)];
  }

  get allowed(): readonly Command[] {
    return this.#commands.filter((command) => this.#trouble(command) === undefined);
  }

  /** @returns the exit status; what is wrong is printed */
  async run(line: string, io: Io): Promise<number> {
    const split = splitWords(line);
    if (!split.ok) return report(usage(split.fault), io);
    // What the documents print for the system's command line is understood here, too.
    const words = split.value[0] === 'egret' ? split.value.slice(1) : split.value;
    const permit = (
      command: Command,
      { words, options }: Pick<Call, 'words' | 'options'>,
    ): void => {
      if (options.has('--run-dir')) throw usage('there is no --run-dir here');
      const refusal = command.shellRefuses?.(words, options);
      if (refusal !== undefined) throw usage(refusal);
      const trouble = this.#trouble(command);
      if (trouble) throw trouble;
    };
    const context = { runDir: this.runDir, io, who: this.who, permit };
    try {
      return await runWords(this.#commands, words, context);
    } catch (error) {
      // A fault of this program: the session stays, and no stack is printed to the other end.
      io.errors.write(`egret: ${(error as Error).message}\n`);
      return 1;
    }
  }

  /** A socket that does not exist is reported by the command itself, which asks for it. */
  #trouble({ shell }: Command): EgretError | undefined {
    const path = join(this.runDir, shell === 'admin' ? 'admin.sock' : 'status.sock');
    try {
      accessSync(path, constants.W_OK);
      return undefined;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      return code === 'EACCES' && shell === 'admin'
        ? new EgretError('ACCESS_DENIED', { path })
        : undefined;
    }
  }
}
