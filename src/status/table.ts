// SPDX-License-Identifier: Apache-2.0
/**
 * Text tables: aligned columns, a header in capitals, numbers to the right. On a terminal that is too
 * narrow, columns are left out and texts shortened; alignment is kept in any case.
 */
import { onOneLine } from '../lib/printable.ts';
import { padEnd, padStart, shortened, textWidth } from '../lib/text-width.ts';

export interface Column<Row> {
  /** Header; units belong in it. */
  readonly title: string;
  readonly text: (row: Row) => string;
  readonly isNumber?: boolean;
  /** Left out before others where there is no room. */
  readonly isExtra?: boolean;
  /** A text is shortened to as many columns, if it has more; default 10. */
  readonly widthMin?: number;
}

/** Column.widthMin of what means something else when it is cut: addresses, prefixes. */
export const isWhole = Number.POSITIVE_INFINITY;

const widthMinDefault = 10;
const gap = '  ';

/**
 * Prints a table that comes in pieces: the first piece decides which columns are shown.
 *
 * Without a limit, columns grow with later pieces. With one, later texts are shortened to the widths
 * of the first piece; the last column has what is left of the line. Numbers are never shortened: they
 * may make a line longer than the limit.
 */
export class TablePrinter<Row> {
  readonly #columns: readonly Column<Row>[];
  /** Columns of the terminal; undefined: no limit. */
  readonly #widthMax: number | undefined;
  /** Of those that are shown, by index; undefined before the first piece. */
  #layout: Map<number, number> | undefined;

  constructor(columns: readonly Column<Row>[], widthMax?: number) {
    this.#columns = columns;
    this.#widthMax = widthMax;
  }

  get isBegun(): boolean {
    return this.#layout !== undefined;
  }

  /** @returns lines; the first time with the header before them */
  print(rows: readonly Row[]): string {
    const cells = rows.map((row) => this.#columns.map(({ text }) => onOneLine(text(row))));
    const isFirst = this.#layout === undefined;
    const layout = this.#layout ?? this.#decide(cells);
    if (!isFirst && this.#widthMax === undefined) grow(layout, cells);
    this.#layout = layout;
    const lines = isFirst ? [this.#columns.map(({ title }) => title), ...cells] : cells;
    return lines.map((line) => `${this.#line(line, layout)}\n`).join('');
  }

  #line(cells: readonly string[], layout: ReadonlyMap<number, number>): string {
    return [...layout]
      .map(([index, width]) => {
        const cell = cells[index]!;
        if (this.#columns[index]!.isNumber) return padStart(cell, width);
        return padEnd(this.#widthMax === undefined ? cell : shortened(cell, width), width);
      })
      .join(gap)
      .trimEnd();
  }

  #decide(cells: readonly (readonly string[])[]): Map<number, number> {
    const natural = new Map(this.#columns.map(({ title }, index) => [index, textWidth(title)]));
    grow(natural, cells);
    const widthMax = this.#widthMax;
    if (widthMax === undefined) return natural;
    const least = (index: number): number => {
      const { title, isNumber, widthMin = widthMinDefault } = this.#columns[index]!;
      const width = natural.get(index)!;
      return isNumber ? width : Math.min(width, Math.max(textWidth(title), widthMin));
    };
    const shown = this.#kept(natural, cells, least, widthMax);
    return this.#shared(natural, shown, least, widthMax);
  }

  /**
   * Leaves columns out until the rest fits when it is shortened: those that say nothing, then the extra
   * ones, and at last all but the first.
   */
  #kept(
    natural: ReadonlyMap<number, number>,
    cells: readonly (readonly string[])[],
    least: (index: number) => number,
    widthMax: number,
  ): number[] {
    const shown = [...natural.keys()];
    const isEmpty = (index: number): boolean =>
      cells.every((row) => row[index] === '-' || row[index] === '');
    const isExtra = (index: number): boolean => this.#columns[index]!.isExtra === true;
    const widthOf = (index: number): number => natural.get(index)!;
    for (const [isSpared, width] of [
      [isEmpty, widthOf],
      [isExtra, least],
      [() => true, least],
    ] as const) {
      for (const index of [...shown].reverse()) {
        if (lineWidth(shown.map(width)) <= widthMax) return shown;
        if (index > 0 && isSpared(index)) shown.splice(shown.indexOf(index), 1);
      }
    }
    return shown;
  }

  /** Gives each column its least width, and what is left to the shortest texts first, so that few are cut. */
  #shared(
    natural: ReadonlyMap<number, number>,
    shown: readonly number[],
    least: (index: number) => number,
    widthMax: number,
  ): Map<number, number> {
    const widths = new Map(shown.map((index) => [index, least(index)]));
    let left = widthMax - lineWidth([...widths.values()]);
    const wanting = shown.filter((index) => natural.get(index)! > least(index));
    const lacks = (index: number): number => natural.get(index)! - least(index);
    wanting.sort((a, b) => lacks(a) - lacks(b));
    wanting.forEach((index, place) => {
      const share = Math.max(0, Math.floor(left / (wanting.length - place)));
      const more = Math.min(lacks(index), share);
      widths.set(index, least(index) + more);
      left -= more;
    });
    const last = shown.at(-1);
    if (last !== undefined && left > 0 && !this.#columns[last]!.isNumber)
      widths.set(last, widths.get(last)! + left);
    return widths;
  }
}

/** A whole table. */
export function formatTable<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  widthMax?: number,
): string {
  return new TablePrinter(columns, widthMax).print(rows);
}

function grow(widths: Map<number, number>, cells: readonly (readonly string[])[]): void {
  for (const [index, width] of widths) {
    widths.set(
      index,
      cells.reduce((most, row) => Math.max(most, textWidth(row[index]!)), width),
    );
  }
}

const lineWidth = (widths: readonly number[]): number =>
  widths.reduce((sum, width) => sum + width, gap.length * (widths.length - 1));
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
