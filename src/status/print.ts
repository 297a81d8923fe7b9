// SPDX-License-Identifier: Apache-2.0
/** Rows to an aligned table or to JSON, chunk by chunk. */
import { type Column, formatTable } from './table.ts';

/** Rows of a long table that are aligned together: small views wholly, full tables in pieces. */
const rowsAligned = 500;

export async function* printTable<Row>(
  columns: readonly Column<Row>[],
  chunks: AsyncIterable<readonly Row[]>,
  isLeftOut: (row: Row) => boolean = () => false,
): AsyncIterable<string> {
  const widths: number[] = [];
  let waiting: Row[] = [];
  for await (const rows of chunks) {
    for (const row of rows) if (!isLeftOut(row)) waiting.push(row);
    if (waiting.length < rowsAligned) continue;
    yield formatTable(columns, waiting, widths);
    waiting = [];
  }
  if (waiting.length > 0 || widths.length === 0) yield formatTable(columns, waiting, widths);
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
