// SPDX-License-Identifier: Apache-2.0
/**
 * An editor of one text, for the login shell (ADR 14): it knows no file, no program and no setting, so
 * that there is nothing to break out to. Its caller reads and saves the text.
 */
import type { Terminal } from '../terminal.ts';
import { type Key, readKeys } from './keys.ts';
import { Screen } from './screen.ts';
import { EditedText } from './text.ts';

export interface Edited {
  readonly name: string;
  readonly text: string;
  /** @returns what is wrong; undefined: it is saved */
  readonly save: (text: string) => Promise<string | undefined>;
}

const help = '^S save  ^X quit  ^W search  ^K cut line  ^U paste  ^A ^E start, end of line';

/** @returns when the user quits */
export function edit(terminal: Terminal, edited: Edited): Promise<void> {
  return new Promise((resolve) => {
    const editor = new Editor(terminal, edited, () => {
      stopKeys();
      resolve();
    });
    const stopKeys = terminal.keyboard.read((text) => editor.take(text));
  });
}

/** What the row of the status asks for, until it is answered. */
type Question =
  | { readonly kind: 'search'; readonly typed: string }
  | { readonly kind: 'quit' }
  | undefined;

class Editor {
  readonly #terminal: Terminal;
  readonly #edited: Edited;
  readonly #text: EditedText;
  readonly #screen: Screen;
  readonly #done: () => void;
  readonly #onResize = (): void => this.#draw();
  #question: Question;
  #note = '';
  #searched = '';
  #isSaving = false;

  constructor(terminal: Terminal, edited: Edited, done: () => void) {
    this.#terminal = terminal;
    this.#edited = edited;
    this.#text = new EditedText(edited.text);
    this.#screen = new Screen(terminal);
    this.#done = done;
    terminal.output.on('resize', this.#onResize);
    this.#screen.open();
    this.#draw();
  }

  /** @returns what is to come again: keys during a save, the beginning of a sequence */
  take(text: string): string {
    if (this.#isSaving) return text;
    const { keys, rest } = readKeys(text);
    const isPasted = keys.length > 1 || (keys[0]?.kind === 'text' && keys[0].text.length > 1);
    for (const [index, key] of keys.entries()) {
      this.#key(key, isPasted);
      if (this.#isSaving) return unread(keys.slice(index + 1)) + rest;
    }
    if (!this.#isClosed) this.#draw();
    return rest;
  }

  #isClosed = false;

  #key(key: Key, isPasted: boolean): void {
    this.#note = '';
    if (this.#question?.kind === 'search') this.#searchKey(key, this.#question.typed);
    else if (this.#question?.kind === 'quit') this.#quitKey(key);
    else if (key.kind === 'move') this.#text.move(key.move, this.#screen.pageRows);
    else if (key.kind === 'text') this.#text.insert(key.text);
    // The lines of a paste have their own indentation.
    else if (key.kind === 'enter' && isPasted) this.#text.insert('\n');
    else if (key.kind === 'enter') this.#text.breakLine();
    else if (key.kind === 'tab') this.#text.indent();
    else if (key.kind === 'backspace') this.#text.eraseBack();
    else if (key.kind === 'delete') this.#text.erase();
    else if (key.kind === 'control') this.#control(key.letter);
  }

  #control(letter: string): void {
    if (letter === 's' || letter === 'o') void this.#save(false);
    else if (letter === 'x' || letter === 'c' || letter === 'q') this.#quit();
    else if (letter === 'w' || letter === 'f') this.#question = { kind: 'search', typed: '' };
    else if (letter === 'k') this.#text.cutLine();
    else if (letter === 'u') this.#text.paste();
    else if (letter === 'd') this.#text.erase();
    else if (letter === 'a') this.#text.move('home', 1);
    else if (letter === 'e') this.#text.move('end', 1);
    else this.#note = help;
  }

  #quit(): void {
    if (this.#text.isChanged) this.#question = { kind: 'quit' };
    else this.#close();
  }

  #quitKey(key: Key): void {
    const answer = key.kind === 'text' ? key.text[0]!.toLowerCase() : key.kind;
    if (answer === 'y') void this.#save(true);
    else if (answer === 'n') this.#close();
    if ('yn'.includes(answer) || answer === 'c' || answer === 'escape') this.#question = undefined;
  }

  #searchKey(key: Key, typed: string): void {
    if (key.kind === 'text') this.#question = { kind: 'search', typed: typed + key.text };
    else if (key.kind === 'backspace') {
      this.#question = { kind: 'search', typed: typed.slice(0, -1) };
    } else {
      this.#question = undefined;
      if (key.kind !== 'enter') return;
      this.#searched = typed || this.#searched;
      if (this.#searched === '') return;
      if (!this.#text.find(this.#searched)) this.#note = `There is no ${this.#searched}.`;
    }
  }

  async #save(isLast: boolean): Promise<void> {
    this.#isSaving = true;
    this.#note = 'saving …';
    this.#draw();
    const trouble = await this.#edited.save(this.#text.text);
    if (trouble === undefined) this.#text.markSaved();
    this.#note = trouble ?? 'saved; egret apply brings it into force';
    this.#isSaving = false;
    if (isLast && trouble === undefined) this.#close();
    else this.#draw();
    this.#terminal.keyboard.wake();
  }

  #close(): void {
    this.#isClosed = true;
    this.#terminal.output.off('resize', this.#onResize);
    this.#screen.close();
    this.#done();
  }

  #draw(): void {
    const { row } = this.#text.cursor;
    const place = `line ${row + 1} of ${this.#text.lines.length}`;
    const changed = this.#text.isChanged ? ', changed' : '';
    let status = this.#note || `${this.#edited.name}: ${place}${changed}`;
    if (this.#question?.kind === 'search') status = `Search: ${this.#question.typed}`;
    if (this.#question?.kind === 'quit') status = 'Save what was changed? y yes, n no, c back ';
    this.#screen.draw(this.#text, status, help, this.#question !== undefined);
  }
}

/** Keys as they came, as far as a paste can hold them. */
function unread(keys: readonly Key[]): string {
  const texts = { enter: '\r', tab: '\t', backspace: '\u007f', delete: '\u001b[3~', escape: '' };
  return keys
    .map((key) => {
      if (key.kind === 'text') return key.text;
      if (key.kind === 'control') return String.fromCharCode(key.letter.charCodeAt(0) - 96);
      return key.kind === 'move' ? '' : texts[key.kind];
    })
    .join('');
}
