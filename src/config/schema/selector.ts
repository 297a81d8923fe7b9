// SPDX-License-Identifier: Apache-2.0
/**
 * The label selector language: text → expression, expression × labels → boolean.
 *
 *   selector := "" | or                                    nothing selects everything
 *   or       := and ("||" and)*
 *   and      := term ("&&" term)*
 *   term     := "!"* ("all()" | "global()" | "has(" LABEL ")" | LABEL test | "(" or ")")
 *   test     := ("==" | "!=") STRING | ("contains" | "starts" "with" | "ends" "with") STRING
 *             | ("in" | "not" "in") "{" [STRING ("," STRING)* [","]] "}"
 *   LABEL    := [a-zA-Z0-9_./-]{1,512}      STRING := '…' | "…", no escapes
 *
 * Blanks are spaces and tabs. The words of an operator may stand together (`notin`); `has (` is not
 * `has(`. A label that is missing makes `!=` and `not in` true and everything else false.
 * `global()` is true of any labels, but names no namespace: a namespace passes `isNamespace`.
 */
import type { Result } from '../../lib/result.ts';
import { fail, ok } from '../../lib/result.ts';

export type Selector =
  | { readonly kind: 'all' }
  | { readonly kind: 'global' }
  | { readonly kind: 'has'; readonly label: string }
  | {
      readonly kind: 'equals' | 'notEquals' | 'contains' | 'startsWith' | 'endsWith';
      readonly label: string;
      readonly text: string;
    }
  | {
      readonly kind: 'in' | 'notIn';
      readonly label: string;
      readonly texts: readonly string[];
    }
  | { readonly kind: 'not'; readonly term: Selector }
  | { readonly kind: 'and' | 'or'; readonly terms: readonly Selector[] };

export interface SelectorFault {
  /** Where the text stops making sense, from 0. */
  readonly offset: number;
  readonly message: string;
}

export type Labels = ReadonlyMap<string, string>;

const labelBytesMax = 512;
const depthMax = 200;

/** Whether labels satisfy a selector. @param isNamespace - they are a namespace's own labels */
export function selects(selector: Selector, labels: Labels, isNamespace = false): boolean {
  switch (selector.kind) {
    case 'all':
      return true;
    case 'global':
      return !isNamespace;
    case 'has':
      return labels.has(selector.label);
    case 'not':
      return !selects(selector.term, labels, isNamespace);
    case 'and':
      return selector.terms.every((term) => selects(term, labels, isNamespace));
    case 'or':
      return selector.terms.some((term) => selects(term, labels, isNamespace));
    default: {
      const value = labels.get(selector.label);
      return value === undefined
        ? selector.kind === 'notEquals' || selector.kind === 'notIn'
        : testValue(selector, value);
    }
  }
}

type Test = Extract<Selector, { readonly label: string }>;

function testValue(test: Test, value: string): boolean {
  switch (test.kind) {
    case 'has':
      return true;
    case 'equals':
      return value === test.text;
    case 'notEquals':
      return value !== test.text;
    case 'contains':
      return value.includes(test.text);
    case 'startsWith':
      return value.startsWith(test.text);
    case 'endsWith':
      return value.endsWith(test.text);
    case 'in':
      return test.texts.includes(value);
    case 'notIn':
      return !test.texts.includes(value);
  }
}

/** The text of an expression; parseSelector reads it back to an equal one. */
export function formatSelector(selector: Selector): string {
  switch (selector.kind) {
    case 'all':
      return 'all()';
    case 'global':
      return 'global()';
    case 'has':
      return `has(${selector.label})`;
    case 'not':
      return `!${formatTerm(selector.term)}`;
    case 'and':
      return selector.terms.map(formatTerm).join(' && ');
    case 'or':
      return selector.terms.map(formatTerm).join(' || ');
    case 'in':
    case 'notIn':
      return `${selector.label} ${selector.kind === 'in' ? 'in' : 'not in'} {${selector.texts
        .map(formatString)
        .join(', ')}}`;
    default:
      return `${selector.label} ${operatorText[selector.kind]} ${formatString(selector.text)}`;
  }
}

const operatorText = {
  equals: '==',
  notEquals: '!=',
  contains: 'contains',
  startsWith: 'starts with',
  endsWith: 'ends with',
} as const;

function formatTerm(selector: Selector): string {
  const isCompound = selector.kind === 'and' || selector.kind === 'or';
  return isCompound ? `(${formatSelector(selector)})` : formatSelector(selector);
}

function formatString(text: string): string {
  return text.includes("'") ? `"${text}"` : `'${text}'`;
}

export function parseSelector(text: string): Result<Selector, SelectorFault> {
  const cursor: Cursor = { text, offset: 0, depth: 0 };
  try {
    skipBlanks(cursor);
    if (cursor.offset === text.length) return ok({ kind: 'all' });
    const selector = parseOr(cursor);
    skipBlanks(cursor);
    if (cursor.offset < text.length) throw new SelectorError(endFault(cursor));
    return ok(selector);
  } catch (error) {
    if (error instanceof SelectorError) return fail(error.fault);
    throw error;
  }
}

interface Cursor {
  readonly text: string;
  offset: number;
  depth: number;
}

/** Leaves the descent; never leaves this file. */
class SelectorError extends Error {
  readonly fault: SelectorFault;
  constructor(fault: SelectorFault) {
    super(fault.message);
    this.fault = fault;
  }
}

function parseOr(cursor: Cursor): Selector {
  return parseChain(cursor, '||', 'or', () =>
    parseChain(cursor, '&&', 'and', () => parseTerm(cursor)),
  );
}

