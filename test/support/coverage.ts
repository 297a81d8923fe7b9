// SPDX-License-Identifier: Apache-2.0
/**
 * The end of `make coverage`: which lines the tests reach, by folder of src/ and room of native/.
 *
 *   node test/support/coverage.ts FOLDER
 *
 *   FOLDER/unit/coverage-final.json   vitest's, of src/ as it is
 *   FOLDER/v8/*.json                  V8's, of every egretd that the system tests ran (FOLDER/js)
 *   FOLDER/o/ROOM/*.gcno              gcc's, of C tests and of what the system tests ran
 *
 * A line of TypeScript counts when a statement begins on it. Processes that were killed have left
 * nothing. Lines that nothing reached are written to FOLDER/unreached.txt.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { SourceMap } from 'node:module';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Lines of a file: how often unit tests reached them, and whether system tests did. */
type Lines = Map<number, { unit: boolean; system: boolean }>;

const folder = resolve(process.argv[2] ?? 'build/coverage');
const files = new Map<string, Lines>();

readUnit();
readSystem();
readNative();
print();

function linesOf(path: string): Lines {
  const lines: Lines = files.get(path) ?? new Map();
  files.set(path, lines);
  return lines;
}

interface Istanbul {
  readonly path: string;
  readonly statementMap: Readonly<Record<string, { readonly start: { readonly line: number } }>>;
  readonly s: Readonly<Record<string, number>>;
}

function readUnit(): void {
  const text = readFileSync(join(folder, 'unit/coverage-final.json'), 'utf8');
  for (const { path, statementMap, s } of Object.values(JSON.parse(text) as Istanbul[])) {
    const lines = linesOf(relative('.', path));
    for (const [id, { start }] of Object.entries(statementMap)) {
      const isHit = (s[id] ?? 0) > 0 || lines.get(start.line)?.unit === true;
      lines.set(start.line, { unit: isHit, system: false });
    }
  }
}

interface Script {
  readonly url: string;
  readonly functions: readonly {
    readonly ranges: readonly { startOffset: number; endOffset: number; count: number }[];
  }[];
}

function readSystem(): void {
  const v8 = join(folder, 'v8');
  const reached = new Map<string, Set<number>>();
  for (const name of existsSync(v8) ? readdirSync(v8) : []) {
    const { result } = JSON.parse(readFileSync(join(v8, name), 'utf8')) as { result: Script[] };
    for (const script of result) {
      const path = script.url.startsWith('file:') ? fileURLToPath(script.url) : '';
      if (!path.startsWith(join(folder, 'js/src/'))) continue;
      const offsets = reached.get(path) ?? new Set();
      reached.set(path, offsets);
      for (const offset of startsReached(path, script)) offsets.add(offset);
    }
  }
  for (const [path, starts] of reached) {
    const map = new SourceMap(JSON.parse(readFileSync(`${path}.map`, 'utf8')));
    for (const line of starts) {
      const text = sourceLines(path)[line] ?? '';
      const entry = map.findEntry(line, text.search(/\S/));
      if (!('originalSource' in entry)) continue;
      const source = relative('.', resolve(dirname(path), entry.originalSource));
      const known = linesOf(source).get(entry.originalLine + 1);
      if (known) known.system = true;
    }
  }
}

const sources = new Map<string, string[]>();

function sourceLines(path: string): string[] {
  const lines = sources.get(path) ?? readFileSync(path, 'utf8').split('\n');
  sources.set(path, lines);
  return lines;
}

/** Lines, from 0, whose first character was reached. Of nested ranges the innermost says so. */
function startsReached(path: string, script: Script): number[] {
  const ranges = script.functions.flatMap((each) => each.ranges);
  ranges.sort((a, b) => a.startOffset - b.startOffset || b.endOffset - a.endOffset);
  const lines: number[] = [];
  const open: typeof ranges = [];
  let next = 0;
  let offset = 0;
  for (const [number, text] of sourceLines(path).entries()) {
    const at = offset + Math.max(0, text.search(/\S/));
    for (; (ranges[next]?.startOffset ?? Number.POSITIVE_INFINITY) <= at; next += 1) {
      const range = ranges[next];
      if (range) open.push(range);
    }
    while ((open.at(-1)?.endOffset ?? Number.POSITIVE_INFINITY) <= at) open.pop();
    const inner = open.filter((range) => range.endOffset > at).at(-1);
    if ((inner?.count ?? 0) > 0) lines.push(number);
    offset += text.length + 1;
  }
  return lines;
}

interface Gcov {
  readonly files: readonly {
    readonly file: string;
    readonly lines: readonly { readonly line_number: number; readonly count: number }[];
  }[];
}

function readNative(): void {
  const notes = readdirSync(join(folder, 'o'), { recursive: true, encoding: 'utf8' });
  const paths = notes.filter((name) => name.endsWith('.gcno') && !name.startsWith('test/'));
  const argv = ['--json-format', '--stdout', ...paths.map((name) => join(folder, 'o', name))];
  const options = { encoding: 'utf8', maxBuffer: 1 << 30, stdio: 'pipe' } as const;
  for (const line of execFileSync('gcov', argv, options).split('\n').filter(Boolean)) {
    for (const file of (JSON.parse(line) as Gcov).files) {
      if (!file.file.startsWith('native/') || file.file.startsWith('native/test/')) continue;
      const lines = linesOf(file.file);
      for (const { line_number: number, count } of file.lines) {
        const isHit = count > 0 || lines.get(number)?.unit === true;
        lines.set(number, { unit: isHit, system: isHit });
      }
    }
  }
}

function print(): void {
  const rooms = new Map<string, { all: number; unit: number; any: number }>();
  const unreached: string[] = [];
  for (const [path, lines] of [...files].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const room = path.split('/').slice(0, -1).slice(0, 2).join('/');
    const sum = rooms.get(room) ?? { all: 0, unit: 0, any: 0 };
    rooms.set(room, sum);
    const missing: number[] = [];
    for (const [number, { unit, system }] of lines) {
      sum.all += 1;
      if (unit) sum.unit += 1;
      if (unit || system) sum.any += 1;
      else missing.push(number);
    }
    if (missing.length > 0) {
      unreached.push(`${path}: ${missing.sort((a, b) => a - b).join(' ')}`);
    }
  }
  const percent = (part: number, all: number): string => `${((100 * part) / all).toFixed(1)} %`;
  console.log(
    `${'room'.padEnd(24)}${'lines'.padStart(8)}${'unit'.padStart(10)}${'all'.padStart(10)}`,
  );
  for (const [room, { all, unit, any }] of [...rooms].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const cells = [String(all).padStart(8), percent(unit, all), percent(any, all)];
    console.log(room.padEnd(24) + cells.map((cell, at) => cell.padStart(at ? 10 : 8)).join(''));
  }
  writeFileSync(join(folder, 'unreached.txt'), `${unreached.join('\n')}\n`);
  console.log(`unreached lines: ${relative('.', join(folder, 'unreached.txt'))}`);
}
