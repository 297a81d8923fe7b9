// SPDX-License-Identifier: Apache-2.0
/**
 * Shows what a command prints a screen at a time. It only ever writes lines downwards, and so works on
 * every terminal and over a serial line; it starts nothing and reads no file.
 *
 *   space  next screen      enter  next line       b  back a screen
 *   /TEXT  next with TEXT   n  the next again      q  quit
 *
 * What was not shown yet is not asked for either: the command waits with the reader.
 */
import { Writable } from 'node:stream';
import { printable } from '../../lib/printable.ts';
import { characterWidth } from '../../lib/text-width.ts';
import { type Terminal, terminalSize } from '../terminal.ts';

/** Rows that can be shown again. */
const rowsKeptMax = 10_000;

export class Pager extends Writable {
  readonly #terminal: Terminal;
  readonly #rows: string[] = [];
  /** The row to be printed next. */
  #next = 0;
  /** Rows that may still be printed. */
  #room: number;
  /** Its line end has not come yet. */
  #partial = '';
  /** Gives the writer more room. */
  #release: (() => void) | undefined;
  #finish: (() => void) | undefined;
  #search: { readonly text: string; at: number } | undefined;
  #lastSearch = '';
  #stopKeys: (() => void) | undefined;
  /** What is typed behind `/`. */
  #typed: string | undefined;

  /** @param isFollowing - it has no end: lines are shown as they come */
  constructor(terminal: Terminal, isFollowing: boolean) {
    super({ decodeStrings: false });
    this.#terminal = terminal;
    this.#room = isFollowing ? Number.POSITIVE_INFINITY : this.#page;
    // An error ends it when the reader quits: so the command learns of it.
    this.on('error', () => {});
  }

  override _write(chunk: string | Buffer, _encoding: string, done: () => void): void {
    const lines = (this.#partial + printable(chunk.toString())).split('\n');
    this.#partial = lines.pop()!;
    for (const line of lines)
      this.#rows.push(...rowsOf(line, terminalSize(this.#terminal).columns));
    this.#release = done;
    this.#pump();
  }

  override _final(done: () => void): void {
    if (this.#partial !== '') this.#rows.push(this.#partial);
    this.#partial = '';
    this.#finish = done;
    this.#pump();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#resume();
    done(error);
  }

  get #page(): number {
    return Math.max(1, terminalSize(this.#terminal).rows - 1);
  }

  #pump(): void {
    if (this.#stopKeys) return;
    if (this.#search && !this.#found(this.#search)) return;
    while (this.#next < this.#rows.length && this.#room > 0) {
      this.#terminal.output.write(`${this.#rows[this.#next]}\n`);
      this.#next += 1;
      this.#room -= 1;
    }
    if (this.#next < this.#rows.length) {
      this.#pause('');
      return;
    }
    const surplus = this.#rows.length - rowsKeptMax;
    if (surplus > 0) {
      this.#rows.splice(0, surplus);
      this.#next -= surplus;
    }
    this.#more();
  }

  /** Asks for more, or says that all was shown. */
  #more(): void {
    const next = this.#finish ?? this.#release;
    this.#release = undefined;
    next?.();
  }

  /** @returns false: not among the rows so far */
  #found(search: { readonly text: string; at: number }): boolean {
    const wanted = search.text.toLowerCase();
    while (search.at < this.#rows.length) {
      if (this.#rows[search.at]!.toLowerCase().includes(wanted)) {
        this.#next = search.at;
        this.#room = this.#page;
        this.#search = undefined;
        return true;
      }
      search.at += 1;
    }
    if (this.#finish) {
      this.#search = undefined;
      this.#pause('not found ');
    } else this.#more();
    return false;
  }

  #pause(note: string): void {
    this.#status(`-- ${note}more -- (space, enter, b, /text, q) `);
    this.#stopKeys ??= this.#terminal.keyboard.read((text) => {
      for (const [at, key] of [...text].entries()) {
        if (!this.#stopKeys) return [...text].slice(at).join('');
        this.#key(key);
      }
      return '';
    });
  }

  #resume(): void {
    this.#status('');
    this.#stopKeys?.();
    this.#stopKeys = undefined;
  }

  #statusWidth = 0;

  #status(text: string): void {
    if (text === '' && this.#statusWidth === 0) return;
    this.#terminal.output.write(`\r${' '.repeat(this.#statusWidth)}\r${text}`);
    this.#statusWidth = text.length;
  }

  #key(key: string): void {
    if (this.#typed !== undefined) {
      this.#searchKey(key, this.#typed);
      return;
    }
    if (key === 'q' || key === 'Q' || key === '\u0003' || key === '\u0004') {
      this.destroy(new Error('the reader has quit'));
    } else if (key === ' ' || key === 'f') this.#show(this.#next, this.#page);
    else if (key === '\r' || key === '\n' || key === 'j') this.#show(this.#next, 1);
    else if (key === 'b') this.#show(Math.max(0, this.#next - 2 * this.#page), this.#page);
    else if (key === 'n' && this.#lastSearch !== '') this.#find(this.#lastSearch);
    else if (key === '/') {
      this.#typed = '';
      this.#status('/');
    }
  }

  #searchKey(key: string, typed: string): void {
    if (key === '\r' || key === '\n') {
      this.#typed = undefined;
      if (typed === '') this.#pause('');
      else this.#find(typed);
      return;
    }
    if (key === '\u0003' || key === '\u001b') {
      this.#typed = undefined;
      this.#pause('');
      return;
    }
    const isErasing = key === '\u007f' || key === '\b';
    this.#typed = isErasing ? typed.slice(0, -1) : printable(typed + key);
    this.#status(`/${this.#typed}`);
  }

  #find(text: string): void {
    this.#lastSearch = text;
    this.#search = { text, at: this.#next };
    this.#resume();
    this.#pump();
  }

  #show(from: number, rows: number): void {
    this.#next = from;
    this.#room = rows;
    this.#resume();
    this.#pump();
  }
}

/** A line, broken where the terminal would. */
function rowsOf(line: string, columns: number): string[] {
  const rows = [''];
  let width = 0;
  for (const character of line.replaceAll('\t', '        ')) {
    width += characterWidth(character);
    if (width > columns) {
      rows.push('');
      width = characterWidth(character);
    }
    rows[rows.length - 1] += character;
  }
  return rows;
}
