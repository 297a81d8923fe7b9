// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import { textWidth } from '../lib/text-width.ts';
import { type Column, formatDuration, formatTable, TablePrinter } from './table.ts';

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

test('a later piece keeps the widths of the first and has no header', () => {
  const table = new TablePrinter(columns);
  table.print([{ name: 'long-name', n: 1 }]);
  expect(table.print([{ name: 'x', n: 2 }])).toBe('x          2\n');
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

interface Wide {
  readonly name: string;
  readonly reason: string;
}

const wide: Column<Wide>[] = [
  { title: 'NAME', text: (row) => row.name },
  { title: 'COUNT', text: () => '12345', isNumber: true, isExtra: true },
  { title: 'WARNING', text: () => '-' },
  { title: 'REASON', text: (row) => row.reason },
];
const reason = 'no neighbor is up: 172.16.2.1 is Idle';

test('a narrow table leaves out what says nothing, then what is extra, and shortens the longest', () => {
  const rows = [{ name: 'red', reason }];
  expect(formatTable(wide, rows, 80)).toContain('WARNING');
  expect(formatTable(wide, rows, 40)).toBe(
    'NAME  COUNT  REASON\nred   12345  no neighbor is up: 172.16.…\n',
  );
  expect(formatTable(wide, rows, 18)).toBe('NAME  REASON\nred   no neighbor…\n');
});

test.each([200, 80, 40, 20])('no line is wider than %d columns, all are aligned', (width) => {
  const table = new TablePrinter(wide, width);
  const names = ['red', 'a-network-with-a-rather-long-name', '網路一二三', 'e\u0301galite\u0301'];
  const text =
    table.print(names.map((name) => ({ name, reason }))) +
    table.print([{ name: 'x'.repeat(300), reason: reason.repeat(9) }]);
  const lines = text.trimEnd().split('\n');
  expect(lines).toHaveLength(6);
  expect(Math.max(...lines.map(textWidth))).toBeLessThanOrEqual(width);
  const starts = lines.slice(1).map((line) => textWidth(line.split(/no neigh|no …/)[0]!));
  if (width >= 40) expect(new Set(starts).size).toBe(1);
});
