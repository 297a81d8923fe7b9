// SPDX-License-Identifier: Apache-2.0
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatSelector, parseSelector, type Selector, selects } from './selector.ts';

const label = fc.stringMatching(/^[a-zA-Z0-9_./-]{1,12}$/);
const value = fc.stringMatching(/^[^'\n]{0,8}$/);
const leaf: fc.Arbitrary<Selector> = fc.oneof(
  fc.constant<Selector>({ kind: 'all' }),
  fc.constant<Selector>({ kind: 'global' }),
  label.map((name): Selector => ({ kind: 'has', label: name })),
  fc.record({
    kind: fc.constantFrom('equals', 'notEquals', 'contains', 'startsWith', 'endsWith'),
    label,
    text: value,
  }),
  fc.record({
    kind: fc.constantFrom('in', 'notIn'),
    label,
    texts: fc.array(value, { maxLength: 3 }),
  }),
);
const { selector } = fc.letrec<{ selector: Selector }>((tie) => ({
  selector: fc.oneof(
    { maxDepth: 4 },
    leaf,
    tie('selector').map((term): Selector => ({ kind: 'not', term })),
    fc.record({
      kind: fc.constantFrom('and', 'or'),
      terms: fc.array(tie('selector'), { minLength: 2, maxLength: 3 }),
    }),
  ),
}));
const labels = fc
  .dictionary(fc.oneof(label, fc.constantFrom('a', 'b')), value, { maxKeys: 4 })
  .map((entries) => new Map(Object.entries(entries)));

/** A parsed selector again: `!!a` is `a`. */
function parsed(text: string): Selector {
  const result = parseSelector(text);
  if (!result.ok) throw new Error(`${text}: ${result.fault.message} at ${result.fault.offset}`);
  return result.value;
}

describe('selectors', () => {
  it('mean the same after printing and parsing', () => {
    fc.assert(
      fc.property(selector, labels, fc.boolean(), (one, map, isNamespace) => {
        expect(selects(parsed(formatSelector(one)), map, isNamespace)).toBe(
          selects(one, map, isNamespace),
        );
      }),
    );
  });

  it('print to a fixed point', () => {
    fc.assert(
      fc.property(selector, (one) => {
        const text = formatSelector(parsed(formatSelector(one)));
        expect(formatSelector(parsed(text))).toBe(text);
      }),
    );
  });

  it('are the opposite of their negation', () => {
    fc.assert(
      fc.property(selector, labels, (one, map) => {
        expect(selects({ kind: 'not', term: one }, map)).toBe(!selects(one, map));
      }),
    );
  });

  it('never throw, and point into the text', () => {
    const noise = fc
      .array(
        fc.constantFrom(
          'a',
          ' ',
          '=',
          '!',
          '&',
          '|',
          '(',
          ')',
          "'",
          '"',
          '{',
          '}',
          ',',
          'in',
          'not',
          'has(',
        ),
      )
      .map((parts) => parts.join(''));
    fc.assert(
      fc.property(fc.oneof(noise, fc.string({ unit: 'binary' })), (text) => {
        const result = parseSelector(text);
        if (result.ok) return;
        expect(result.fault.offset).toBeGreaterThanOrEqual(0);
        expect(result.fault.offset).toBeLessThanOrEqual(text.length);
      }),
    );
  });
});
