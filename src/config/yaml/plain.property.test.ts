// SPDX-License-Identifier: Apache-2.0
/**
 * plain.ts compared with the `yaml` package: of every text the same values at the same places, and the
 * same errors.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ComposedDocument, composeRest } from './composed.ts';
import { readValues } from './documents.ts';
import { makeReport, sortErrors, type Value } from './located.ts';
import { readPlain } from './plain.ts';

const folders = ['seed', 'valid', 'broken'].map((name) =>
  join(import.meta.dirname, '../../../test/config', name),
);
const manifests = folders.flatMap((folder) =>
  readdirSync(folder)
    .filter((name) => /\.ya?ml$/.test(name))
    .map((name) => readFileSync(join(folder, name), 'utf8')),
);

const fuzzRuns = process.env['FUZZ_RUNS'];
/** Always the same texts, so that a verdict repeats; `make fuzz` tries others. */
const runs = fuzzRuns ? { numRuns: Number(fuzzRuns) } : { numRuns: 300, seed: 20_261_128 };

/** Reads a text both ways. */
function compareBoth(text: string): void {
  const report = makeReport();
  const read = [...readValues('t.yaml', text, report)];
  const wanted = makeReport();
  const composed = [...composeRest('t.yaml', text, 1, wanted)];
  expect(sortErrors(report.errors)).toEqual(sortErrors(wanted.errors));
  expect(valuesOf(read)).toEqual(valuesOf(composed));
  // The package blames the document before for some errors at the start of one.
  expect(read.some(({ isBroken }) => isBroken)).toBe(composed.some(({ isBroken }) => isBroken));
}

/** An empty document is none. */
function valuesOf(documents: readonly ComposedDocument[]): Value[] {
  return documents.flatMap(({ value }) =>
    value === undefined || (value.kind === 'scalar' && value.value === null) ? [] : [value],
  );
}

function isPlain(text: string): boolean {
  const plain = readPlain('t.yaml', text, 0, 1);
  return plain !== undefined && plain.end === text.length;
}

