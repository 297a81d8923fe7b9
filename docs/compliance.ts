// SPDX-License-Identifier: Apache-2.0
/**
 * What is met of each RFC: docs/rfc/NUMBER.yaml, one file an RFC, made into docs/rfc.md.
 *
 *   title: …            as the RFC has it
 *   scope: …            how much of the RFC Egret implements
 *   tests:              short names of the test files that the rows name
 *     wire: src/bgp/wire/wire.test.ts
 *   rows:
 *     - at: "4.1"       section, and requirement number where there is one
 *       must: …         the requirement in our words; or should, or may
 *       met: wire > …   the test that shows it, by file and title; or a list
 *       unmet: …        or the reason why it is not met
 *       na: …           or the reason why it does not apply
 *
 * A title is the test's own text, or the beginning of it where values follow. That the named tests
 * exist is checked by test/docs.test.ts.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import {
  anyObject,
  defaulted,
  list,
  mapping,
  object,
  readJson,
  text,
} from '../src/lib/json-schema.ts';

const root = join(import.meta.dirname, '..');

const levels = ['must', 'should', 'may'] as const;
const states = ['met', 'unmet', 'na'] as const;
type Level = (typeof levels)[number];
type Key = 'at' | Level | (typeof states)[number];

const keys: readonly string[] = ['at', ...levels, ...states];

const fileShape = object({
  title: text(),
  scope: text(),
  tests: defaulted(mapping(text()), {}),
  rows: list(anyObject()),
});

export interface NamedTest {
  /** From the root. */
  readonly path: string;
  readonly title: string;
}

export interface Requirement {
  readonly at: string;
  readonly level: Level;
  readonly text: string;
  readonly status: 'met' | 'not met' | 'not applicable';
  /** Of what is met, at least one. */
  readonly tests: readonly NamedTest[];
  /** Of what is not. */
  readonly reason: string;
}

export interface Statement {
  readonly number: number;
  readonly title: string;
  readonly scope: string;
  readonly rows: readonly Requirement[];
}

/** All of them, by number. @throws Error that names the file, and the row where there is one */
export function readStatements(): Statement[] {
  const folder = join(root, 'docs/rfc');
  return readdirSync(folder)
    .map((name) => parseStatement(name, readFileSync(join(folder, name), 'utf8')))
    .sort((a, b) => a.number - b.number);
}

export function parseStatement(name: string, yaml: string): Statement {
  const number = Number(/^(\d+)\.yaml$/.exec(name)?.[1] ?? Number.NaN);
  if (Number.isNaN(number)) throw new Error(`${name} is not named NUMBER.yaml`);
  const read = readJson(fileShape, parse(yaml));
  if (!read.ok) throw new Error(`${name}: ${read.fault.path} ${read.fault.problem}`);
  const { title, scope, tests, rows } = read.value;
  return { number, title, scope, rows: rows.map((row) => requirement(row, tests, name)) };
}

function requirement(
  row: Readonly<Record<string, unknown>>,
  files: Readonly<Record<string, string>>,
  name: string,
): Requirement {
  const wrong = (what: string): Error => new Error(`${name}: ${row['at']}: ${what}`);
  const unknown = Object.keys(row).find((key) => !keys.includes(key));
  if (unknown !== undefined) throw wrong(`${unknown} means nothing here`);
  const textsOf = (key: Key): readonly string[] =>
    [row[key] ?? []].flat().map((value) => {
      if (typeof value !== 'string' || value === '') throw wrong(`${key} must be a text`);
      return value;
    });
  const [level, second] = levels.filter((each) => row[each] !== undefined);
  if (level === undefined || second) throw wrong('one of must, should, may');
  const [state, other] = states.filter((each) => row[each] !== undefined);
  if (state === undefined || other) throw wrong('one of met, unmet, na');
  const tests = textsOf('met').map((reference) => {
    const [file = '', ...rest] = reference.split(' > ');
    const path = files[file];
    if (path === undefined) throw wrong(`${file} is not among its tests`);
    return { path, title: rest.join(' > ') };
  });
  return {
    at: textsOf('at').join(),
    level,
    text: textsOf(level).join(),
    status: ({ met: 'met', unmet: 'not met', na: 'not applicable' } as const)[state],
    tests,
    reason: [...textsOf('unmet'), ...textsOf('na')].join(),
  };
}

/** The page's part that these files make. */
export function compliancePart(statements: readonly Statement[]): string {
  const count = (rows: readonly Requirement[], status: Requirement['status']): number =>
    rows.filter((row) => row.status === status).length;
  const summary = statements.map(({ number, title, rows }) => {
    const cells = [count(rows, 'met'), count(rows, 'not met'), count(rows, 'not applicable')];
    return `| [RFC ${number}](#rfc-${number}) | ${title} | ${cells.join(' | ')} |\n`;
  });
  const sections = statements.map(({ number, title, scope, rows }) => {
    const lines = rows.map((row) => {
      const shown = row.tests.map(({ path, title: name }) => `\`${path}\`: ${cell(name)}`);
      const why = row.status === 'met' ? shown.join('; ') : row.reason;
      const section = /^\d/.test(row.at) ? `§${row.at}` : row.at;
      return `| ${section} | ${row.level.toUpperCase()} | ${cell(row.text)} | ${row.status} | ${why} |\n`;
    });
    return `## RFC ${number}\n\n*${title}.* ${scope}\n\n| section | level | requirement | status | test, or reason |\n|---|---|---|---|---|\n${lines.join('')}`;
  });
  return `| RFC | title | met | not met | not applicable |\n|---|---|---|---|---|\n${summary.join('')}\n${sections.join('\n')}`;
}

function cell(value: string): string {
  return value.replaceAll('|', '\\|');
}
