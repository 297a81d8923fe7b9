// SPDX-License-Identifier: Apache-2.0
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { resolveDocuments } from '../resolve/resolve.ts';
import { fileBytesMax, parseFile } from './documents.ts';
import { makeReport } from './located.ts';

function messagesOf(bytes: Uint8Array | string): string[] {
  const report = makeReport();
  const resolution = resolveDocuments(parseFile('t.yaml', Buffer.from(bytes), report), report);
  if (resolution.kind === 'model') return [];
  return resolution.errors.map(({ at, message }) => `${at.line}:${at.column} ${message}`);
}

describe('documents', () => {
  it('an empty file is an empty configuration', () => {
    expect(messagesOf('')).toEqual([]);
    expect(messagesOf('# nothing\n---\n---\n')).toEqual([]);
  });

  it('a byte order mark and Windows line ends are fine', () => {
    const text = '\ufeffapiVersion: v1\r\nkind: Namespace\r\nmetadata:\r\n  name: default\r\n';
    expect(messagesOf(text)).toEqual([]);
    expect(
      messagesOf('\ufeffapiVersion: v2\nkind: Namespace\nmetadata: { name: a }\n').join(),
    ).toMatch(/^1:13 apiVersion/);
  });

  it('a quote that is never closed is reported where it opens', () => {
    const [first] = messagesOf(
      'apiVersion: v1\nkind: Namespace\nmetadata: { name: "a }\n---\nkind: Pod\n',
    );
    expect(first).toMatch(/^3:19 YAML: Missing closing/);
  });

  it('a List stands for its items, and their places stay', () => {
    const text = `apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Namespace
  metadata: { name: a, uid: x, resourceVersion: "1", creationTimestamp: null, managedFields: [] }
  status: { phase: Active }
- apiVersion: v1
  kind: Namespace
  metadata: { name: A }
`;
    const [message, ...others] = messagesOf(text);
    expect(message).toContain('10:21 metadata.name: must be a resource name');
    expect(others).toEqual([]);
  });

  it('an AS number is read from its text', () => {
    const report = makeReport();
    const text = `apiVersion: projectcalico.org/v3
kind: BGPPeer
metadata: { name: a }
spec: { peerIP: 192.0.2.1, asNumber: 1.10, localASNumber: "64512" }
`;
    const resolution = resolveDocuments(parseFile('t.yaml', Buffer.from(text), report), report);
    const neighbor = resolution.kind === 'model' ? resolution.model.neighbors[0] : undefined;
    expect(neighbor?.remoteAs).toBe(65546);
    expect(neighbor?.localAs).toBe(64512);
  });

  it('aliases do not explode', () => {
    let text = 'a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n';
    for (let level = 1; level < 12; level += 1) {
      text += `a${level}: &a${level} [${`*a${level - 1}, `.repeat(10)}]\n`;
    }
    expect(messagesOf(text).join()).toContain('aliases expand to more than');
  });

  it('deep nesting, huge files and tags are refused', () => {
    expect(messagesOf('['.repeat(100_000)).join()).toContain('nested too deeply');
    expect(messagesOf(`a: ${'['.repeat(500)}${']'.repeat(500)}`).join()).toContain(
      'nested too deeply',
    );
    expect(messagesOf(Buffer.alloc(fileBytesMax + 1, 32)).join()).toContain('at most');
    expect(messagesOf('kind: !secret Pod\n').join()).toContain('YAML');
  });

  it('ten times the keys take ten times as long, not a hundred', () => {
    const timeOf = (count: number): number => {
      const keys = Array.from({ length: count }, (_, index) => `    k${index}: v`).join('\n');
      const text = `apiVersion: v1\nkind: Namespace\nmetadata:\n  name: a\n  labels:\n${keys}`;
      const times = Array.from({ length: 2 }, () => {
        // CPU, so that what else runs on the machine does not count.
        const before = process.cpuUsage().user;
        // An anchor makes it the package's.
        for (const one of [text, text.replace('Namespace', '&a Namespace')]) messagesOf(one);
        return process.cpuUsage().user - before;
      });
      return Math.min(...times);
    };
    expect(timeOf(20_000)).toBeLessThan(40 * timeOf(2_000));
  });
});

describe('whatever the bytes', () => {
  const folder = join(import.meta.dirname, '../../../test/config/valid');
  const seeds = readdirSync(folder).map((name) => readFileSync(join(folder, name)));

  it('random ones never throw', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        messagesOf(bytes);
      }),
      { numRuns: 500 },
    );
  });

  it('random texts never throw', () => {
    const part = fc.constantFrom(
      'a',
      ':',
      ' ',
      '\n',
      '-',
      '[',
      ']',
      '{',
      '}',
      ',',
      '&a',
      '*a',
      '!',
      '|',
      '>',
      '"',
      "'",
      '#',
      '%',
      '?',
      '<<',
      '---\n',
      '\t',
      '1',
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 60 }), (parts) => {
        messagesOf(parts.join(''));
      }),
      { numRuns: 1000 },
    );
  });

  it('mutated configurations never throw, and their errors have places', () => {
    const mutation = fc.record({
      seed: fc.nat(seeds.length - 1),
      at: fc.double({ min: 0, max: 1, noNaN: true }),
      remove: fc.nat(12),
      insert: fc.uint8Array({ maxLength: 4 }),
    });
    fc.assert(
      fc.property(mutation, ({ seed, at, remove, insert }) => {
        const bytes = seeds[seed] ?? Buffer.alloc(0);
        const cut = Math.floor(at * bytes.length);
        const mutated = Buffer.concat([
          bytes.subarray(0, cut),
          insert,
          bytes.subarray(cut + remove),
        ]);
        for (const message of messagesOf(mutated)) expect(message).toMatch(/^[1-9]\d*:[1-9]\d* ./);
      }),
      { numRuns: 1500 },
    );
  });
});
