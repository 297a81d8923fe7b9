// SPDX-License-Identifier: Apache-2.0
/**
 * Reads the YAML that manifests are written in, in one pass over the text and about a twentieth of
 * the `yaml` package's time (docs/adr/0004-libraries.md).
 *
 * It knows block mappings and lists, flow collections and plain and quoted scalars on one line, block
 * scalars, and comments. Whatever else comes (anchors, tags, folded lines, tabs, carriage
 * returns, directives, and every mistake) it leaves to the package by returning undefined, so it needs
 * no messages: it must never take what the package would refuse, or read it otherwise
 * (plain.property.test.ts compares the two). Escapes and block scalars are the package's own
 * functions.
 *
 * YAML 1.2.2 §6 to §8.
 */
import type { Location } from '../../model/model.ts';
import type { ListValue, MapEntry, MapValue, ScalarValue, Value } from './located.ts';
import { decodeBlockScalar, decodeQuoted, meaningOf } from './scalars.ts';

export interface PlainDocument {
  /** undefined: nothing but comments. */
  readonly root: MapValue | undefined;
  /** Where the next document's `---` stands, or the end of the text. */
  readonly end: number;
  /** Of `end`, from 1. */
  readonly endLine: number;
}

/**
 * @param start - a `---` at the start of a line, or the start of the text
 * @param line - of `start`, from 1
 * @returns undefined for a document that is not plain
 */
export function readPlain(
  file: string,
  text: string,
  start: number,
  line: number,
): PlainDocument | undefined {
  return new PlainReader(file, text, start, line).document();
}

/** Whether a line `---` stands there: it divides documents, be it in a quoted text or a list. */
export function isDivider(text: string, offset: number): boolean {
  return text.startsWith('---', offset) && /^[ \t\r\n]?$/.test(text.charAt(offset + 3));
}

/** Levels of nesting; documents.ts allows more, and reports what exceeds them. */
const depthMax = 64;
/** YAML 1.2.2 §7.4.2: a key and its colon stand within 1024 characters. */
const keyCharsMax = 1000;

const [newline, space, doubleQuote, singleQuote] = [0x0a, 0x20, 0x22, 0x27];
const [hash, percent] = [0x23, 0x25];
const [comma, dash, colon, angle, backslash, bar] = [0x2c, 0x2d, 0x3a, 0x3e, 0x5c, 0x7c];
const [bracketOpen, bracketClose, braceOpen, braceClose] = [0x5b, 0x5d, 0x7b, 0x7d];
const byteOrderMark = 0xfeff;

/** Characters, by what they mean to a plain scalar. */
const startsNone = 1;
const endsInFlow = 2;
const classes = new Uint8Array(0x80);
for (let code = 0; code <= space; code += 1) classes[code] = startsNone;
for (const char of '#&*!|>\'"%@`?:') classes[char.charCodeAt(0)] = startsNone;
for (const char of ',[]{}') classes[char.charCodeAt(0)] = startsNone | endsInFlow;

class PlainReader {
  readonly #file: string;
  readonly #text: string;
  #pos: number;
  #line: number;
  #lineStart: number;
  /** Of the line that is read next, in columns; -1 at the end of the document. */
  #indent = 0;

  constructor(file: string, text: string, start: number, line: number) {
    this.#file = file;
    this.#text = text;
    this.#pos = start;
    this.#line = line;
    this.#lineStart = start;
  }