describe('plain documents', () => {
  it('are most of the manifests', () => {
    for (const text of manifests) compareBoth(text);
    const plain = manifests.filter((text) => readPlain('t.yaml', text, 0, 1) !== undefined);
    expect(plain.length).toBeGreaterThan(manifests.length * 0.8);
  });

  it('hold every style that manifests are written in', () => {
    const text = `# A Pod as a cluster prints it.
apiVersion: v1
kind: Pod
metadata:
  annotations:
    last-applied: |
      {"kind":"Pod"}

    note: >-
      one
      line
    escaped: "a\\tb \\"c\\" \\u00e9"
    quoted: 'it''s'
  creationTimestamp: null
  labels: {app: web, tier : back, 'x':y, "n":1}
  empty:
  finalizers: []
spec:
  containers:
  - args: [ -v, --level=3, "a, b", 1.10 ]
    command:
    - sh
    - -c
    - |
      echo $HOME # no comment
        deeper
    ports:
      -   containerPort: 0x50   # a comment
          ratio: 1e3
  - - nested
    - - list
  time: 2001-01-01T00:00:00Z
  url: http://example.net:80/#a
  key with spaces : ~
  off: no
  big: 18446744073709551616
`;
    expect(isPlain(text)).toBe(true);
    compareBoth(text);
  });

  it('of any shape', () => {
    const word = fc.constantFrom(
      ...['a', 'b-c', 'd.e/f', '10.0.0.1', '1', '-1', '0o17', '0x1f', '1.50', '.5', '1e3', '.inf'],
      ...['true', 'False', 'null', '~', 'yes', 'a b', 'a:b', 'a#b', '-x', 'é', '2001-01-01'],
    );
    const scalar = fc.oneof(
      word,
      fc.string({ maxLength: 12 }).map((text) => JSON.stringify(text)),
      word.map((text) => `'${text}'`),
    );
    const key = fc.oneof(
      fc.constantFrom('a', 'b', 'c', 'd.e/f', 'two words', '1', 'null'),
      word.map((text) => `"${text}"`),
    );
    const { flow } = fc.letrec<{ flow: string }>((tie) => ({
      flow: fc.oneof(
        { maxDepth: 3 },
        scalar,
        fc.array(tie('flow'), { maxLength: 3 }).map((items) => `[${items.join(', ')}]`),
        fc
          .array(fc.tuple(key, tie('flow')), { maxLength: 3 })
          .map((pairs) => `{ ${pairs.map((pair) => pair.join(': ')).join(', ')} }`),
      ),
    }));
    const comment = fc.constantFrom('', '', '', ' # c', '\n', '\n# c', '\n      # c', '   ');
    const block = fc.constantFrom('|', '|-', '>', '>-', '|+', '|2');
    // A node is lines at column 0, the first of which may stand behind `- `.
    const { node } = fc.letrec<{ node: string[] }>((tie) => ({
      node: fc.oneof(
        { maxDepth: 4 },
        fc.tuple(flow, comment).map((parts) => parts.join('').split('\n')),
        fc
          .array(
            fc.oneof(
              fc.tuple(key, flow, comment).map(([k, v, c]) => `${k}: ${v}${c}`.split('\n')),
              fc.tuple(key, comment).map(([k, c]) => `${k}:${c}`.split('\n')),
              fc
                .tuple(key, comment, fc.nat(3), tie('node'))
                .map(([k, c, indent, lines]) => [
                  ...`${k}:${c}`.split('\n'),
                  ...lines.map((line) => ' '.repeat(indent) + line),
                ]),
              fc
                .tuple(
                  key,
                  block,
                  fc.array(fc.constantFrom('x', ' y', '', '# z', '- w'), { maxLength: 4 }),
                )
                .map(([k, header, lines]) => [
                  `${k}: ${header}`,
                  ...lines.map((l) => l && `  ${l}`),
                ]),
            ),
            { minLength: 1, maxLength: 4 },
          )
          .map((entries) => entries.flat()),
        fc
          .array(fc.tuple(fc.integer({ min: 1, max: 3 }), tie('node')), {
            minLength: 1,
            maxLength: 3,
          })
          .map((items) =>
            items.flatMap(([gap, lines]) =>
              lines.map((line, index) => `${index === 0 ? '-' : ' '}${' '.repeat(gap)}${line}`),
            ),
          ),
      ),
    }));
    const divider = fc.constantFrom('---\n', '--- # c\n', '...\n---\n', '---\n---\n', '# c\n---\n');
    const text = fc
      .array(fc.tuple(divider, node), { minLength: 1, maxLength: 3 })
      .map((documents) => documents.map(([top, lines]) => `${top}${lines.join('\n')}\n`).join(''));
    let plainCount = 0;
    let count = 0;
    fc.assert(
      fc.property(text, (generated) => {
        compareBoth(generated);
        count += 1;
        if (readPlain('t.yaml', generated, 0, 1) !== undefined) plainCount += 1;
      }),
      runs,
    );
    expect(plainCount).toBeGreaterThan(count / 10);
  });

  it('of any characters', () => {
    const part = fc.constantFrom(
      ...['a', 'b', ': ', ':', ' ', '\n', '\n  ', '\n    ', '\n- ', '\n  - ', '- ', '-', '[', ']'],
      ...['{', '}', ', ', ',', '&a ', '*a', '! ', '|\n', '>-\n', '"', "'", '#', ' # ', '%', '? '],
      ...[
        '<<',
        '\n---\n',
        '\n...\n',
        '\t',
        '\r\n',
        '1',
        'a: ',
        'b: ',
        '\na: ',
        '\n  b: ',
        '\\',
        '~',
      ],
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 20 }), (parts) => compareBoth(parts.join(''))),
      runs,
    );
  });

  it('that were damaged', () => {
    const damage = fc.record({
      text: fc.constantFrom(...manifests),
      at: fc.double({ min: 0, max: 1, noNaN: true }),
      cut: fc.nat(12),
      put: fc.constantFrom(
        '',
        ' ',
        '\n',
        '  ',
        ':',
        '- ',
        '"',
        "'",
        '#',
        '{',
        ']',
        '|\n',
        '&a ',
        '\t',
      ),
    });
    fc.assert(
      fc.property(damage, ({ text, at, cut, put }) => {
        const offset = Math.floor(at * text.length);
        compareBoth(text.slice(0, offset) + put + text.slice(offset + cut));
      }),
      runs,
    );
  });
});
