// SPDX-License-Identifier: Apache-2.0
/**
 * Values that remember where they are written, and what is said about them.
 *
 * Every step of config/ takes a Report and continues after an error, so that an operator sees all of
 * them at once. An error stops the configuration; a note does not.
 */
import type { Location, Note } from '../../model/model.ts';

export interface LocatedError {
  readonly at: Location;
  /** The field, e.g. `spec.ipPools[0].cidr`; empty for a whole document or file. */
  readonly path: string;
  /** What is wrong, naming the field. */
  readonly message: string;
  /** What to do. */
  readonly hint: string | undefined;
}

export interface Place {
  readonly at: Location;
  readonly path: string;
}

/** A value that passed its check, with the place of its text. */
export interface Located<T> extends Place {
  readonly value: T;
}

/** YAML without its syntax: what documents.ts makes and the shapes read. */
export type Value = ScalarValue | ListValue | MapValue;

export interface ScalarValue {
  readonly kind: 'scalar';
  readonly at: Location;
  readonly value: string | number | boolean | null;
  /** As written, without quotes: `1.10` is not 1.1. */
  readonly text: string;
}

export interface ListValue {
  readonly kind: 'list';
  readonly at: Location;
  readonly items: readonly Value[];
}

export interface MapValue {
  readonly kind: 'map';
  readonly at: Location;
  readonly entries: ReadonlyMap<string, MapEntry>;
}

export interface MapEntry {
  readonly keyAt: Location;
  readonly value: Value;
}

export interface Report {
  readonly errors: readonly LocatedError[];
  readonly notes: readonly Note[];
  /** @param problem - continues the sentence that the field's path begins */
  error(place: Place, problem: string, hint?: string): void;
  /** Gives a hint to the errors that have none, from the one with this index on. */
  hintSince(from: number, hint: string): void;
  /**
   * The same text is kept once: a folder of ten thousand Pods says it once too.
   *
   * @param isForForeignHost - it is true only where egretd does not set up the host
   */
  note(at: Location | undefined, text: string, isForForeignHost?: true): void;
}

export function makeReport(): Report {
  const errors: LocatedError[] = [];
  const notes: Note[] = [];
  const noteTexts = new Set<string>();
  return {
    errors,
    notes,
    error(place, problem, hint) {
      const message = place.path === '' ? problem : `${place.path}: ${problem}`;
      errors.push({ at: place.at, path: place.path, message, hint });
    },
    hintSince(from, hint) {
      for (let index = from; index < errors.length; index += 1) {
        const error = errors[index];
        if (error && error.hint === undefined) errors[index] = { ...error, hint };
      }
    },
    note(at, text, isForForeignHost) {
      if (noteTexts.has(text)) return;
      noteTexts.add(text);
      notes.push(isForForeignHost ? { at, text, isForForeignHost } : { at, text });
    },
  };
}

export function formatLocation(at: Location): string {
  return `${at.file}:${at.line}:${at.column}`;
}

/** By file, line and column; errors of one place keep their order. */
export function sortErrors(errors: readonly LocatedError[]): LocatedError[] {
  return [...errors].sort(
    (a, b) =>
      (a.at.file < b.at.file ? -1 : a.at.file > b.at.file ? 1 : 0) ||
      a.at.line - b.at.line ||
      a.at.column - b.at.column,
  );
}

/** Compiler-style: `file:line:column: message`, the hint on a line of its own. */
export function formatErrors(errors: readonly LocatedError[]): string {
  return errors
    .map(({ at, message, hint }) => {
      const line = `${formatLocation(at)}: ${message}`;
      return hint === undefined ? `${line}\n` : `${line}\n  hint: ${hint}\n`;
    })
    .join('');
}

/** What a value is, for "must be …, not …". Long texts are cut. */
export function describeValue(value: Value): string {
  if (value.kind === 'list') return 'a list';
  if (value.kind === 'map') return 'a mapping';
  if (value.value === null) return 'empty';
  if (typeof value.value === 'string') return quote(value.value);
  return value.text;
}

/** A text in quotes, cut after forty characters, on one line. */
export function quote(text: string): string {
  const cut = text.length > 40 ? `${text.slice(0, 40)}…` : text;
  return JSON.stringify(cut);
}
