// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { parseSelector, selects } from './selector.ts';

const red = new Map([
  ['egress', 'red'],
  ['site', 'north-1'],
]);

function matches(text: string, isNamespace = false): boolean {
  const parsed = parseSelector(text);
  if (!parsed.ok) throw new Error(parsed.fault.message);
  return selects(parsed.value, red, isNamespace);
}

describe('what a selector selects', () => {
  it.each([
    ['', true],
    [' \t', true],
    ['all()', true],
    ['all( )', true],
    ['!all()', false],
    ["egress == 'red'", true],
    ['egress=="red"', true],
    ["egress != 'red'", false],
    ['has(egress)', true],
    ['has( egress )', true],
    ['has(none)', false],
    ["none == ''", false],
    ["none != 'x'", true],
    ["none not in {'x'}", true],
    ["none in {'x'}", false],
    ["none contains ''", false],
    ["none starts with ''", false],
    ["egress in {'blue', 'red'}", true],
    ["egress in {'red',}", true],
    ['egress in {}', false],
    ['egress not in {}', true],
    ["egress notin{'red'}", false],
    ["site starts with 'north'", true],
    ["site startswith'north'", true],
    ["site ends \t with '-1'", true],
    ["site contains 'th-'", true],
    ['!!has(egress)', true],
    ['! ! !has(egress)', false],
    ["!egress == 'blue'", true],
    ["has(none) && has(egress) || site == 'north-1'", true],
    ["has(none) && (has(egress) || site == 'north-1')", false],
    ["has == 'x' || all != 'x'", true],
    ["all == 'x'", false],
    [`egress != "it's"`, true],
  ])('%s', (text, expected) => {
    expect(matches(text)).toBe(expected);
  });

  it('takes global() for anything but a namespace', () => {
    expect(matches('global()')).toBe(true);
    expect(matches('global()', true)).toBe(false);
    expect(matches('all()', true)).toBe(true);
  });
});

describe('the message for a broken selector', () => {
  it.each([
    ["a = 'b'", 2, 'expected =='],
    ['has(a) & has(b)', 7, 'expected &&'],
    ['has(a) | has(b)', 7, 'expected ||'],
    ["a == 'b", 5, 'unterminated string'],
    ['a == b', 5, 'expected a string in quotes'],
    ['a', 1, 'expected operator after label a'],
    ["a inx {'b'}", 2, 'expected operator after label a'],
    ['has(a) has(b)', 7, 'unexpected content at end of selector'],
    ['has (a)', 4, 'expected operator after label has'],
    ['(has(a)', 7, 'expected )'],
    ["a in {'b' 'c'}", 10, 'expected , or } in the set'],
    ['a in {,}', 6, 'expected a string in quotes'],
    ['has(a) &&', 9, 'expected a label'],
    ["a == 'b'\n", 8, 'unexpected content at end of selector'],
    ['has($)', 4, 'expected a label name after has('],
    ['x'.repeat(513), 0, 'a label has at most 512 characters'],
    ['('.repeat(5000), 201, 'nested too deeply'],
  ])('%s', (text, offset, message) => {
    const parsed = parseSelector(text);
    if (parsed.ok) throw new Error('it was accepted');
    expect(parsed.fault.offset).toBe(offset);
    expect(parsed.fault.message).toContain(message);
  });
});