  document(): PlainDocument | undefined {
    if (isDivider(this.#text, this.#pos)) {
      this.#pos += 3;
      if (!this.#endLine()) return undefined;
    } else if (!this.#findContent()) {
      return undefined;
    }
    let root: MapValue | undefined;
    if (this.#indent >= 0) {
      const value = this.#blockNode(this.#indent, -1, 0);
      if (value?.kind !== 'map' || this.#indent >= 0) return undefined;
      root = value;
    }
    return { root, end: this.#pos, endLine: this.#line };
  }

  /** Ends a line behind its last value, and finds the next. @returns false: not plain */
  #endLine(): boolean {
    const from = this.#pos;
    this.#skipSpaces();
    if (this.#code() === hash && this.#pos > from) this.#skipComment();
    if (this.#pos < this.#text.length) {
      if (this.#code() !== newline) return false;
      this.#startLine();
    }
    return this.#findContent();
  }

  /** From the start of a line to its text, or to that of a later one. @returns false: not plain */
  #findContent(): boolean {
    for (;;) {
      this.#skipSpaces();
      if (this.#pos >= this.#text.length) {
        this.#indent = -1;
        return true;
      }
      if (this.#code() === hash) this.#skipComment();
      else if (this.#code() !== newline) break;
      if (this.#pos < this.#text.length) this.#startLine();
    }
    this.#indent = this.#pos - this.#lineStart;
    if (this.#indent > 0) return true;
    if (isDivider(this.#text, this.#pos)) {
      this.#indent = -1;
      return true;
    }
    return this.#code() !== percent && !this.#text.startsWith('...', this.#pos);
  }

  /** From the end of a line to the start of the next. */
  #startLine(): void {
    this.#pos += 1;
    this.#line += 1;
    this.#lineStart = this.#pos;
  }

  /**
   * A value that begins on a line of its own, or behind a dash.
   *
   * @param column - where it begins
   * @param parent - the indent of what it belongs to
   */
  #blockNode(column: number, parent: number, depth: number): Value | undefined {
    if (depth > depthMax) return undefined;
    if (this.#isDash()) return this.#blockList(column, depth);
    const code = this.#code();
    if (code === bar || code === angle) return this.#blockScalar(parent);
    const start = this.#pos;
    const value = this.#inline(false, depth);
    if (value === undefined) return undefined;
    if (this.#code() !== colon) return this.#endLine() ? value : undefined;
    if (value.kind !== 'scalar') return undefined;
    this.#pos = start;
    return this.#blockMap(column, depth);
  }

  #blockMap(column: number, depth: number): MapValue | undefined {
    const at = this.#at();
    const entries = new Map<string, MapEntry>();
    do {
      const keyAt = this.#at();
      const key = this.#key(false);
      if (key === undefined || entries.has(key)) return undefined;
      const value = this.#entryValue(column, keyAt, depth + 1);
      if (value === undefined) return undefined;
      entries.set(key, { keyAt, value });
    } while (this.#indent === column);
    return this.#indent < column ? { kind: 'map', at, entries } : undefined;
  }

  /** What stands behind a key and its colon. @param column - of the key */
  #entryValue(column: number, keyAt: Location, depth: number): Value | undefined {
    this.#skipSpaces();
    const code = this.#code();
    if (code === bar || code === angle) return this.#blockScalar(column);
    if (this.#isLineOver(code)) {
      if (!this.#endLine()) return undefined;
      if (this.#indent > column) return this.#blockNode(this.#indent, column, depth);
      if (this.#indent === column && this.#isDash()) return this.#blockList(column, depth);
      return { kind: 'scalar', at: keyAt, value: null, text: '' };
    }
    const value = this.#inline(false, depth);
    return value !== undefined && this.#endLine() ? value : undefined;
  }

  #blockList(column: number, depth: number): ListValue | undefined {
    const at = this.#at();
    const items: Value[] = [];
    do {
      this.#pos += 1;
      this.#skipSpaces();
      let itemColumn = this.#pos - this.#lineStart;
      if (this.#isLineOver(this.#code())) {
        if (!this.#endLine() || this.#indent <= column) return undefined;
        itemColumn = this.#indent;
      }
      const item = this.#blockNode(itemColumn, column, depth + 1);
      if (item === undefined) return undefined;
      items.push(item);
    } while (this.#indent === column && this.#isDash());
    return this.#indent <= column ? { kind: 'list', at, items } : undefined;
  }

  /**
   * `|` and `>`, with `-` or without. The text begins at once, deeper than its parent, and ends before
   * a line that is no deeper than that.
   */
  #blockScalar(parent: number): ScalarValue | undefined {
    const at = this.#at();
    const headerStart = this.#pos;
    this.#pos += this.#code(1) === dash ? 2 : 1;
    const header = this.#text.slice(headerStart, this.#pos);
    this.#skipSpaces();
    if (this.#code() !== newline) return undefined;
    const bodyStart = this.#pos + 1;
    let bodyEnd = bodyStart;
    let indent = -1;
    for (;;) {
      this.#startLine();
      this.#skipSpaces();
      const column = this.#pos - this.#lineStart;
      if (this.#pos >= this.#text.length) break;
      if (this.#code() === newline) {
        // Spaces there may be text; before the first line, they may be a mistake.
        if (column > 0 || indent === -1) return undefined;
        continue;
      }
      if (indent === -1) indent = column;
      if (column < indent || indent <= parent) break;
      const lineEnd = this.#text.indexOf('\n', this.#pos);
      if (lineEnd === -1) return undefined;
      this.#pos = lineEnd;
      bodyEnd = lineEnd + 1;
    }
    if (indent <= parent) return undefined;
    this.#pos = this.#lineStart;
    const body = this.#text.slice(bodyStart, bodyEnd);
    if (/[\t\r]/.test(body) || !this.#findContent() || this.#indent > parent) return undefined;
    const text = decodeBlockScalar(header, parent, body);
    return text === undefined ? undefined : { kind: 'scalar', at, value: text, text };
  }

  /** A value within a line. It ends behind its last character. */
  #inline(isInFlow: boolean, depth: number): Value | undefined {
    const code = this.#code();
    if (code === braceOpen) return this.#flowMap(depth);
    if (code === bracketOpen) return this.#flowList(depth);
    const at = this.#at();
    if (code === doubleQuote || code === singleQuote) {
      const text = this.#quoted(code);
      return text === undefined ? undefined : { kind: 'scalar', at, value: text, text };
    }
    const text = this.#plain(isInFlow);
    return text === undefined ? undefined : { kind: 'scalar', at, value: meaningOf(text), text };
  }

  #flowMap(depth: number): MapValue | undefined {
    if (depth > depthMax) return undefined;
    const map = { kind: 'map', at: this.#at(), entries: new Map<string, MapEntry>() } as const;
    if (this.#isEmptyFlow(braceClose)) return map;
    do {
      this.#skipSpaces();
      const keyAt = this.#at();
      const key = this.#key(true);
      if (key === undefined || map.entries.has(key)) return undefined;
      this.#skipSpaces();
      const value = this.#inline(true, depth + 1);
      if (value === undefined) return undefined;
      map.entries.set(key, { keyAt, value });
    } while (this.#isFollowed());
    return this.#code(-1) === braceClose ? map : undefined;
  }

  #flowList(depth: number): ListValue | undefined {
    if (depth > depthMax) return undefined;
    const list = { kind: 'list', at: this.#at(), items: [] as Value[] } as const;
    if (this.#isEmptyFlow(bracketClose)) return list;
    do {
      this.#skipSpaces();
      const item = this.#inline(true, depth + 1);
      if (item === undefined) return undefined;
      list.items.push(item);
    } while (this.#isFollowed());
    return this.#code(-1) === bracketClose ? list : undefined;
  }

  /** Takes an opening bracket, and the closing one when nothing is between them. */
  #isEmptyFlow(close: number): boolean {
    this.#pos += 1;
    this.#skipSpaces();
    if (this.#code() !== close) return false;
    this.#pos += 1;
    return true;
  }

  /** Takes the character behind an item of a flow collection. @returns whether it is a comma */
  #isFollowed(): boolean {
    this.#skipSpaces();
    this.#pos += 1;
    return this.#code(-1) === comma;
  }

  /** A key and its colon. `<<` is refused elsewhere. */
  #key(isInFlow: boolean): string | undefined {
    const start = this.#pos;
    const code = this.#code();
    const isQuoted = code === doubleQuote || code === singleQuote;
    const key = isQuoted ? this.#quoted(code) : this.#plain(isInFlow);
    if (key === undefined || key === '<<' || this.#pos - start > keyCharsMax) return undefined;
    if (this.#code() !== colon) return undefined;
    // In a flow, as in JSON, a quoted key needs no space behind its colon.
    const needsSpace = !(isInFlow && isQuoted);
    if (needsSpace && !this.#endsIndicator(this.#pos + 1, false)) return undefined;
    this.#pos += 1;
    return key;
  }

  /** A quoted scalar that ends on its line. */
  #quoted(quote: number): string | undefined {
    const text = this.#text;
    const start = this.#pos;
    let hasEscapes = false;
    let pos = start + 1;
    for (;;) {
      const code = text.charCodeAt(pos);
      if (!(code >= space)) return undefined;
      const isEscape =
        quote === doubleQuote
          ? code === backslash
          : code === singleQuote && text.charCodeAt(pos + 1) === singleQuote;
      if (code === quote && !isEscape) break;
      hasEscapes ||= isEscape;
      pos += isEscape ? 2 : 1;
    }
    this.#pos = pos + 1;
    return hasEscapes ? decodeQuoted(text.slice(start, this.#pos)) : text.slice(start + 1, pos);
  }

  /** A plain scalar that ends on its line, without the spaces behind it. */
  #plain(isInFlow: boolean): string | undefined {
    const text = this.#text;
    const start = this.#pos;
    const first = text.charCodeAt(start);
    if (first === byteOrderMark || (classes[first] ?? 0) & startsNone) return undefined;
    if (first === dash && this.#endsIndicator(start + 1, isInFlow)) return undefined;
    let end = start;
    let pos = start;
    for (; pos < text.length; pos += 1) {
      const code = text.charCodeAt(pos);
      if (code === space) {
        if (text.charCodeAt(pos + 1) === hash) break;
        continue;
      }
      if (code < space) {
        if (code === newline) break;
        return undefined;
      }
      if (code === colon && this.#endsIndicator(pos + 1, isInFlow)) break;
      if (isInFlow && (classes[code] ?? 0) & endsInFlow) break;
      end = pos + 1;
    }
    this.#pos = pos;
    return text.slice(start, end);
  }

  /** Whether a dash or colon before it is an indicator, and no part of a plain scalar. */
  #endsIndicator(offset: number, isInFlow: boolean): boolean {
    if (offset >= this.#text.length) return true;
    const code = this.#text.charCodeAt(offset);
    return code <= space || (isInFlow && ((classes[code] ?? 0) & endsInFlow) !== 0);
  }

  /** Whether a line has no more than a comment. The character before is a space or an indicator. */
  #isLineOver(code: number): boolean {
    return code === newline || code === hash || this.#pos >= this.#text.length;
  }

  #isDash(): boolean {
    return this.#code() === dash && this.#endsIndicator(this.#pos + 1, false);
  }

  #skipSpaces(): void {
    while (this.#code() === space) this.#pos += 1;
  }

  #skipComment(): void {
    const end = this.#text.indexOf('\n', this.#pos);
    this.#pos = end === -1 ? this.#text.length : end;
  }

  /** NaN behind the end. */
  #code(ahead = 0): number {
    return this.#text.charCodeAt(this.#pos + ahead);
  }

  #at(): Location {
    return { file: this.#file, line: this.#line, column: this.#pos - this.#lineStart + 1 };
  }
}
