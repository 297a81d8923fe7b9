// SPDX-License-Identifier: Apache-2.0
/**
 * How people name versions: by how far they lie back (0 runs, 1 ran before it), as `rollback` takes
 * them, or by their own number with a v (v12), which never changes.
 *
 * A version that was not confirmed does not count: `rollback 1` never leads back to it.
 */
import type { History } from '../history/history.ts';
import type { Version } from '../history/version.ts';
import { EgretError } from '../lib/errors.ts';

/** The versions that count, what runs first. */
export function stepsBack(history: History, running: number): Version[] {
  const reverted = new Set(history.record?.reverted);
  return history.versions
    .filter(({ version }) => version <= running && !reverted.has(version))
    .reverse();
}

/** @throws EgretError USAGE, NOT_FOUND */
export function versionNamed(history: History, running: number, word: string): Version {
  const [, mark, digits] = /^(v?)(\d{1,15})$/.exec(word) ?? [];
  if (digits === undefined) {
    throw new EgretError('USAGE', {
      what: `${word} is no version: 1 is the one before, v12 a number`,
    });
  }
  const number = Number(digits);
  const found = mark === 'v' ? history.find(number) : stepsBack(history, running)[number];
  if (!found) throw new EgretError('NOT_FOUND', { what: `version ${word}` });
  return found;
}
