// SPDX-License-Identifier: Apache-2.0
/**
 * What comments and pages refer to exists: files, sections of pages, ADRs, targets of the Makefile.
 */
import { readdirSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, test } from 'vitest';
import { filesBelow, isTidy, read, root, written } from './sources.ts';

const folders = ['src', 'test', 'native', 'docs', 'images', 'scripts'];
const files = [
  ...readdirSync(root, { withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ name }) => name),
  ...folders.flatMap(filesBelow),
];
const pages = files.filter((path) => path.endsWith('.md'));
const scripts = files.filter((path) => /(^Makefile|\.sh|native\/rooms)$/.test(path));

interface Reference {
  readonly from: string;
  readonly what: string;
}

/** The comments of a source; of a page everything. */
function proseOf(path: string): string {
  const text = read(path);
  if (path.endsWith('.md')) return text;
  if (scripts.includes(path)) return (text.match(/^\s*#.*$/gm) ?? []).join('\n');
  return (text.match(/\/\*[\s\S]*?\*\/|(?<!['":])\/\/.*$/gm) ?? []).join('\n');
}

const prose = [...written.filter((path) => !isTidy(path)), ...pages, ...scripts].map((from) => ({
  from,
  text: proseOf(from),
}));

function referencesTo(pattern: RegExp): Reference[] {
  return prose.flatMap(({ from, text }) =>
    [...text.matchAll(pattern)].map((match) => ({ from, what: match[1] ?? '' })),
  );
}

const spelled = (references: readonly Reference[]): string[] =>
  references.map(({ from, what }) => `${from}: ${what}`);

describe('comments and pages name', () => {
  test('files that exist', () => {
    const path = /(?<![\w/.<*-])((?:[\w.*-]+\/)*[a-zA-Z*][\w*-]*\.(?:c|h|ts|md|sh))\b(?!\()/g;
    const named = referencesTo(path);
    expect(named.length).toBeGreaterThan(200);
    // Headers of the system and of V8, sources of iproute2.
    const foreign = /^(linux|sys|net|netinet|ip)\/|^v8/;
    const isMissing = ({ from, what }: Reference): boolean =>
      !foreign.test(what) && !exists(dirname(from), what);
    expect(spelled(named.filter(isMissing))).toEqual([]);
  });

  test('folders that exist', () => {
    const named = referencesTo(/`((?:src|native|images|test|docs|scripts)\/(?:[\w-]+\/)*[\w-]*)`/g);
    expect(named.length).toBeGreaterThan(10);
    const isMissing = ({ what }: Reference): boolean =>
      !files.some((file) => file.startsWith(`${what.replace(/\/$/, '')}/`)) &&
      !files.includes(what);
    expect(spelled(named.filter(isMissing))).toEqual([]);
  });

  test('pages and sections that exist, where they link to them', () => {
    const links = referencesTo(/\]\(([^()\s]+)\)/g).filter(({ what }) => !/^https?:/.test(what));
    const broken = links.filter(({ from, what }) => {
      const [page = '', section] = what.split('#');
      const path = page === '' ? from : normalize(join(dirname(from), page));
      if (!files.includes(path) && !folders.includes(path.replace(/\/$/, ''))) return true;
      return section !== undefined && !sectionsOf(path).includes(section);
    });
    expect(spelled(broken)).toEqual([]);
  });

  test('ADRs that exist', () => {
    const numbers = files.flatMap((path) => /^docs\/adr\/(\d{4})-/.exec(path)?.[1] ?? []);
    const named = referencesTo(/\bADR (\d+)\b/g);
    expect(spelled(named.filter(({ what }) => !numbers.includes(what.padStart(4, '0'))))).toEqual(
      [],
    );
  });

  test('targets of the Makefile that exist', () => {
    const makefile = read('Makefile');
    const named = referencesTo(/`(?:sudo )?make ([a-z][a-z-]*)\b/g);
    expect(named.length).toBeGreaterThan(10);
    expect(
      spelled(named.filter(({ what }) => !new RegExp(`^${what}:`, 'm').test(makefile))),
    ).toEqual([]);
  });
});

/** A path from the root or from the file's folder, or the end of one; with * for any part of a name. */
function exists(folder: string, what: string): boolean {
  const pattern = what.replace(/\./g, '\\.').replace(/\*/g, '[^/]*');
  const end = new RegExp(`(^|/)${pattern}$`);
  return files.some((path) => end.test(path)) || files.includes(join(folder, what));
}

/** The anchors of a page's headings, as GitHub makes them. */
function sectionsOf(page: string): string[] {
  return [...read(page).matchAll(/^#+ (.+)$/gm)].map((match) =>
    (match[1] ?? '')
      .toLowerCase()
      .replace(/[^\w\s-]/g, '')
      .trim()
      .replace(/\s/g, '-'),
  );
}
