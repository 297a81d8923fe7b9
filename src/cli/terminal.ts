// SPDX-License-Identifier: Apache-2.0
/** The terminal of this process, and its standard streams as commands use them. */
import { printableStream } from '../lib/printable.ts';
import type { Io, Terminal } from './command.ts';

/** A serial line does not say its size: it has that of a VT100. */
export function terminalSize({ output }: Terminal): {
  readonly columns: number;
  readonly rows: number;
} {
  return { columns: output.columns || 80, rows: output.rows || 24 };
}

/**
 * What is written to a terminal is made printable (lib/printable.ts).
 *
 * @param isRemote - the other end of a pipe may be a terminal too: that of an SSH client
 */
export function standardIo(isRemote: boolean): Io {
  const { stdin, stdout, stderr } = process;
  return {
    input: stdin,
    out: stdout.isTTY || isRemote ? printableStream(stdout) : stdout,
    errors: stderr.isTTY || isRemote ? printableStream(stderr) : stderr,
    terminal: stdin.isTTY && stdout.isTTY ? { input: stdin, output: stdout } : undefined,
  };
}
