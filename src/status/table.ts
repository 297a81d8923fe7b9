// SPDX-License-Identifier: Apache-2.0
/** Text tables: aligned columns, a header in capitals, numbers to the right. */

export interface Column<Row> {
  /** Header; units belong in it. */
  readonly title: string;
  readonly text: (row: Row) => string;
  readonly isNumber?: boolean;
}

/**
 * Formats rows under the columns' headers.
 *
 * @param widths - minimum widths, from an earlier chunk of the same table; grown in place
 * @returns lines without a header when `widths` was given non-empty
 */
export function formatTable<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  widths: number[] = [],
): string {
  const isFirst = widths.length === 0;
  const cells = rows.map((row) => columns.map((column) => onOneLine(column.text(row))));
  columns.forEach((column, i) => {
    const longest = Math.max(column.title.length, ...cells.map((row) => row[i]!.length));
    widths[i] = Math.max(widths[i] ?? 0, longest);
  });
  const line = (row: readonly string[]): string =>
    row
      .map((cell, i) =>
        columns[i]!.isNumber ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!),
      )
      .join('  ')
      .trimEnd();
  const lines = cells.map(line);
  if (isFirst) lines.unshift(line(columns.map((column) => column.title)));
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`;
}

/** What would break lines and columns, or speak to a terminal: names of policies are selectors. */
export const onOneLine = (text: string): string => text.replace(/\p{Cc}/gu, ' ');

export const yesNo = (value: boolean): string => (value ? 'yes' : 'no');
export const orDash = (text: string | null | undefined): string => text || '-';
export const listText = (items: readonly string[]): string =>
  items.length > 0 ? items.join(',') : '-';

/** Milliseconds as an operator reads them: 850ms, 12s, 4m10s, 3h05m, 2d03h. */
export function formatDuration(ms: number): string {
  if (ms < 1000) return `${Math.max(0, Math.round(ms))}ms`;
  const s = Math.floor(ms / 1000);
  if (s < 60) return `${s}s`;
  if (s < 3600) return `${Math.floor(s / 60)}m${two(s % 60)}s`;
  if (s < 86_400) return `${Math.floor(s / 3600)}h${two(Math.floor(s / 60) % 60)}m`;
  return `${Math.floor(s / 86_400)}d${two(Math.floor(s / 3600) % 24)}h`;
}

const two = (value: number): string => String(value).padStart(2, '0');
