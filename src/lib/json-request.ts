// SPDX-License-Identifier: Apache-2.0
/** The line of JSON that a client of a socket sends: checked completely before it is used. */
import { EgretError } from './errors.ts';
import { type Json, readJson } from './json-schema.ts';

/** @throws EgretError USAGE */
export function parseRequestLine(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    throw new EgretError('USAGE', { what: 'The request is not JSON' });
  }
}

/** @throws EgretError USAGE, naming what is wrong */
export function readRequest<Value>(schema: Json<Value>, value: unknown): Value {
  const result = readJson(schema, value);
  if (result.ok) return result.value;
  const { path, problem } = result.fault;
  throw new EgretError('USAGE', {
    what: `The request${path === '' ? '' : `'s ${path}`} ${problem}`,
  });
}
