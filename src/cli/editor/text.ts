// SPDX-License-Identifier: Apache-2.0
/** The text that is edited: lines, a cursor between characters, and what was cut. Knows no terminal. */

export interface Cursor {
  readonly row: number;
  /** In UTF-16 units, never inside of a character. */
  readonly column: number;
}

export type Move =
  | 'left'
  | 'right'
  | 'up'
  | 'down'
  | 'home'
  | 'end'
  | 'page-up'
  | 'page-down'
  | 'first'
  | 'last';

const indentOf = (line: string): string => /^ */.exec(line)![0];

export class EditedText {
  readonly #lines: string[];
  #row = 0;
  #column = 0;
  #cut = '';
  #isCutting = false;
  #isChanged = false;

  constructor(text: string) {
    this.#lines = text.replaceAll('\r\n', '\n').split('\n');
  }

  get lines(): readonly string[] {
    return this.#lines;
  }

  get cursor(): Cursor {
    return { row: this.#row, column: this.#column };
  }

  get isChanged(): boolean {
    return this.#isChanged;
  }

  /** With a line feed at the end, unless it is empty. */
  get text(): string {
    const text = this.#lines.join('\n');
    return text === '' || text.endsWith('\n') ? text : `${text}\n`;
  }

  markSaved(): void {
    this.#isChanged = false;
  }

  insert(text: string): void {
    const [first = '', ...rest] = text.split('\n');
    const line = this.#line;
    const behind = line.slice(this.#column);
    const last = rest.at(-1);
    if (last === undefined) {
      this.#setLine(line.slice(0, this.#column) + first + behind);
      this.#column += first.length;
    } else {
      const between = rest.slice(0, -1);
      const start = line.slice(0, this.#column) + first;
      this.#lines.splice(this.#row, 1, start, ...between, last + behind);
      this.#row += rest.length;
      this.#column = last.length;
      this.#changed();
    }
  }

  /** A new line that begins where this one does, as YAML wants it. */
  breakLine(): void {
    this.insert(`\n${indentOf(this.#line.slice(0, this.#column))}`);
  }

  /** To the next place that is a multiple of two columns: YAML takes no tabs. */
  indent(): void {
    this.insert(this.#column % 2 === 0 ? '  ' : ' ');
  }

  /** What is before the cursor: a character, or the line feed. */
  eraseBack(): void {
    const before = this.cursor;
    this.move('left', 1);
    if (this.#row !== before.row || this.#column !== before.column) this.erase();
  }

  /** What is behind the cursor. */
  erase(): void {
    const line = this.#line;
    if (this.#column < line.length) {
      const end = this.#column + characterAt(line, this.#column).length;
      this.#setLine(line.slice(0, this.#column) + line.slice(end));
    } else if (this.#row + 1 < this.#lines.length) {
      this.#lines.splice(this.#row, 2, line + this.#lines[this.#row + 1]);
      this.#changed();
    }
  }

  /** Lines that are cut one after the other are put back together. */
  cutLine(): void {
    this.#cut = `${this.#isCutting ? this.#cut : ''}${this.#line}\n`;
    this.#lines.splice(this.#row, 1);
    if (this.#lines.length === 0) this.#lines.push('');
    this.#row = Math.min(this.#row, this.#lines.length - 1);
    this.#column = 0;
    this.#changed();
    this.#isCutting = true;
  }

  paste(): void {
    this.#column = 0;
    this.insert(this.#cut);
  }

  /** @param pageRows - rows of a page */
  move(how: Move, pageRows: number): void {
    this.#isCutting = false;
    const last = this.#lines.length - 1;
    if (how === 'left') this.#left();
    else if (how === 'right') this.#right();
    else if (how === 'home') this.#column = 0;
    else if (how === 'end') this.#column = this.#line.length;
    else {
      const rows = { up: -1, down: 1, 'page-up': -pageRows, 'page-down': pageRows };
      const to = how === 'first' ? 0 : how === 'last' ? last : this.#row + rows[how];
      this.#row = Math.min(last, Math.max(0, to));
      this.#column = boundary(this.#line, Math.min(this.#column, this.#line.length));
    }
  }

  /** Moves to the next place behind the cursor that has the text, case ignored, from the start if need be. */
  find(wanted: string): boolean {
    const needle = wanted.toLowerCase();
    for (let step = 0; step <= this.#lines.length; step += 1) {
      const row = (this.#row + step) % this.#lines.length;
      const from = step === 0 ? this.#column + 1 : 0;
      const column = this.#lines[row]!.toLowerCase().indexOf(needle, from);
      if (column < 0) continue;
      this.#row = row;
      this.#column = boundary(this.#line, Math.min(column, this.#line.length));
      return true;
    }
    return false;
  }

  get #line(): string {
    return this.#lines[this.#row]!;
  }

  #setLine(line: string): void {
    this.#lines[this.#row] = line;
    this.#changed();
  }

  #changed(): void {
    this.#isChanged = true;
    this.#isCutting = false;
  }

  #left(): void {
    if (this.#column > 0) this.#column = boundary(this.#line, this.#column - 1);
    else if (this.#row > 0) {
      this.#row -= 1;
      this.#column = this.#line.length;
    }
  }

  #right(): void {
    if (this.#column < this.#line.length) {
      this.#column += characterAt(this.#line, this.#column).length;
    } else if (this.#row + 1 < this.#lines.length) {
      this.#row += 1;
      this.#column = 0;
    }
  }
}

const characterAt = (line: string, column: number): string =>
  String.fromCodePoint(line.codePointAt(column)!);

/** Before a character of two units, where the column is between them. */
function boundary(line: string, column: number): number {
  const isInside = column > 0 && characterAt(line, column - 1).length === 2;
  return isInside ? column - 1 : column;
}
