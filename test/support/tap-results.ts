// SPDX-License-Identifier: Apache-2.0
/**
 * What a run of tests says, read from TAP: of tap (subtests, indented), of vitest (flat) and of the C
 * tests, and told in a few lines. Only what asserts counts: a subtest fails by what is in it, or by
 * itself when nothing in it did (it timed out, or threw nothing that was caught).
 *
 *   # Subtest: name          opens one
 *       ok 1 - assertion
 *       not ok 2 - assertion
 *         ---                why, in YAML
 *         ...
 *   not ok 1 - name          closes it
 */

export interface Failure {
  /** File, tests and assertion, outermost first. */
  readonly path: readonly string[];
  /** Where it stands, what was wanted and what was found: the lines that explain it. */
  readonly why: readonly string[];
}

export interface Results {
  readonly passed: number;
  readonly failures: readonly Failure[];
}

interface Open {
  readonly name: string;
  readonly indent: number;
  readonly failuresBefore: number;
}

/** Lines of one failure that are shown. */
const whyLinesMax = 30;
/** Of the last lines of a program that exited too early. */
const tailLinesMax = 12;

/** @param name - of the file, for what has no name of its own */
export function readTap(name: string, text: string): Results {
  const lines = text.split('\n');
  const failures: { path: string[]; why: string[] }[] = [];
  const open: Open[] = [];
  let passed = 0;
  let hasPlan = false;
  let failure: { path: string[]; why: string[] } | undefined;
  /** What a comment is about: the last failure, until something passes. */
  let commented: typeof failure;
  let isExplaining = false;
  let raw: string[] = [];
  for (const line of lines) {
    const indent = line.search(/\S/);
    const word = line.trim();
    if (isExplaining) {
      if (word === '...') isExplaining = false;
      else raw.push(line.trimEnd());
      if (!isExplaining) failure?.why.push(...explain(raw));
      continue;
    }
    if (word === '---') {
      isExplaining = true;
      raw = [];
      continue;
    }
    const subtest = /^# Subtest: (.*)/.exec(word);
    const result = /^(not )?ok \d+(?: - (.*?))?(?: # (?:time|TIME)=.*)?(?: \{)?$/.exec(word);
    if (/^1\.\.\d+/.test(word) && indent === 0) hasPlan = true;
    if (subtest) {
      open.push({ name: subtest[1] ?? '', indent, failuresBefore: failures.length });
    } else if (result) {
      while ((open.at(-1)?.indent ?? 0) > indent) open.pop(); // it never came to its end
      const isClosing = open.at(-1)?.indent === indent;
      const closed = isClosing ? open.pop() : undefined;
      const isOk = result[1] === undefined;
      failure = undefined;
      if (isOk) passed += isClosing ? 0 : 1;
      else if (!closed || closed.failuresBefore === failures.length) {
        failure = { path: [...open.map((each) => each.name), result[2] ?? ''], why: [] };
        if (open.length === 0) failure.path.unshift(name);
        failures.push(failure);
      }
      commented = isOk ? undefined : failures.at(-1);
    } else if (commented && word.startsWith('# ') && commented.why.length < whyLinesMax) {
      commented.why.push(word.slice(2));
    }
  }
  if (!hasPlan) {
    const why = lines.filter((line) => line.trim() !== '').slice(-tailLinesMax);
    failures.push({ path: [name, 'it exited before its plan'], why });
  }
  return { passed, failures };
}

/** Blocks of an explanation that name the runner's parts, not what was asked. */
const runnersOwn =
  /^(at|stack|source|test|compare|stdio|cwd|externalID|command|args|jobId|signal|handles|type|isToplevel|columnNumber|typeName)$/;

/** Of a YAML explanation: where, and the blocks that say what was wanted and what was found. */
function explain(raw: readonly string[]): string[] {
  const base = raw[0]?.search(/\S/) ?? 0;
  const value = (key: string): string | undefined =>
    raw.find((line) => line.trim().startsWith(`${key}: `))?.split(': ')[1];
  const where = value('fileName');
  let isShown = true;
  const blocks = raw.filter((line) => {
    const key = line.search(/\S/) === base ? /^\s*(\w+):/.exec(line)?.[1] : undefined;
    if (key !== undefined) isShown = !runnersOwn.test(key);
    return isShown;
  });
  const told = blocks.map((line) => line.slice(base)).slice(0, whyLinesMax);
  return where ? [`at ${where}:${value('lineNumber')}`, ...told] : told;
}

/** What is shown at the end: each failure first, then one line alone. */
export function describeResults({ passed, failures }: Results): string {
  const told = failures.map(({ path, why }) => {
    const indented = why.map((line) => `    ${line}`);
    return [`not ok  ${path.filter(Boolean).join(' > ')}`, ...indented, ''].join('\n');
  });
  return [...told, `${passed} passed, ${failures.length} failed`].join('\n');
}
