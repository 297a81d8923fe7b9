// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import { readKeys } from './keys.ts';
import { EditedText } from './text.ts';

test('a new line begins where the one before does, a tab is blanks', () => {
  const text = new EditedText('spec:');
  text.move('end', 1);
  text.breakLine();
  text.indent();
  text.insert('a: 1');
  text.breakLine();
  text.insert('b: 2');
  expect(text.text).toBe('spec:\n  a: 1\n  b: 2\n');
  expect(text.isChanged).toBe(true);
});

test('characters of two units are moved over and erased whole', () => {
  const text = new EditedText('a😀b');
  text.move('right', 1);
  text.move('right', 1);
  expect(text.cursor.column).toBe(3);
  text.eraseBack();
  expect(text.lines).toEqual(['ab']);
});

test('lines are joined at both of their ends', () => {
  const text = new EditedText('a\nb\nc');
  text.move('down', 1);
  text.eraseBack();
  text.move('end', 1);
  text.erase();
  expect(text.lines).toEqual(['abc']);
});

test('lines that are cut in a row are pasted in a row', () => {
  const text = new EditedText('a\nb\nc\n');
  text.cutLine();
  text.cutLine();
  text.move('last', 1);
  text.paste();
  expect(text.text).toBe('c\na\nb\n');
});

test('a search continues from the start', () => {
  const text = new EditedText('red\nblue\nRed');
  expect(text.find('red')).toBe(true);
  expect(text.cursor).toEqual({ row: 2, column: 0 });
  expect(text.find('red')).toBe(true);
  expect(text.cursor).toEqual({ row: 0, column: 0 });
  expect(text.find('green')).toBe(false);
});

test.each([
  ['\u001b[A', [{ kind: 'move', move: 'up' }], ''],
  ['\u001bOH', [{ kind: 'move', move: 'home' }], ''],
  ['\u001b[3~', [{ kind: 'delete' }], ''],
  [
    '\u001b[5~x',
    [
      { kind: 'move', move: 'page-up' },
      { kind: 'text', text: 'x' },
    ],
    '',
  ],
  ['\u001b[', [], '\u001b['],
  ['\u001b', [], '\u001b'],
  ['\u001bq', [{ kind: 'escape' }, { kind: 'text', text: 'q' }], ''],
  [
    'ü\u0013',
    [
      { kind: 'text', text: 'ü' },
      { kind: 'control', letter: 's' },
    ],
    '',
  ],
  ['\u001b[99;5u', [], ''],
])('keys of %j', (text, keys, rest) => {
  expect(readKeys(text)).toEqual({ keys, rest });
});
