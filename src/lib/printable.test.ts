// SPDX-License-Identifier: Apache-2.0
import { PassThrough } from 'node:stream';
import { finished } from 'node:stream/promises';
import { expect, test } from 'vitest';
import { onOneLine, printable, printableStream } from './printable.ts';

test.each([
  ['\u001b]0;title\u0007', '\\u001b]0;title\\u0007'],
  ['\u009b31m', '\\u009b31m'],
  ['a\r\nb\rc\td\n', 'a\nb\\u000dc\td\n'],
  ['name\u202etxt.exe', 'name\\u202etxt.exe'],
  ['naïve 網路 …', 'naïve 網路 …'],
])('%j is shown as %j', (text, shown) => {
  expect(printable(text)).toBe(shown);
});

test('a name stays on its line', () => {
  expect(onOneLine('a\nb\tc\u001bd')).toBe('a b c d');
});

test('JSON means the same afterwards', () => {
  const value = { name: 'a\u009bb\u2028c' };
  expect(JSON.parse(printable(JSON.stringify(value)))).toEqual(value);
});

test('a stream is cleaned, also when bytes of a character come apart', async () => {
  const target = new PassThrough({ encoding: 'utf8' });
  const stream = printableStream(target);
  const bytes = Buffer.from('ü\u009b');
  for (const byte of bytes) stream.write(Buffer.from([byte]));
  stream.end();
  await finished(stream);
  expect(target.read()).toBe('ü\\u009b');
});
