// SPDX-License-Identifier: Apache-2.0
/**
 * The words that docs/style.md refuses, and the spelling of all others.
 *
 * The list is the table of that page, in one place. Of sources comments and texts are read, not names.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Files whose comments, prose and messages are read: folder, and the end of the name. */
const covered: readonly (readonly [folder: string, suffix: RegExp])[] = [
  ['.', /^[A-Z]+\.md$/],
  ['.github', /\.(md|yml)$/],
  ['docs', /\.(md|ts|yaml)$/],
  ['scripts', /^/],
  ['src', /\.ts$/],
  ['native', /^/],
  ['test', /\.(ts|ya?ml|md|sh)$/],
];

/** Where a refused word is the right one: links go up and down. */
const meant = /\bgoes (up|down)\b/gi;

/** Below a folder, from the root; of the root itself only what lies in it. */
function filesOf(folder: string, suffix: RegExp): string[] {
  return readdirSync(join(root, folder), { recursive: folder !== '.', withFileTypes: true })
    .filter((entry) => entry.isFile() && suffix.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name).slice(join(root, '/').length));
}

/** The first column of the table of refused words: what is in back quotes there. */
function refusedWords(): string[] {
  const page = readFileSync(join(root, 'docs/style.md'), 'utf8');
  const table = /^\| refused \|.*\n\|[-|]+\n((?:\|.*\n)+)/m.exec(page)?.[1] ?? '';
  return table.split('\n').flatMap((row) => {
    const [, column = ''] = row.split('|');
    return [...column.matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? '');
  });
}

/** Comments and texts of a source, each in its line. */
function proseOf(source: string): string {
  const prose =
    /\/\*[\s\S]*?\*\/|\/\/.*|'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`/g;
  let at = 0;
  let kept = '';
  for (const match of source.matchAll(prose)) {
    kept += source.slice(at, match.index).replaceAll(/[^\n]/g, '') + match[0];
    at = match.index + match[0].length;
  }
  return kept;
}

/** The table of docs/style.md itself, this test of it, and titles of tests that docs/rfc quotes. */
function isQuoted(path: string, line: string): boolean {
  if (path === 'test/words.test.ts') return true;
  if (path === 'docs/style.md') return line.startsWith('| `');
  if (path === 'docs/rfc.md') return line.startsWith('| ');
  return path.startsWith('docs/rfc/') && line.includes(' > ');
}

/** PATH:LINE: WORD. */
function findingsIn(path: string, words: readonly string[]): string[] {
  const pattern = new RegExp(`(?<![\\w-])(${words.join('|')})(?![\\w-])`, 'gi');
  const text = readFileSync(join(root, path), 'utf8');
  const lines = (/\.(ts|c|h)$/.test(path) ? proseOf(text) : text).replaceAll(meant, '').split('\n');
  return lines.flatMap((line, number) => {
    if (isQuoted(path, line)) return [];
    return [...line.matchAll(pattern)].map(([word]) => `${path}:${number + 1}: ${word}`);
  });
}

test('of a source comments and texts are read, and no names', () => {
  const source =
    'const gone = 1; // a word\nlet x = `two\nlines`; say("it\\"s", \'a\');\n/* b\n c */ d();';
  expect(proseOf(source).split('\n')).toEqual([
    '// a word',
    '`two',
    'lines`"it\\"s"\'a\'',
    '/* b',
    ' c */',
  ]);
});

test('no page, comment or message uses a word that style.md refuses', () => {
  const words = refusedWords();
  expect(words.length).toBeGreaterThan(20);
  expect(words).toContain('whoever');
  const paths = covered.flatMap(([folder, suffix]) => filesOf(folder, suffix));
  expect(paths).toContain('README.md');
  expect(paths).toContain('docs/architecture.md');
  expect(paths).toContain('src/appliance.ts');
  expect(paths).toContain('native/abi.h');
  expect(paths.flatMap((path) => findingsIn(path, words))).toEqual([]);
});

