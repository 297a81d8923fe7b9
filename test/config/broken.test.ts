// SPDX-License-Identifier: Apache-2.0
/**
 * Broken configurations and their valid twins. A broken one says in its first lines what egretd must
 * say: `# expect LINE:COLUMN TEXT`, one for each error; no other error may come.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { formatErrors } from '../../src/config/yaml/located.ts';

const folder = import.meta.dirname;
const names = readdirSync(join(folder, 'broken')).sort();

interface Expected {
  readonly line: number;
  readonly column: number;
  readonly text: string;
}

function readExpected(file: string): Expected[] {
  const text = readFileSync(file, 'latin1');
  return [...text.matchAll(/^# expect (\d+):(\d+) (.*)$/gm)].map(([, line, column, message]) => ({
    line: Number(line),
    column: Number(column),
    text: message ?? '',
  }));
}

describe('broken configurations', () => {
  it('are sixty at least, each with a twin', () => {
    expect(names.length).toBeGreaterThanOrEqual(60);
    expect(readdirSync(join(folder, 'valid')).sort()).toEqual(names);
  });

  it.each(names)('%s is refused at the place', (name) => {
    const file = join(folder, 'broken', name);
    const loaded = loadConfig(file);
    if (loaded.kind === 'model') throw new Error('it was accepted');
    const expected = readExpected(file);
    expect(expected.length).toBeGreaterThan(0);
    const found = loaded.errors.map(({ at, message }) => ({ ...at, message }));
    expect(
      found.map(({ line, column }) => `${line}:${column}`),
      formatErrors(loaded.errors),
    ).toEqual(expected.map(({ line, column }) => `${line}:${column}`));
    for (const [index, { text }] of expected.entries()) {
      expect(found[index]?.message).toContain(text);
      expect(found[index]?.file).toBe(file);
      expect(loaded.errors[index]?.hint, 'a hint').toMatch(/\w/);
    }
  });

  it.each(names)('the twin of %s passes', (name) => {
    const loaded = loadConfig(join(folder, 'valid', name));
    expect(loaded.kind === 'errors' ? formatErrors(loaded.errors) : '').toBe('');
  });
});
