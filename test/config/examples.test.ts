// SPDX-License-Identifier: Apache-2.0
/** The configurations under examples/ are what `egret check` calls ok, and tell editors their schema. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { configSchema } from '../../src/config/schema-json.ts';

const folder = join(import.meta.dirname, '../../examples');
const names = readdirSync(folder).filter((name) => !name.includes('.'));

test('there are five plants', () => {
  expect(names).toHaveLength(5);
});

test.each(names)('%s', (name) => {
  const text = readFileSync(join(folder, name, 'egret.yaml'), 'utf8');
  expect(text).toMatch(/^# yaml-language-server: \$schema=\.\.\/egret\.schema\.json\n# /);
  const result = loadConfig(join(folder, name));
  expect(result.kind === 'errors' ? result.errors : []).toEqual([]);
});

test('egret.schema.json is what egret schema prints', () => {
  const text = readFileSync(join(folder, 'egret.schema.json'), 'utf8');
  expect(JSON.parse(text)).toEqual(configSchema());
});