function parseChain(
  cursor: Cursor,
  operator: string,
  kind: 'and' | 'or',
  parsePart: () => Selector,
): Selector {
  const first = parsePart();
  const terms = [first];
  while (takeText(cursor, operator)) terms.push(parsePart());
  return terms.length === 1 ? first : { kind, terms };
}

function parseTerm(cursor: Cursor): Selector {
  let isNegated = false;
  skipBlanks(cursor);
  while (cursor.text[cursor.offset] === '!') {
    isNegated = !isNegated;
    cursor.offset += 1;
    skipBlanks(cursor);
  }
  const term = parseOperand(cursor);
  return isNegated ? { kind: 'not', term } : term;
}

function parseOperand(cursor: Cursor): Selector {
  if (takeText(cursor, '(')) {
    cursor.depth += 1;
    if (cursor.depth > depthMax) throw faultAt(cursor, 'parentheses are nested too deeply');
    const inner = parseOr(cursor);
    if (!takeText(cursor, ')')) throw faultAt(cursor, endFault(cursor, 'expected )').message);
    cursor.depth -= 1;
    return inner;
  }
  if (takePattern(cursor, /all\([ \t]*\)/y)) return { kind: 'all' };
  if (takePattern(cursor, /global\([ \t]*\)/y)) return { kind: 'global' };
  if (takePattern(cursor, /has\(/y)) {
    const label = takeLabel(cursor);
    if (label === undefined) throw faultAt(cursor, 'expected a label name after has(');
    if (!takeText(cursor, ')')) throw faultAt(cursor, 'expected ) after has(');
    return { kind: 'has', label };
  }
  const label = takeLabel(cursor);
  if (label === undefined) throw faultAt(cursor, operandFault(cursor));
  return parseTest(cursor, label);
}

function parseTest(cursor: Cursor, label: string): Selector {
  if (takeText(cursor, '==')) return { kind: 'equals', label, text: takeString(cursor) };
  if (takeText(cursor, '!=')) return { kind: 'notEquals', label, text: takeString(cursor) };
  if (takePattern(cursor, /contains\b/y)) {
    return { kind: 'contains', label, text: takeString(cursor) };
  }
  if (takePattern(cursor, /starts[ \t]*with\b/y)) {
    return { kind: 'startsWith', label, text: takeString(cursor) };
  }
  if (takePattern(cursor, /ends[ \t]*with\b/y)) {
    return { kind: 'endsWith', label, text: takeString(cursor) };
  }
  if (takePattern(cursor, /not[ \t]*in\b/y))
    return { kind: 'notIn', label, texts: takeSet(cursor) };
  if (takePattern(cursor, /in\b/y)) return { kind: 'in', label, texts: takeSet(cursor) };
  if (cursor.text[cursor.offset] === '=') throw faultAt(cursor, 'expected ==');
  throw faultAt(cursor, `expected operator after label ${label}`);
}

function takeSet(cursor: Cursor): readonly string[] {
  if (!takeText(cursor, '{')) throw faultAt(cursor, 'expected { after in');
  const texts: string[] = [];
  while (!takeText(cursor, '}')) {
    texts.push(takeString(cursor));
    if (takeText(cursor, ',')) continue;
    if (!takeText(cursor, '}')) throw faultAt(cursor, 'expected , or } in the set');
    break;
  }
  return texts;
}

function takeString(cursor: Cursor): string {
  skipBlanks(cursor);
  const { text, offset } = cursor;
  const mark = text[offset];
  if (mark !== "'" && mark !== '"') throw faultAt(cursor, 'expected a string in quotes');
  const end = text.indexOf(mark, offset + 1);
  if (end < 0) throw faultAt(cursor, 'unterminated string');
  cursor.offset = end + 1;
  return text.slice(offset + 1, end);
}

function takeLabel(cursor: Cursor): string | undefined {
  skipBlanks(cursor);
  const pattern = /[a-zA-Z0-9_./-]+/y;
  pattern.lastIndex = cursor.offset;
  const label = pattern.exec(cursor.text)?.[0];
  if (label === undefined) return undefined;
  if (label.length > labelBytesMax) {
    throw faultAt(cursor, `a label has at most ${labelBytesMax} characters`);
  }
  cursor.offset += label.length;
  return label;
}

function takeText(cursor: Cursor, expected: string): boolean {
  skipBlanks(cursor);
  if (!cursor.text.startsWith(expected, cursor.offset)) return false;
  cursor.offset += expected.length;
  return true;
}

/** @param pattern - sticky */
function takePattern(cursor: Cursor, pattern: RegExp): boolean {
  skipBlanks(cursor);
  pattern.lastIndex = cursor.offset;
  const match = pattern.exec(cursor.text);
  if (!match) return false;
  cursor.offset += match[0].length;
  return true;
}

function skipBlanks(cursor: Cursor): void {
  const { text } = cursor;
  while (text[cursor.offset] === ' ' || text[cursor.offset] === '\t') cursor.offset += 1;
}

function faultAt(cursor: Cursor, message: string): SelectorError {
  skipBlanks(cursor);
  return new SelectorError({ offset: cursor.offset, message });
}

function operandFault(cursor: Cursor): string {
  const next = cursor.text[cursor.offset];
  if (next === undefined) return 'expected a label, has(), all() or ( at the end of the selector';
  return `expected a label, has(), all() or (, not ${next}`;
}

/** What stands behind a whole expression although nothing may. */
function endFault(
  cursor: Cursor,
  otherwise = 'unexpected content at end of selector',
): SelectorFault {
  skipBlanks(cursor);
  const { text, offset } = cursor;
  const half = { '&': 'expected &&', '|': 'expected ||', '=': 'expected ==' }[text[offset] ?? ''];
  return { offset, message: half ?? otherwise };
}
