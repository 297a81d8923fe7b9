// SPDX-License-Identifier: Apache-2.0
/** What is shown is what patch(1) applies: random texts, and the cases that are read by people. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { seededRandom } from './random.ts';
import { unifiedDiff } from './text-diff.ts';

const folder = mkdtempSync(join(tmpdir(), 'egret-diff-'));
afterAll(() => rmSync(folder, { recursive: true }));

test('texts that are the same differ in nothing', () => {
  expect(unifiedDiff('a', 'x\n', 'x\n')).toBe('');
  expect(unifiedDiff('a', undefined, undefined)).toBe('');
});

test('a changed line is shown with three lines around it', () => {
  const lines = Array.from({ length: 20 }, (_, i) => `line ${i + 1}\n`);
  const changed = lines.with(9, 'another\n');
  expect(unifiedDiff('net.yaml', lines.join(''), changed.join(''))).toBe(`--- a/net.yaml
+++ b/net.yaml
@@ -7,7 +7,7 @@
 line 7
 line 8
 line 9
-line 10
+another
 line 11
 line 12
 line 13
`);
});

test('a file that is new or removed, and a last line without an end', () => {
  expect(unifiedDiff('n', undefined, 'x')).toBe(
    '--- /dev/null\n+++ b/n\n@@ -0,0 +1,1 @@\n+x\n\\ No newline at end of file\n',
  );
  expect(unifiedDiff('n', 'x\n', undefined)).toBe('--- a/n\n+++ /dev/null\n@@ -1,1 +0,0 @@\n-x\n');
  expect(unifiedDiff('n', 'x\n', 'x')).toContain('-x\n+x\n\\ No newline');
});

test('patch(1) makes one text of the other', () => {
  const seed = 7;
  const random = seededRandom(seed);
  const below = (limit: number): number => Math.floor(random.next() * limit);
  const some = (count: number): string[] =>
    Array.from({ length: count }, () => `${'abcde'[below(5)]}\n`);
  for (let round = 0; round < 60; round += 1) {
    const before = some(1 + below(40));
    const after = before.flatMap((line) => {
      const what = below(8);
      return what === 0 ? [] : what === 1 ? [line, ...some(1 + below(3))] : [line];
    });
    if (after.length === 0) continue;
    const diff = unifiedDiff('text', before.join(''), after.join(''));
    if (diff === '') continue;
    const path = join(folder, 'text');
    writeFileSync(path, before.join(''));
    execFileSync('patch', ['-s', path], { input: diff });
    expect(readFileSync(path, 'utf8'), `seed ${seed}, round ${round}`).toBe(after.join(''));
  }
});

test('large texts with nothing in common are one change, at once', () => {
  const text = (word: string): string =>
    Array.from({ length: 20_000 }, (_, i) => `${word} ${i}\n`).join('');
  const diff = unifiedDiff('big', text('a'), text('b'));
  expect(diff).toContain('@@ -1,20000 +1,20000 @@');
});