test('check-spelling finds a wrong word in a page and in a comment, and says where', () => {
  const folder = mkdtempSync(join(tmpdir(), 'egret-spelling-'));
  try {
    for (const name of ['.github', 'docs/rfc', 'src', 'test', 'native', 'scripts', 'images']) {
      mkdirSync(join(folder, name), { recursive: true });
    }
    writeFileSync(join(folder, 'docs/words.txt'), 'egretd\n');
    writeFileSync(
      join(folder, 'README.md'),
      'A page about egretd.\n\n```\nwrogn\n```\nA `mistaek`.\n',
    );
    writeFileSync(join(folder, 'src/a.ts'), '/** A comment. */\nconst fooo = 1; // all is well\n');
    writeFileSync(join(folder, 'Makefile'), '# A rule.\n');
    const check = () => {
      const script = join(root, 'scripts/check-spelling');
      const { status, stdout, stderr } = spawnSync(script, [folder], { encoding: 'utf8' });
      expect(stderr).toBe('');
      return { status, lines: stdout.split('\n').filter(Boolean) };
    };
    expect(check()).toEqual({ status: 0, lines: [] });
    writeFileSync(join(folder, 'docs/page.md'), 'First.\n\nA smal error.\n');
    writeFileSync(join(folder, 'src/a.ts'), '/** A commment. */\n');
    const { status, lines } = check();
    expect(status).toBe(1);
    expect(lines).toEqual([
      'commment: src/a.ts:1:/** A commment. */',
      'smal: docs/page.md:3:A smal error.',
    ]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('the words of docs/words.txt are sorted, and lower case', () => {
  const list = readFileSync(join(root, 'docs/words.txt'), 'utf8').trimEnd().split('\n');
  expect(list).toEqual([...new Set(list)].sort());
  expect(list.filter((word) => !/^[a-z]+$/.test(word))).toEqual([]);
});

/** A repository with one commit for each message; the second one changes many lines. */
function commitsWith(
  messages: readonly { title: string; body?: string; lines?: number }[],
): string {
  const folder = mkdtempSync(join(tmpdir(), 'egret-commits-'));
  const git = (...words: string[]): void => {
    const identity = ['-c', 'user.name=A', '-c', 'user.email=a@example.net'];
    execFileSync('git', ['-C', folder, ...identity, ...words], { stdio: 'pipe' });
  };
  git('init', '-q', '-b', 'main');
  git('commit', '-q', '--allow-empty', '-m', 'build: begin');
  git('checkout', '-q', '-b', 'change');
  for (const [number, { title, body, lines }] of messages.entries()) {
    if (lines) {
      writeFileSync(join(folder, `${number}.txt`), 'a line\n'.repeat(lines));
      git('add', '.');
    }
    git('commit', '-q', '--allow-empty', '-m', body ? `${title}\n\n${body}` : title);
  }
  return folder;
}

function checkCommits(messages: Parameters<typeof commitsWith>[0]) {
  const folder = commitsWith(messages);
  try {
    const script = join(root, 'scripts/check-commits');
    const { status, stdout } = spawnSync(script, { cwd: folder, encoding: 'utf8' });
    const faults = stdout.split('\n').filter(Boolean);
    return { status, faults: faults.map((line) => line.replace(/^\w+ /, '')) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('check-commits takes messages as CONTRIBUTING.md has them', () => {
  const result = checkCommits([
    { title: 'bgp: keep stale routes over a second refresh' },
    { title: 'status, appliance: pass the reason on', body: 'It was lost at the seam.' },
    { title: 'native: read a fragment once', body: 'Twice costs 3 ns.', lines: 200 },
    { title: 'docs: explain the guard', lines: 20 },
  ]);
  expect(result).toEqual({ status: 0, faults: [] });
});

test.each([
  ['keep stale routes', 'the title has no area (area: what changes)'],
  ['router: keep stale routes', 'router is no area'],
  ['bgp: Keep stale routes', "the title begins with 'Keep'; it begins with a verb in lower case"],
  ['bgp: keeps stale routes', "'keeps' is not imperative"],
  ['bgp: fixed a crash', "'fixed' is not imperative"],
  ['bgp: adding a test', "'adding' is not imperative"],
  ['bgp: the routes of a neighbor', "the title begins with 'the'; it begins with a verb"],
  ['bgp: keep stale routes.', 'the title ends with a full stop'],
  [`bgp: keep ${'stale '.repeat(13)}routes`, 'the title has 94 characters, not 80'],
  ['fixup! bgp: keep stale routes', 'the commit is not finished'],
])('check-commits refuses "%s"', (title, fault) => {
  expect(checkCommits([{ title }])).toEqual({ status: 1, faults: [`${title}: ${fault}`] });
});

test('check-commits wants a body for a large change, in lines that can be read', () => {
  const title = 'rib: rewrite the decision';
  expect(checkCommits([{ title, lines: 200 }]).faults).toEqual([
    `${title}: 200 lines change, and no body says why`,
  ]);
  expect(checkCommits([{ title, body: 'word '.repeat(40) }]).faults).toEqual([
    `${title}: a line of the body has more than 120 columns`,
  ]);
});
