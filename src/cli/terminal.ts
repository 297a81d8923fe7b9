// SPDX-License-Identifier: Apache-2.0
/** The terminal of this process. */
import type { WriteStream } from 'node:tty';
import type { Keyboard } from './keyboard.ts';

/** For what draws on the terminal itself: prompt, pager, editor. */
export interface Terminal {
  readonly keyboard: Keyboard;
  readonly output: WriteStream;
}

/** A serial line does not say its size: it has that of a VT100. */
export function terminalSize({ output }: Pick<Terminal, 'output'>): {
  readonly columns: number;
  readonly rows: number;
} {
  return { columns: output.columns || 80, rows: output.rows || 24 };
}

/** It moves no cursor. TERM is compared, and used for nothing else: a client says what it likes. */
export const isDumb = (): boolean => ['', 'dumb'].includes(process.env['TERM'] ?? '');
