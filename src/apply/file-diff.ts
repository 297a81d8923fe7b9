// SPDX-License-Identifier: Apache-2.0
/** Two sets of files, compared by name: one unified diff a file. */
import { type ConfigFile, nameOf } from '../config/config-set.ts';
import { unifiedDiff } from '../lib/text-diff.ts';

export interface FileDiff {
  readonly name: string;
  readonly effect: 'added' | 'removed' | 'changed';
  readonly text: string;
}

/** Files that are the same are left out. */
export function diffFiles(before: readonly ConfigFile[], after: readonly ConfigFile[]): FileDiff[] {
  const [was, is] = [textsOf(before), textsOf(after)];
  return [...new Set([...was.keys(), ...is.keys()])].sort().flatMap((name): FileDiff[] => {
    const [old, now] = [was.get(name), is.get(name)];
    const text = unifiedDiff(name, old, now);
    if (text === '') return [];
    const effect = old === undefined ? 'added' : now === undefined ? 'removed' : 'changed';
    return [{ name, effect, text }];
  });
}

const textsOf = (files: readonly ConfigFile[]): Map<string, string> =>
  new Map(files.map((file) => [nameOf(file), Buffer.from(file.bytes ?? []).toString()]));
