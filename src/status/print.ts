// SPDX-License-Identifier: Apache-2.0
/** Rows to an aligned table or to JSON, chunk by chunk. */
import { type Column, TablePrinter } from './table.ts';

/** Rows of a long table that are aligned together: small views wholly, full tables in pieces. */
const rowsAligned = 500;

/** @param widthMax - columns of the terminal; undefined: no limit */
export async function* printTable<Row>(
  columns: readonly Column<Row>[],
  chunks: AsyncIterable<readonly Row[]>,
  isLeftOut: (row: Row) => boolean = () => false,
  widthMax?: number,
): AsyncIterable<string> {
  const table = new TablePrinter(columns, widthMax);
  let waiting: Row[] = [];
  for await (const rows of chunks) {
    for (const row of rows) if (!isLeftOut(row)) waiting.push(row);
    if (waiting.length < rowsAligned) continue;
    yield table.print(waiting);
    waiting = [];
  }
  if (waiting.length > 0 || !table.isBegun) yield table.print(waiting);
}

/** `{"schema": NAME, "generation": N, "rows": [...]}`, one row a line. */
export async function* printJson(
  schemaName: string,
  generation: number,
  chunks: AsyncIterable<readonly unknown[]>,
): AsyncIterable<string> {
  let separator = '';
  let text = `{"schema":"${schemaName}","generation":${generation},"rows":[`;
  for await (const rows of chunks) {
    for (const row of rows) {
      text += `${separator}${JSON.stringify(row)}`;
      separator = ',\n';
    }
    yield text;
    text = '';
  }
  yield `${text}]}\n`;
}
