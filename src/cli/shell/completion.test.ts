// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import { commands } from '../commands.ts';
import { type CompletionSource, complete, helpAt } from './completion.ts';

const known: Record<string, string[]> = {
  network: ['blue', 'red', 'a b'],
  FILE: ['box.yaml'],
  CLIENT: ['10.1.0.2'],
};
const source: CompletionSource = {
  commands,
  names: async ({ text, after }, start) =>
    (known[text] ?? known[after ?? ''] ?? []).filter((name) => name.startsWith(start)),
};

test.each([
  ['sh', ['show '], 'sh'],
  ['egret sh', ['show '], 'sh'],
  ['show net', ['networks '], 'net'],
  ['show route network r', ['red '], 'r'],
  ['show route network "a', ['"a b" '], '"a'],
  ['show route --json network b', ['blue '], 'b'],
  ['show networks --js', ['--json '], '--js'],
  ['show networks -o ', ['wide '], ''],
  ['config get ', ['box.yaml '], ''],
  ['why 10', ['10.1.0.2 '], '10'],
  ['nonsense ', [], ''],
  ['show \u0007', [], ''],
])('%j', async (line, candidates, replaced) => {
  expect(await complete(source, line)).toEqual({ candidates, replaced });
});

test('help names what may come, and the names that exist', async () => {
  const help = (await helpAt(source, 'show route network ', 80)).join('\n');
  expect(help).toMatch(/NAME +blue red a b/);
  expect((await helpAt(source, 'show networks ', 80))[0]).toMatch(/enter +Run it/);
  const lines = (await helpAt(source, '', 60)).join('\n').split('\n');
  expect(lines.join('\n')).toMatch(/^ {2}show +Show what egretd does now/m);
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(60);
});
