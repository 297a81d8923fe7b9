// SPDX-License-Identifier: Apache-2.0
/** What is sent over the status socket: a request, which is checked completely before it is used. */
import { EgretError } from '../lib/errors.ts';
import {
  boolean,
  choice,
  defaulted,
  integer,
  type Json,
  type JsonValue,
  list,
  nullable,
  object,
  readJson,
  text,
} from '../lib/json-schema.ts';
import { viewNames } from './views.ts';

const command = object({ command: choice(['show', 'why']) });

/** Columns of the terminal; null: no limit. */
const width = defaulted(nullable(integer()), null);

const show = object({
  command: choice(['show']),
  view: choice(viewNames),
  isJson: defaulted(boolean(), false),
  width,
  /** What follows the view's name on the command line. */
  words: defaulted(list(text()), []),
});

const why = object({
  command: choice(['why']),
  client: text(),
  destination: text(),
  isJson: defaulted(boolean(), false),
  width,
});

export type StatusRequest = JsonValue<typeof show> | JsonValue<typeof why>;

/** @throws EgretError USAGE, naming what is wrong */
export function parseRequest(line: string): StatusRequest {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw new EgretError('USAGE', { what: 'The request is not JSON' });
  }
  return read(command, value).command === 'show' ? read(show, value) : read(why, value);
}

function read<Value>(schema: Json<Value>, value: unknown): Value {
  const result = readJson(schema, value);
  if (result.ok) return result.value;
  const { path, problem } = result.fault;
  throw new EgretError('USAGE', {
    what: `The request${path === '' ? '' : `'s ${path}`} ${problem}`,
  });
}
