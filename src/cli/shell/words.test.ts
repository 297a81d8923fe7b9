// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import { quoted, splitLine, splitWords } from './words.ts';

test.each([
  ['', []],
  ['  show\tnetworks  ', ['show', 'networks']],
  [`a 'b  c' "d \\" e" f\\ g`, ['a', 'b  c', 'd " e', 'f g']],
  [`''`, ['']],
  [`a'b'"c"`, ['abc']],
  [`'\\n' "\\n"`, ['\\n', '\\n']],
  ['$HOME `id` $(id) *;|>&', ['$HOME', '`id`', '$(id)', '*;|>&']],
  ['a\\', ['a\\']],
])('%j', (line, words) => {
  expect(splitWords(line)).toEqual({ ok: true, value: words });
});

test.each([
  [`a 'b`, "the quote ' is not closed"],
  ['a\nb', 'control character'],
  ['a\u0000b', 'control character'],
  ['a\u009bb', 'control character'],
  ['a'.repeat(16_385), 'longer than'],
  ['a '.repeat(257), 'more than 256 words'],
])('%j is refused', (line, what) => {
  expect(splitWords(line)).toMatchObject({ ok: false, fault: expect.stringContaining(what) });
});

test('a line that is being typed', () => {
  expect(splitLine('show "a b')).toMatchObject({
    value: { words: ['show', 'a b'], starts: [0, 5], isOpen: true, quote: '"' },
  });
  expect(splitLine('show ')).toMatchObject({ value: { words: ['show'], isOpen: false } });
});

test.each([['a'], ['a b'], [''], ['say "a"'], ["it's"], ['a\\b']])(
  '%j quoted is read again',
  (word) => {
    expect(splitWords(quoted(word))).toEqual({ ok: true, value: [word] });
  },
);
