// SPDX-License-Identifier: Apache-2.0
/** What plain scalars mean, compared with the `yaml` package; and that it is loaded only when it is needed. */
import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { parseDocument } from 'yaml';
import { meaningOf } from './scalars.ts';

const numRuns = Number(process.env['FUZZ_RUNS'] ?? 1000);

function meaningInPackage(text: string): unknown {
  // Within a list, where dashes and dots do not divide documents.
  return parseDocument(`[${text}]`, { schema: 'core' }).toJS()[0];
}

const words = [
  '~',
  'null',
  'NULL',
  'nUll',
  'true',
  'FALSE',
  'fAlse',
  'tru',
  '.inf',
  '-.INF',
  '+.Inf',
];
const numbers = [
  '.nan',
  '-.nan',
  '.NaN',
  '0',
  '-0',
  '+12',
  '007',
  '0o17',
  '0o8',
  '0xFf',
  '0xg',
  '-0x1',
];
const fractions = [
  '1.10',
  '.5',
  '5.',
  '.',
  '-a',
  '1e3',
  '1.e-3',
  '-.5E+2',
  '1e',
  '12345678901234567890',
];
const others = ['1_000', '10.0.0.1', '2024-01-01', '12:30', 'yes', 'team-1', '1.2.3', '0b1'];

it.each([...words, ...numbers, ...fractions, ...others])('%s', (text) => {
  expect(meaningOf(text)).toEqual(meaningInPackage(text));
});

it('every text of the characters of numbers', () => {
  const text = fc.stringMatching(/^[-+.0oxXeE1789aFnN]{1,8}$/).filter((one) => one !== '-');
  fc.assert(
    fc.property(text, (one) => {
      expect(meaningOf(one)).toEqual(meaningInPackage(one));
    }),
    { numRuns },
  );
});

it.each([
  ['a: { b: [1, "x"] }', false],
  ['a: &b 1', true],
  ['a: "\\t"', true],
])('reading %j loads the package: %s', (text, isLoaded) => {
  const documents = new URL('./documents.ts', import.meta.url).href;
  const located = new URL('./located.ts', import.meta.url).href;
  const program = `
    import { createRequire } from 'node:module';
    import { readValues } from '${documents}';
    import { makeReport } from '${located}';
    const [{ value }] = [...readValues('t.yaml', ${JSON.stringify(text)}, makeReport())];
    if (value.kind !== 'map') throw new Error('no mapping');
    const { cache } = createRequire('${documents}');
    console.log(Object.keys(cache).some((path) => path.includes('/yaml/dist/')));`;
  const argv = ['--input-type=module', '--eval', program];
  expect(execFileSync(process.execPath, argv, { encoding: 'utf8' }).trim()).toBe(`${isLoaded}`);
});
