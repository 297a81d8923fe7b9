// SPDX-License-Identifier: Apache-2.0
/** What is generated is fresh: abi.gen.ts and the pages under docs/ that follow the sources. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { pages } from '../../docs/generate.ts';
import { errorKinds } from '../../src/lib/errors.ts';
import { product, read, root, written } from './sources.ts';

describe('what is generated is fresh', () => {
  test('src/dataplane/abi.gen.ts follows native/abi.h', () => {
    const folder = mkdtempSync(join(tmpdir(), 'egret-tidy-'));
    try {
      const printer = join(folder, 'abi_print');
      const source = join(root, 'native/abi_print.c');
      const include = join(root, 'native');
      execFileSync('gcc', ['-std=c11', '-D_GNU_SOURCE', '-I', include, source, '-o', printer]);
      expect(read('src/dataplane/abi.gen.ts')).toBe(execFileSync(printer, { encoding: 'utf8' }));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test('native/abi.layout says what the headers share', () => {
    const folder = mkdtempSync(join(tmpdir(), 'egret-tidy-'));
    try {
      const printer = join(folder, 'layout_print');
      const [, list = ''] = /^LAYOUT := (.+)$/m.exec(read('Makefile')) ?? [];
      const sources = list.split(' ').map((path) => join(root, path));
      const flags = ['-std=c11', '-D_GNU_SOURCE', '-I', join(root, 'native')];
      execFileSync('gcc', [...flags, ...sources, '-o', printer]);
      expect(read('native/abi.layout')).toBe(execFileSync(printer, { encoding: 'utf8' }));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test('docs/errors.md knows every error code, docs/counters.md every counter', () => {
    const errors = read('docs/errors.md');
    expect(errorKinds().filter(({ code }) => !errors.includes(code))).toEqual([]);
    const counters = read('docs/counters.md');
    const names = [...read('native/abi.h').matchAll(/^\s+[CD]\([A-Z_0-9]+, "([a-z_0-9]+)"/gm)];
    expect(names.length).toBeGreaterThan(40);
    expect(names.map((m) => m[1] ?? '').filter((n) => !counters.includes(n))).toEqual([]);
  });

  test('docs/rfc.md knows every RFC that the sources name', () => {
    const listed = read('docs/rfc.md');
    const named = written.flatMap((path) => [...read(path).matchAll(/\bRFC (\d{3,5})\b/g)]);
    const numbers = new Set(named.map((match) => `RFC ${match[1]}`));
    expect([...numbers].filter((number) => !listed.includes(number)).sort()).toEqual([]);
  });

  test('docs/views.md is what the views say', () => {
    expect(read('docs/views.md')).toBe(pages['views.md']?.());
  });

  test('docs/resources.md knows every kind', () => {
    const page = read('docs/resources.md');
    const kinds = product
      .filter((path) => path.startsWith('src/config/kinds/'))
      .flatMap((path) => [...read(path).matchAll(/\bkind: '([A-Z]\w+)'/g)])
      .map((match) => match[1] ?? '');
    expect([...new Set(kinds)].filter((kind) => !page.includes(kind))).toEqual([]);
  });
});
