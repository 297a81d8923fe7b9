// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import { formatDuration, formatTable } from './table.ts';

const columns = [
  { title: 'NAME', text: (row: { name: string; n: number }) => row.name },
  { title: 'N', text: (row: { name: string; n: number }) => String(row.n), isNumber: true },
];

test('columns are aligned, numbers to the right, nothing trails', () => {
  expect(
    formatTable(columns, [
      { name: 'red', n: 5 },
      { name: 'b', n: 500 },
    ]),
  ).toBe('NAME    N\nred     5\nb     500\n');
});

test('a later chunk keeps the widths of the first and has no header', () => {
  const widths: number[] = [];
  formatTable(columns, [{ name: 'long-name', n: 1 }], widths);
  expect(formatTable(columns, [{ name: 'x', n: 2 }], widths)).toBe('x          2\n');
});

test('durations read as operators write them', () => {
  expect([850, 12_000, 250_000, 11_100_000, 183_600_000].map(formatDuration)).toEqual([
    '850ms',
    '12s',
    '4m10s',
    '3h05m',
    '2d03h',
  ]);
});

test('what a terminal would obey is blank', () => {
  const row = { name: "{a == '\u001b[31m\0'\t&& b}", n: 1 };
  expect(formatTable(columns.slice(0, 1), [row])).toBe("NAME\n{a == ' [31m ' && b}\n");
});
