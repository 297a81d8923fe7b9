// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import { checkConfigs } from './check.ts';
import { kinds } from './kind-table.ts';
import { configSchema, schemaOf } from './schema-json.ts';

test('each kind has a schema with its fields, choices and help', () => {
  expect((configSchema()['allOf'] as unknown[]).length).toBe(kinds.length);
  const text = JSON.stringify(schemaOf('appliance'));
  expect(text).toContain('"Management"');
  expect(text).toContain('"apiVersion":{"enum":["egret.dev/v1"]}');
  expect(schemaOf('nothing')).toBeUndefined();
});

test('a required field and an unknown one are known to the schema', () => {
  const schema = schemaOf('BGPPeer')!;
  expect(schema['required']).toContain('metadata');
  expect(schema['additionalProperties']).toBe(false);
});

const note = `apiVersion: projectcalico.org/v3
kind: BGPConfiguration
metadata: { name: default, namespace: here }
spec: { asNumber: 64512 }
`;

const options = { isJson: false, isStrict: false, input: Buffer.from(note) };

test('check -: the input; --strict: notes are errors; --json: with notes', async () => {
  const lenient = await checkConfigs(['-'], options);
  expect(lenient.text).toMatch(/^-:3:\d+: note: /);
  expect(lenient.isValid).toBe(true);
  const strict = await checkConfigs(['-'], { ...options, isStrict: true });
  expect(strict.isValid).toBe(false);
  expect(strict.text).toContain('refused by --strict');
  const { rows, notes } = JSON.parse(
    (await checkConfigs(['-'], { ...options, isJson: true })).text,
  );
  expect(rows).toEqual([]);
  expect(notes[0]).toMatchObject({ file: '-', line: 3 });
});
