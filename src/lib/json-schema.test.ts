// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import {
  anyObject,
  boolean,
  choice,
  defaulted,
  expectation,
  integer,
  list,
  mapping,
  nullable,
  object,
  readJson,
  text,
  version,
} from './json-schema.ts';

const schema = object({
  version: version(1),
  name: text('What it is called'),
  kind: nullable(choice(['a', 'b'])),
  sizes: list(integer()),
  byName: defaulted(mapping(list(boolean())), {}),
  detail: anyObject(),
});
const good = {
  version: 1,
  name: 'x',
  kind: null,
  sizes: [1, -2],
  byName: {},
  detail: { z: [1.5] },
};

test('the schema is JSON Schema', () => {
  expect(JSON.parse(JSON.stringify(schema))).toEqual({
    type: 'object',
    properties: {
      version: { type: 'integer', enum: [1] },
      name: { type: 'string', description: 'What it is called' },
      kind: { type: ['string', 'null'], enum: ['a', 'b', null] },
      sizes: { type: 'array', items: { type: 'integer' } },
      byName: {
        type: 'object',
        additionalProperties: { type: 'array', items: { type: 'boolean' } },
        default: {},
      },
      detail: { type: 'object' },
    },
    required: ['version', 'name', 'kind', 'sizes', 'detail'],
  });
});

test('what keeps to it is read; defaults come in, and unknown names stay out', () => {
  const { byName: _absent, ...rest } = good;
  expect(readJson(schema, { ...rest, more: 1 })).toEqual({ ok: true, value: good });
  const named = JSON.parse('{"__proto__":[true]}') as object;
  const read = readJson(schema, { ...good, byName: named });
  expect(read.ok && Object.entries(read.value.byName)).toEqual([['__proto__', [true]]]);
});

test.each([
  [null, '', 'must be an object, not null'],
  [[good], '', 'must be an object, not [{"version":1,'],
  [{ ...good, version: 2 }, 'version', 'must be one of 1, not 2'],
  [{ ...good, name: 5 }, 'name', 'must be a text, not 5'],
  [{ ...good, kind: 'c' }, 'kind', 'must be one of a, b, null, not "c"'],
  [{ ...good, sizes: [1, 2.5] }, 'sizes[1]', 'must be an integer, not 2.5'],
  [{ ...good, sizes: {} }, 'sizes', 'must be a list of integers, not {}'],
  [{ ...good, byName: { x: [1] } }, 'byName.x[0]', 'must be true or false, not 1'],
  [{ ...good, byName: null }, 'byName', 'must be an object, not null'],
  [{ ...good, detail: undefined }, 'detail', 'must be an object, not nothing'],
  [{ version: 1 }, 'name', 'is missing'],
])('%j is refused', (value, path, problem) => {
  const result = readJson(schema, value);
  expect(result).toMatchObject({ ok: false, fault: { path } });
  expect(!result.ok && result.fault.problem).toContain(problem);
});

test('what a schema takes, in words', () => {
  expect(expectation(nullable(integer()))).toBe('an integer or null');
  expect(expectation(list(text()))).toBe('a list of texts');
});
