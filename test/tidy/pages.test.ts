// SPDX-License-Identifier: Apache-2.0
/** The shape of CHANGELOG, ADRs and the Makefile's own list. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { read, root } from './sources.ts';

describe('pages', () => {
  test('CHANGELOG is newest first, with the three headings only', () => {
    const page = read('CHANGELOG.md');
    const releases = [...page.matchAll(/^## (.+)$/gm)].map((match) => match[1] ?? '');
    expect(releases.length).toBeGreaterThan(0);
    const shape = /^\d+\.\d+\.\d+ \((unreleased|\d{4}-\d\d-\d\d)\)$/;
    expect(releases.filter((title) => !shape.test(title))).toEqual([]);
    const sections = [...page.matchAll(/^### (.+)$/gm)].map((match) => match[1] ?? '');
    const known = ['Changed for operators', 'Fixed', 'Inside'];
    expect(sections.filter((title) => !known.includes(title))).toEqual([]);
  });

  test('ADRs are numbered without gaps', () => {
    const numbers = readdirSync(join(root, 'docs/adr'))
      .filter((name) => /^\d{4}-[a-z0-9-]+\.md$/.test(name))
      .map((name) => Number(name.slice(0, 4)))
      .sort((a, b) => a - b);
    expect(numbers).toEqual(numbers.map((_, i) => i + 1));
  });

  test('every target of the Makefile that people call explains itself', () => {
    const phony = [...read('Makefile').matchAll(/^\.PHONY: (.+)\n([a-z-]+):(.*)$/gm)];
    const inside = ['packages', 'clean'];
    const silent = phony.filter((m) => !m[3]?.includes('## ') && !inside.includes(m[2] ?? ''));
    expect(silent.map((match) => match[2])).toEqual([]);
  });
});
