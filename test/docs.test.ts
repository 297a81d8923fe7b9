// SPDX-License-Identifier: Apache-2.0
/**
 * What the pages promise of the code: a section for each drop reason and for each reason that `egret show`
 * gives for what is not ready, read out of the sources that make them; and a test for each requirement
 * of an RFC that is called met.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { compliancePart, parseStatement, readStatements } from '../docs/compliance.ts';
import { drops } from '../src/dataplane/abi.gen.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

/** Where reasons are made: what stands in front of the texts, in which file. */
const reasonSources: readonly (readonly [path: string, before: RegExp])[] = [
  ['src/egress/readiness.ts', /\b(?:not|reasons\.push)\(/g],
  ['src/appliance/host/host-faults.ts', /^const says = /gm],
  ['src/appliance/vrf/mirrors.ts', /\btext: (?=`)/g],
  ['src/kernel/mirror-read.ts', /const text = /g],
  ['src/health/probe.ts', /const what = isWaiting/g],
  ['src/health/target-prober.ts', /#fail\((?=')/g],
  ['src/appliance/egress/gateway-probes.ts', /\breasons\.push\(|\breason: (?=')/g],
  ...['networks', 'gateways', 'interfaces'].map(
    (name) =>
      [`src/status/views/${name}.ts`, /\breason \?\? |\? \[\] : (?=')|\breason: (?=')/g] as const,
  ),
  ['src/dataplane/forwarder.ts', /get trouble\(\)[^{]*\{/g],
];

/** Texts of one statement, from `at` on; what is put into a template becomes NAME. */
function textsOf(source: string, at: number): string[] {
  const end = source.slice(at).search(/;\n|\n {2}\}|,\n {2,6}\}|\},\n/);
  const statement = source.slice(at, end < 0 ? undefined : at + end).replaceAll(/\/\/.*$/gm, '');
  const texts = statement.match(/'[^'\n]+'|`[^`]+`/g) ?? [];
  return texts
    .map((text) => text.slice(1, -1).replaceAll(/\$\{[^}]*\}/g, 'NAME'))
    .filter((text) => /[a-z]{2} \w|^starting$/.test(text));
}

describe('docs/troubleshooting.md', () => {
  const page = read('docs/troubleshooting.md');
  const headings = [...page.matchAll(/^### `([^`]+)`$/gm)].map((match) => match[1] ?? '');

  test('has a section for each drop reason, that says what to look at and what to do', () => {
    const packets = page.slice(page.indexOf('## Packets are dropped'));
    const sections = [...packets.matchAll(/^### `(\w+)`$/gm)].map((match) => match[1] ?? '');
    expect(sections).toEqual(drops.filter((name) => name !== undefined));
    const short = packets.split(/^### /m).filter((text) => text.length < 120);
    expect(short).toEqual([]);
  });

  test('has a section for each reason for which something is not ready', () => {
    const reasons = reasonSources.flatMap(([path, before]) => {
      const source = read(path);
      const found = [...source.matchAll(before)].flatMap((match) => {
        // Of a getter, every statement.
        const isBlock = match[0].endsWith('{');
        const from = match.index + match[0].length;
        const body = isBlock ? source.slice(from).split('\n  }')[0]!.split(';\n') : undefined;
        return body?.flatMap((one) => textsOf(`${one};\n`, 0)) ?? textsOf(source, from);
      });
      expect(found, path).not.toEqual([]);
      return found;
    });
    expect(new Set(reasons).size).toBeGreaterThan(15);
    // A word in capitals stands for whatever the code puts there.
    const patterns = headings.map((heading) => {
      const fixed = heading.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
      return new RegExp(`^${fixed.replaceAll(/\b[A-Z]{4,}\b/g, '.+')}`);
    });
    const missing = reasons.filter((reason) => !patterns.some((pattern) => pattern.test(reason)));
    expect([...new Set(missing)]).toEqual([]);
  });
});

describe('docs/rfc', () => {
  const statements = readStatements();

  test('every requirement that is met names tests that exist, by file and title', () => {
    const met = statements.flatMap(({ number, rows }) =>
      rows.filter(({ status }) => status === 'met').map((row) => ({ number, ...row })),
    );
    expect(met.length).toBeGreaterThan(150);
    const missing = met.flatMap(({ number, at, tests }) => {
      const absent = tests.filter(({ path, title }) => !hasTest(path, title));
      const rows = absent.map(({ path, title }) => `RFC ${number} ${at}: ${path}: ${title}`);
      return tests.length > 0 ? rows : [`RFC ${number} ${at}: no test`];
    });
    expect(missing).toEqual([]);
  });

  test('what is not met, or does not apply, has a reason', () => {
    const others = statements.flatMap(({ rows }) => rows.filter(({ status }) => status !== 'met'));
    expect(others.filter(({ reason }) => reason.length < 5)).toEqual([]);
  });

  test.each([
    ['a row without a test', '- { at: "1", must: a }', 'one of met, unmet, na'],
    [
      'a row that is met and not',
      '- { at: "1", must: a, met: t > b, na: c }',
      'one of met, unmet, na',
    ],
    ['a row of two levels', '- { at: "1", must: a, may: b, na: c }', 'one of must, should, may'],
    [
      'a file that it does not list',
      '- { at: "1", must: a, met: u > b }',
      'u is not among its tests',
    ],
  ])('%s is refused', (_, row, message) => {
    const yaml = `title: T\nscope: S\ntests: { t: test/docs.test.ts }\nrows:\n  ${row}\n`;
    expect(() => parseStatement('1.yaml', yaml)).toThrow(message);
  });

  test('a title that no test has is found', () => {
    expect(hasTest('test/docs.test.ts', 'a title that no test has is found')).toBe(true);
    expect(hasTest('test/docs.test.ts', ['no', 'such', 'title'].join(' '))).toBe(false);
    expect(hasTest('test/absent.test.ts', 'x')).toBe(false);
  });

  test('docs/rfc.md is what they make', () => {
    expect(read('docs/rfc.md')).toContain(compliancePart(statements));
  });
});

/** Whether a file has this text, or one that begins with it, as a string. C's are joined over lines. */
function hasTest(path: string, title: string): boolean {
  if (title.length < 2 || !existsSync(join(root, path))) return false;
  const source = read(path)
    .replaceAll(/"\s*\n\s*"/g, '')
    .replaceAll("\\'", "'");
  // A short one is whole: it might be the beginning of anything.
  const isWhole = title.length < 12;
  return ["'", '"', '`'].some((quote) =>
    source.includes(isWhole ? `${quote}${title}${quote}` : `${quote}${title}`),
  );
}
