// SPDX-License-Identifier: Apache-2.0
/** Standard input, output and errors of this process, as commands use them. */
import { printableStream } from '../lib/printable.ts';
import type { Io } from './command.ts';
import { Keyboard } from './keyboard.ts';

/**
 * What is written to a terminal is made printable (lib/printable.ts).
 *
 * @param isRemote - the other end of a pipe may be a terminal too: that of an SSH client
 */
export function standardIo(isRemote: boolean): Io {
  const { stdin, stdout, stderr } = process;
  const isTerminal = stdin.isTTY && stdout.isTTY;
  return {
    input: stdin,
    out: stdout.isTTY || isRemote ? printableStream(stdout) : stdout,
    errors: stderr.isTTY || isRemote ? printableStream(stderr) : stderr,
    file: stdout.isTTY ? printableStream(stdout) : stdout,
    terminal: isTerminal ? { keyboard: new Keyboard(stdin), output: stdout } : undefined,
  };
}
