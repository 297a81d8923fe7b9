// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import { commands } from '../commands.ts';
import { continuations } from './grammar.ts';

const next = (form: string, words: string[]) => {
  const { expected, isComplete } = continuations([form], words);
  return [...expected.map(({ text }) => text), ...(isComplete ? ['enter'] : [])];
};

const route = 'show route [table N | network NAME] [PREFIX] [--json]';

test.each([
  [route, ['show', 'route'], ['table', 'network', 'PREFIX', 'enter']],
  [route, ['show', 'route', 'network'], ['NAME', 'PREFIX'].slice(0, 1).concat('enter')],
  [route, ['show', 'route', 'network', 'red'], ['PREFIX', 'enter']],
  [route, ['show', 'route', 'table', '500', '10.0.0.0/8'], ['enter']],
  ['config get | rm FILE', ['config'], ['get', 'rm']],
  ['config get | rm FILE', ['config', 'rm'], ['FILE']],
  ['neighbor X down | up', ['neighbor', '192.0.2.1'], ['down', 'up']],
  ['check PATH...', ['check'], ['PATH']],
  ['check PATH...', ['check', 'a', 'b'], ['PATH', 'enter']],
  ['apply [--confirm TIME] [--message TEXT]', ['apply'], ['enter']],
  ['run --config PATH [--run-dir DIR]', ['run'], ['enter']],
  ['why CLIENT DESTINATION', ['show'], []],
])('%s, behind %j', (form, words, expected) => {
  expect(next(form, words)).toEqual(expected);
});

test('a placeholder is known by the word before it', () => {
  expect(continuations([route], ['show', 'route', 'network']).expected).toContainEqual({
    text: 'NAME',
    isPlaceholder: true,
    after: 'network',
  });
});

test('the forms of every command begin with its name', () => {
  for (const { name, usage, forms } of commands) {
    for (const form of forms ?? usage) {
      expect(continuations([form], []).expected.map(({ text }) => text)).toContain(name);
    }
  }
});
