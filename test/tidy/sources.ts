// SPDX-License-Identifier: Apache-2.0
/**
 * What the tidy tests read: the files of src/, test/ and native/, their imports, their text.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));
export const read = (path: string): string => readFileSync(join(root, path), 'utf8');

/** Files below a folder, as paths from the root. */
export function filesBelow(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .map((path) => join(folder, path))
    .filter((path) => statSync(join(root, path)).isFile())
    .sort();
}

export const typescript = ['src', 'test'].flatMap(filesBelow).filter((p) => p.endsWith('.ts'));
export const native = filesBelow('native').filter((path) => /\.[ch]$/.test(path));
export const written = [...typescript.filter((path) => !path.endsWith('.gen.ts')), ...native];
/** The control plane itself, without its tests. */
export const product = typescript.filter((p) => p.startsWith('src/') && !p.endsWith('.test.ts'));
/** These tests spell what they refuse. */
export const isTidy = (path: string): boolean => path.startsWith('test/tidy/');

export interface Import {
  readonly from: string;
  readonly what: string;
  readonly isType: boolean;
}

/** Import and re-export statements of a file, and what they name; relative ones from the root. */
export function importsOf(path: string): Import[] {
  const pattern =
    /(?:^|\n)\s*(?:import|export)\s+(type\s)?(?:[\w*{}\s,$]+?\sfrom\s+)?'([^']+)'|\bimport\('([^']+)'\)/g;
  return [...read(path).matchAll(pattern)].map((match) => {
    const what = match[2] ?? match[3] ?? '';
    const resolved = what.startsWith('.') ? normalize(join(dirname(path), what)) : what;
    return { from: path, what: resolved, isType: match[1] !== undefined };
  });
}

export const imports = product.flatMap(importsOf);

/** Source without comments, roughly: enough to find calls. */
export function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '');
}
