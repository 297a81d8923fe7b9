// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import { makeLiveParts } from '../../test/support/live-parts.ts';
import { type JsonSchema, readJson } from '../lib/json-schema.ts';
import { viewNamed, views } from './views.ts';
import { explain } from './why.ts';
import { printWhy, whySchema } from './why-report.ts';

async function show(name: string, words: readonly string[], isJson: boolean): Promise<string> {
  let text = '';
  for await (const part of viewNamed(name)!.print(makeLiveParts(), words, { isJson, width: null }))
    text += part;
  return text;
}

const golden = (name: string): string => `../../test/golden/views/${name}`;

/** It is what the schema says, and nothing that the schema does not know. */
function expectSchema(schema: JsonSchema, json: string): void {
  const value: unknown = JSON.parse(json);
  expect(readJson(schema, value)).toEqual({ ok: true, value });
}

test.each(views.map((view) => [view.name, view] as const))('%s', async (name, view) => {
  await expect(await show(name, [], false)).toMatchFileSnapshot(golden(`${name}.txt`));
  const json = await show(name, [], true);
  // Counters come and go with the data plane: those that are zero are left out.
  const rows = json.replace(/\{[^{}]*"value":0\}(,\n)?/g, '');
  await expect(rows).toMatchFileSnapshot(golden(`${name}.json.txt`));
  expectSchema(view.answer, json);
});

test.each(views.map((view) => [view.name, view] as const))(
  '%s in 80 columns',
  async (name, view) => {
    let text = '';
    for await (const part of view.print(makeLiveParts(), [], { isJson: false, width: 80 }))
      text += part;
    await expect(text).toMatchFileSnapshot(golden(`${name}-80.txt`));
    expect(Math.max(...text.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80);
  },
);

test.each([
  ['network-red', ['network', 'red']],
  ['network-main', ['network', 'main']],
  ['table-500', ['table', '500']],
  ['table-500-prefix', ['table', '500', '192.0.2.9']],
])('route %s', async (name, words) => {
  const text = await show('route', words, false);
  await expect(text).toMatchFileSnapshot(golden(`route-${name}.txt`));
  const json = await show('route', words, true);
  await expect(json).toMatchFileSnapshot(golden(`route-${name}.json.txt`));
  expectSchema(viewNamed('route')!.answer, json);
});

test.each([
  ['forwarded', '10.1.0.2', '192.0.2.10'],
  ['dropped', '10.9.9.9', '192.0.2.10'],
  ['kernel', '10.1.0.2', '172.16.1.2'],
])('why: %s', async (name, client, destination) => {
  const report = explain(makeLiveParts(), client, destination);
  await expect(printWhy(report, { isJson: false, width: null })).toMatchFileSnapshot(
    golden(`why-${name}.txt`),
  );
  const json = printWhy(report, { isJson: true, width: null });
  await expect(json).toMatchFileSnapshot(golden(`why-${name}.json.txt`));
  expectSchema(whySchema, json);
});
