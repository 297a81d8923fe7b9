// SPDX-License-Identifier: Apache-2.0
/**
 * The lines in which two texts differ, as a unified diff: E. W. Myers, "An O(ND) Difference Algorithm
 * and Its Variations", 1986. Takes time by what differs: texts that have little in common are shown as
 * one whole for the other.
 */

/** Lines around a difference. */
const contextLines = 3;
/** Of different lines that are searched for what they have in common: a quarter of a million steps. */
const editsMax = 500;

interface Edit {
  readonly sign: ' ' | '-' | '+';
  readonly line: string;
}

/**
 * @param before - undefined: there was no such text
 * @param after - undefined: there is none any more
 * @returns empty when they are the same; else its header and hunks
 */
export function unifiedDiff(
  name: string,
  before: string | undefined,
  after: string | undefined,
): string {
  if (before === after) return '';
  const edits = editsOf(linesOf(before), linesOf(after));
  const side = (text: string | undefined, letter: string): string =>
    text === undefined ? '/dev/null' : `${letter}/${name}`;
  const head = `--- ${side(before, 'a')}\n+++ ${side(after, 'b')}\n`;
  return head + hunksOf(edits).join('');
}

/** Each with its end; the last may have none, which is a difference, too. */
const linesOf = (text: string | undefined): string[] =>
  text === undefined || text === '' ? [] : text.split(/(?<=\n)/);

function editsOf(a: readonly string[], b: readonly string[]): Edit[] {
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start += 1;
  let end = 0;
  const isSameEnd = (): boolean =>
    a[a.length - 1 - end] === b[b.length - 1 - end] && start + end < Math.min(a.length, b.length);
  while (isSameEnd()) end += 1;
  const as =
    (sign: Edit['sign']) =>
    (line: string): Edit => ({ sign, line });
  const [middleA, middleB] = [a.slice(start, a.length - end), b.slice(start, b.length - end)];
  return [
    ...a.slice(0, start).map(as(' ')),
    ...(shortest(middleA, middleB) ?? [...middleA.map(as('-')), ...middleB.map(as('+'))]),
    ...a.slice(a.length - end).map(as(' ')),
  ];
}

/** Myers' greedy search, with the furthest ends of each step kept to walk back. */
function shortest(a: readonly string[], b: readonly string[]): Edit[] | undefined {
  const most = Math.min(a.length + b.length, editsMax);
  const furthest = new Map<number, number>([[1, 0]]);
  const trace: Map<number, number>[] = [];
  const startOf = (at: Map<number, number>, k: number, d: number): number => {
    const [down, right] = [at.get(k + 1) ?? -1, at.get(k - 1) ?? -1];
    return k === -d || (k !== d && right < down) ? down : right + 1;
  };
  for (let d = 0; d <= most; d += 1) {
    trace.push(new Map(furthest));
    for (let k = -d; k <= d; k += 2) {
      let x = startOf(furthest, k, d);
      while (x < a.length && x - k < b.length && a[x] === b[x - k]) x += 1;
      furthest.set(k, x);
      if (x >= a.length && x - k >= b.length) return walkBack(a, b, trace, startOf);
    }
  }
  return undefined;
}

function walkBack(
  a: readonly string[],
  b: readonly string[],
  trace: readonly Map<number, number>[],
  startOf: (at: Map<number, number>, k: number, d: number) => number,
): Edit[] {
  const edits: Edit[] = [];
  let [x, y] = [a.length, b.length];
  for (let d = trace.length - 1; d >= 0; d -= 1) {
    const k = x - y;
    const began = startOf(trace[d]!, k, d);
    while (x > began && y > began - k) {
      edits.push({ sign: ' ', line: a[x - 1]! });
      x -= 1;
      y -= 1;
    }
    if (d === 0) break;
    const isInsert = began === (trace[d]!.get(k + 1) ?? -1) && !(k === d);
    const isDown = k === -d || (k !== d && isInsert);
    if (isDown) {
      edits.push({ sign: '+', line: b[y - 1]! });
      y -= 1;
    } else {
      edits.push({ sign: '-', line: a[x - 1]! });
      x -= 1;
    }
  }
  return edits.reverse();
}

function hunksOf(edits: readonly Edit[]): string[] {
  const hunks: string[] = [];
  let [lineA, lineB] = [1, 1];
  for (let at = 0; at < edits.length; ) {
    if (!isDifference(edits, at)) {
      at += 1;
      lineA += 1;
      lineB += 1;
      continue;
    }
    const first = Math.max(at - contextLines, 0);
    let last = at;
    for (let i = at; i < edits.length && i <= last + 2 * contextLines + 1; i += 1) {
      if (isDifference(edits, i)) last = i;
    }
    const hunk = edits.slice(first, Math.min(last + contextLines + 1, edits.length));
    const [oldLines, newLines] = [count(hunk, '-'), count(hunk, '+')];
    const [startA, startB] = [lineA - (at - first), lineB - (at - first)];
    hunks.push(
      `@@ -${range(startA, oldLines)} +${range(startB, newLines)} @@\n${hunk.map(lineOf).join('')}`,
    );
    const done = edits.slice(at, last + 1);
    lineA += count(done, '-');
    lineB += count(done, '+');
    at = last + 1;
  }
  return hunks;
}

const isDifference = (edits: readonly Edit[], at: number): boolean => edits[at]?.sign !== ' ';

/** Lines that one side has. */
const count = (edits: readonly Edit[], sign: '-' | '+'): number =>
  edits.filter((edit) => edit.sign === ' ' || edit.sign === sign).length;

/** A side without lines begins at the line before. */
const range = (start: number, lines: number): string =>
  lines === 0 ? `${start - 1},0` : `${start},${lines}`;

const lineOf = ({ sign, line }: Edit): string =>
  line.endsWith('\n') ? `${sign}${line}` : `${sign}${line}\n\\ No newline at end of file\n`;
