// SPDX-License-Identifier: Apache-2.0
/**
 * Draws the text on a terminal that knows what a VT100 knows. Only rows that differ from what is there
 * are sent: over a serial line a whole screen takes two seconds.
 */
import { printable } from '../../lib/printable.ts';
import { characterWidth, padEnd, shortened } from '../../lib/text-width.ts';
import { type Terminal, terminalSize } from '../terminal.ts';
import type { EditedText } from './text.ts';

const tabWidth = 8;
/** Of the status and of the help. */
const rowsBelow = 2;

export class Screen {
  readonly #terminal: Pick<Terminal, 'output'>;
  #shown: string[] = [];
  #size = '';
  #top = 0;
  #left = 0;

  constructor(terminal: Pick<Terminal, 'output'>) {
    this.#terminal = terminal;
  }

  /** Rows of text. */
  get pageRows(): number {
    return Math.max(1, terminalSize(this.#terminal).rows - rowsBelow);
  }

  /** A screen of its own, where the terminal has two. */
  open(): void {
    this.#terminal.output.write('\u001b[?1049h\u001b[2J');
  }

  close(): void {
    const { rows } = terminalSize(this.#terminal);
    this.#terminal.output.write(`\u001b[${rows};1H\u001b[K\u001b[?1049l`);
  }

  /** @param status - and help: one row each. @param typing - the cursor stands behind the status */
  draw(text: EditedText, status: string, help: string, typing: boolean): void {
    const { columns, rows } = terminalSize(this.#terminal);
    if (this.#size !== `${columns} ${rows}`) {
      this.#shown = [];
      this.#size = `${columns} ${rows}`;
    }
    const { row, column } = text.cursor;
    const at = cells(text.lines[row]!.slice(0, column)).length;
    this.#top = Math.min(row, Math.max(this.#top, row - this.pageRows + 1));
    if (at < this.#left) this.#left = Math.max(0, at - 8);
    if (at >= this.#left + columns) this.#left = at - columns + 8;
    const lines = text.lines.slice(this.#top, this.#top + this.pageRows).map((line) =>
      cells(line)
        .slice(this.#left, this.#left + columns)
        .join(''),
    );
    while (lines.length < this.pageRows) lines.push('~');
    const last = columns - 1;
    lines.push(padEnd(shortened(printable(status), last), last), shortened(help, last));
    let sent = '';
    lines.forEach((line, index) => {
      if (this.#shown[index] !== line) sent += `\u001b[${index + 1};1H${line}\u001b[K`;
    });
    this.#shown = lines;
    const place = typing
      ? `${this.pageRows + 1};${Math.min(columns, status.length + 1)}`
      : `${row - this.#top + 1};${at - this.#left + 1}`;
    this.#terminal.output.write(`${sent}\u001b[${place}H`);
  }
}

/**
 * What stands in each column: a character and the marks on it; nothing in the second of a wide one. A tab
 * is blanks, what a terminal would obey is a mark of its own.
 */
function cells(line: string): string[] {
  const columns: string[] = [];
  for (const character of line) {
    const width = characterWidth(character);
    if (character === '\t') {
      do columns.push(' ');
      while (columns.length % tabWidth !== 0);
    } else if (printable(character) !== character) columns.push('\ufffd');
    else if (width === 0 && columns.length > 0) columns[columns.length - 1] += character;
    else columns.push(character, ...(width === 2 ? [''] : []));
  }
  return columns;
}
