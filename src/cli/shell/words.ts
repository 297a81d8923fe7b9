// SPDX-License-Identifier: Apache-2.0
/**
 * A line of text → words, as an operator quotes them. Nothing is expanded: `$`, `*`, `;`, `|`, `>` and
 * the rest of a shell's signs are letters like any other, and so part of a word that no command has.
 *
 *   a\ b   'a b'   "a b"   "say \"a\""     '…' keeps every character; in "…" only " and \ need a \ before
 */
import { fail, ok, type Result } from '../../lib/result.ts';

/** No command is longer; what is to be longer comes on standard input. */
const lineLengthMax = 16_384;
const wordsMax = 256;

export interface Line {
  readonly words: readonly string[];
  /** Where each word begins in the text. */
  readonly starts: readonly number[];
  /** The last word may be longer yet: no blank follows it, or a quote is open. */
  readonly isOpen: boolean;
}

type Quote = '"' | "'" | undefined;

/** @returns the words; or what is wrong with the line. Never throws. */
export function splitWords(text: string): Result<readonly string[], string> {
  const line = splitLine(text);
  if (!line.ok) return line;
  return line.value.quote === undefined
    ? ok(line.value.words)
    : fail(`the quote ${line.value.quote} is not closed`);
}

/** The same of a line that is being typed: its last quote may be open. */
export function splitLine(text: string): Result<Line & { readonly quote: Quote }, string> {
  if (text.length > lineLengthMax) return fail(`the command is longer than ${lineLengthMax}`);
  if (/[^\P{Cc}\t]/u.test(text)) return fail('the command holds a control character');
  const words: string[] = [];
  const starts: number[] = [];
  let word: string | undefined;
  let quote: Quote;
  const add = (at: number, character: string): void => {
    if (word === undefined) starts.push(at);
    word = (word ?? '') + character;
  };
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at]!;
    const next = text[at + 1];
    const isEscape = character === '\\' && next !== undefined;
    if (quote === undefined && (character === ' ' || character === '\t')) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if (character === quote) quote = undefined;
    else if (quote === undefined && (character === '"' || character === "'")) {
      quote = character;
      add(at, ''); // '' is a word, too.
    } else if (isEscape && (quote === undefined || (quote === '"' && /["\\]/.test(next)))) {
      add(at, next);
      at += 1;
    } else add(at, character);
  }
  const isOpen = word !== undefined;
  if (word !== undefined) words.push(word);
  if (words.length > wordsMax) return fail(`the command has more than ${wordsMax} words`);
  return ok({ words, starts, isOpen, quote });
}

/** A word as splitWords reads it again. */
export function quoted(word: string): string {
  if (/^[^\s"'\\]+$/.test(word)) return word;
  return `"${word.replace(/["\\]/g, '\\$&')}"`;
}
