// SPDX-License-Identifier: Apache-2.0
/**
 * A view of `egret show`: what a row is, its columns, and where its rows come from. Each stands in a
 * file of its own in views/, and in the list of views.ts.
 *
 *   egret show NAME WORDS ─▶ query ─▶ rows ─▶ aligned columns, or JSON
 *
 * Long views come in chunks with a pause between them, so that a full table is never built whole and
 * no answer holds the main thread.
 */
import { EgretError } from '../lib/errors.ts';
import { choice, integer, type Json, type JsonSchema, list, object } from '../lib/json-schema.ts';
import type { LiveParts } from './parts.ts';
import { printJson, printTable } from './print.ts';
import type { Column } from './table.ts';

export type Chunks<Row> = AsyncIterable<readonly Row[]>;

/** How an answer is printed. */
export interface Form {
  readonly isJson: boolean;
  /** Columns of the terminal, for a table that is to fit; null: no limit. */
  readonly width: number | null;
}

/** What a view's file says. */
export interface ViewDescription<Row, Query> {
  readonly name: string;
  /** One line, for the page of views. */
  readonly help: string;
  /** The JSON Schema of a row, from which its type is taken. */
  readonly row: Json<Row>;
  readonly columns: readonly Column<Row>[];
  /** Words that may follow the name; none when absent. */
  readonly takes?: WordsTaken<Query>;
  /** @throws EgretError NOT_FOUND for what the query names and is not there */
  readonly rows: (parts: LiveParts, query: Query) => readonly Row[] | Chunks<Row>;
  /** Rows that the table leaves out; JSON has all. */
  readonly isLeftOut?: (row: Row) => boolean;
  /** Text that is no table; undefined: the table. @throws as rows */
  readonly lines?: (parts: LiveParts, query: Query) => Chunks<string> | undefined;
}

export interface WordsTaken<Query> {
  /** As help shows them: `[table N | network NAME] [PREFIX]`. */
  readonly usage: string;
  /** Those that are fixed, for completion. */
  readonly words: readonly string[];
  /** @throws EgretError USAGE */
  readonly parse: (words: readonly string[]) => Query;
}

/** A view as commands, server and pages use it, whatever its rows are. */
export interface View {
  readonly name: string;
  readonly help: string;
  /** Of a row. */
  readonly row: JsonSchema;
  /** Of the answer with `--json`. */
  readonly answer: JsonSchema;
  readonly usage: string | undefined;
  readonly words: readonly string[];
  /** @throws EgretError USAGE when these words may not follow the name */
  check(words: readonly string[]): void;
  /** @throws EgretError USAGE, and what the rows throw, before anything was yielded */
  print(parts: LiveParts, words: readonly string[], form: Form): AsyncIterable<string>;
}

export function defineView<Row, Query = undefined>(what: ViewDescription<Row, Query>): View {
  const { name, help, row, takes } = what;
  const schemaName = `egret.show/${name}/1`;
  // A view without `takes` has no query: it is undefined, and so is its type.
  const parse = takes?.parse ?? ((words) => takesNoWords(name, words) as Query);
  return {
    name,
    help,
    row,
    answer: object({
      schema: choice([schemaName]),
      generation: integer('Ascends with every configuration that was taken'),
      rows: list(row),
    }),
    usage: takes?.usage,
    words: takes?.words ?? [],
    check: (words) => void parse(words),
    async *print(parts, words, { isJson, width }) {
      const query = parse(words);
      const lines = isJson ? undefined : what.lines?.(parts, query);
      if (lines) {
        for await (const chunk of lines) yield chunk.map((line) => `${line}\n`).join('');
        return;
      }
      const rows = chunked(what.rows(parts, query));
      if (isJson) yield* printJson(schemaName, parts.generation, rows);
      else yield* printTable(what.columns, rows, what.isLeftOut, width ?? undefined);
    },
  };
}

function takesNoWords(name: string, [first]: readonly string[]): undefined {
  if (first === undefined) return undefined;
  throw new EgretError('USAGE', { what: `show ${name} takes no ${first}` });
}

async function* chunked<Row>(rows: readonly Row[] | Chunks<Row>): Chunks<Row> {
  if (Symbol.asyncIterator in rows) yield* rows;
  else yield rows;
}
