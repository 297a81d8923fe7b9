// SPDX-License-Identifier: Apache-2.0
/** Damaged manifests: read whole or refused with places, and nothing is ever thrown. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { resolveDocuments } from '../../src/config/resolve/resolve.ts';
import { parseSelector } from '../../src/config/schema/selector.ts';
import { parseFile } from '../../src/config/yaml/documents.ts';
import { makeReport } from '../../src/config/yaml/located.ts';

const numRuns = Number(process.env.FUZZ_RUNS ?? 300);
const timeoutMs = Number(process.env.FUZZ_SECONDS ?? 60) * 2_000;

const folders = ['seed', 'valid', 'broken'].map((name) =>
  join(import.meta.dirname, '..', 'config', name),
);
const manifests = folders.flatMap((folder) =>
  readdirSync(folder).map((name) => readFileSync(join(folder, name))),
);

/** What YAML, or one of our own small languages, takes for more than text. */
const spice = fc.constantFrom(
  ...['&a', '*a', '<<: *a', '!!binary', '|', '>', '---\n', '...\n', '%YAML 9', '{', '[', '}', ']'],
  ...['null', '~', '.inf', '-0', '0x10', '1e309', 'true', '2001-01-01', '"', "'", '\t', '\u0000'],
  ...['__proto__: {}', 'constructor: 1', '? a', ': ', '- ', '\ufeff', '\ud800', '10.0.0.0/33'],
  ...["has(x) && !(a in {'b'})", '4294967296', '-1', '9007199254740993'],
);

/** Bytes with some places written over, cut out, doubled, or seasoned. */
function damaged(sound: Buffer): fc.Arbitrary<Buffer> {
  const place = fc.nat(sound.length);
  const change = fc.oneof(
    fc.tuple(place, fc.nat(3), fc.uint8Array({ maxLength: 3 }).map(Buffer.from)),
    fc.tuple(
      place,
      fc.nat(3),
      spice.map((text) => Buffer.from(text)),
    ),
    fc.tuple(place, fc.nat(80), fc.constant(Buffer.alloc(0))),
    fc.tuple(place, place, fc.nat(200)).map(([at, from, bytes]) => {
      return [at, 0, sound.subarray(from, from + bytes)] as [number, number, Buffer];
    }),
  );
  return fc.array(change, { minLength: 1, maxLength: 4 }).map((changes) => {
    let bytes = sound;
    for (const [at, cut, put] of changes) {
      bytes = Buffer.concat([bytes.subarray(0, at), put, bytes.subarray(at + cut)]);
    }
    return bytes;
  });
}

describe('random and damaged texts', () => {
  const any = fc.oneof(
    { weight: 9, arbitrary: fc.constantFrom(...manifests).chain(damaged) },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 300 }).map(Buffer.from) },
  );

  test('manifests', { timeout: timeoutMs }, () => {
    fc.assert(
      fc.property(any, (bytes) => {
        const report = makeReport();
        const resolved = resolveDocuments(parseFile('a.yaml', bytes, report), report);
        if (resolved.kind === 'model') return;
        expect(resolved.errors.length).toBeGreaterThan(0);
        for (const { at, message } of resolved.errors) {
          expect(at.line >= 1 && at.column >= 1, message).toBe(true);
          expect(message).toBeTruthy();
        }
      }),
      { numRuns },
    );
  });

  test('selectors', { timeout: timeoutMs }, () => {
    const words = [
      'has(',
      'all()',
      'a',
      "'b'",
      '==',
      '!=',
      'in',
      '{',
      '}',
      '&&',
      '||',
      '!',
      '(',
      ')',
    ];
    const text = fc.oneof(
      fc.string({ maxLength: 80 }),
      fc
        .array(fc.constantFrom(...words, ',', ' ', 'not in', 'contains'), { maxLength: 400 })
        .map((w) => w.join(' ')),
    );
    fc.assert(
      fc.property(text, (selector) => {
        const parsed = parseSelector(selector);
        if (!parsed.ok) expect(parsed.fault).toBeTruthy();
      }),
      { numRuns },
    );
  });
});
