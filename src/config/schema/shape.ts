// SPDX-License-Identifier: Apache-2.0
/**
 * Shapes: what a field may hold. One declaration of a kind's fields gives the check with its
 * messages, the type that resolve works with, and the rows of docs/resources.md.
 *
 * A value that breaks its shape is reported and reads as undefined (or its default), and reading
 * continues. Scalars stand in shape-scalars.ts.
 */

import { assert } from '../../lib/assert.ts';
import { nearestName } from '../../lib/nearest.ts';
import type { Location } from '../../model/model.ts';
import type { Located, MapEntry, MapValue, Place, Report, Value } from '../yaml/located.ts';
import { describeValue, formatLocation } from '../yaml/located.ts';
import type { Labels } from './selector.ts';

export interface Shape<Out> {
  /** What it takes, for messages and the reference page: `integer, 1 to 65535`. */
  readonly says: string;
  /** Of a mapping. */
  readonly fields: Fields | undefined;
  /** Of a list. */
  readonly item: Shape<unknown> | undefined;
  /** What it takes and nothing else, of a text or of true and false. */
  readonly choices?: readonly (string | boolean)[];
  /** A mapping that may have other fields, too. */
  readonly isPart?: boolean;
  /** An optional field with the text "" is absent: Go's empty value, as Calico takes it. */
  readonly isEmptyAbsent?: true;
  read(value: Value, path: string, report: Report): Out | undefined;
}

export interface Field<Out> {
  readonly shape: Shape<unknown>;
  /** One line, for the reference page. */
  readonly help: string;
  readonly isRequired: boolean;
  /** As the reference page shows it. */
  readonly defaultText: string | undefined;
  /** `silent`: metadata of the cluster; `note`: means nothing off-cluster. */
  readonly ignored: 'silent' | 'note' | undefined;
  readonly whenAbsent: (place: Place, report: Report) => Out;
}

// biome-ignore lint/suspicious/noExplicitAny: the table's rows have different types
export type Fields = { readonly [name: string]: Field<any> };

/** A mapping that was read: its fields, its place, and which fields were written at all. */
export type Read<F extends Fields> = {
  readonly [Name in keyof F]: F[Name] extends Field<infer Out> ? Out : never;
} & Place & {
    readonly present: readonly string[];
    /** Where fields stand that are written, and empty. */
    readonly emptyAt: ReadonlyMap<string, Location>;
  };

/** Where a field is missing: where it stands, if it is empty, otherwise at the mapping. */
export function missingAt(read: Read<Fields>, name: string): Place {
  return { at: read.emptyAt.get(name) ?? read.at, path: joinPath(read.path, name) };
}

export function required<Out>(shape: Shape<Out>, help: string): Field<Out | undefined> {
  return { ...optional(shape, help), isRequired: true };
}

export function optional<Out>(shape: Shape<Out>, help: string): Field<Out | undefined> {
  return {
    shape,
    help,
    isRequired: false,
    defaultText: undefined,
    ignored: undefined,
    whenAbsent: nothing,
  };
}

const nothing = (): undefined => undefined;

export function defaulted<Value extends Out, Out>(
  shape: Shape<Located<Out>>,
  value: Value,
  help: string,
  defaultText = String(value),
): Field<Located<Out>> {
  return {
    ...optional(shape, help),
    defaultText,
    whenAbsent: (place) => ({ value, at: place.at, path: place.path }),
  };
}

/** A mapping whose fields have defaults of their own: absent is the same as empty. */
export function section<F extends Fields>(shape: Shape<Read<F>>, help: string): Field<Read<F>> {
  return {
    ...optional(shape, help),
    whenAbsent: (place, report) => {
      const empty: MapValue = { kind: 'map', at: place.at, entries: new Map() };
      const read = shape.read(empty, place.path, report);
      assert(read !== undefined, 'a section reads when it is empty');
      return read;
    },
  };
}

/** Known to Calico or Kubernetes, without meaning on a box of its own. */
export function ignored(help: string, how: 'silent' | 'note' = 'note'): Field<undefined> {
  return { ...optional(anything, help), ignored: how };
}

/** Takes any value and keeps nothing of it. */
export const anything: Shape<undefined> = {
  says: 'anything',
  fields: undefined,
  item: undefined,
  read: () => undefined,
};

/** A mapping with known fields. @param owner - named in the error about an unknown field */
export function mapping<F extends Fields>(owner: string, fields: F): Shape<Read<F>> {
  return mappingOf(owner, fields, false);
}

/** Reads the known fields of a mapping and does not look at others: a cluster's own state. */
export function partOf<F extends Fields>(owner: string, fields: F): Shape<Read<F>> {
  return mappingOf(owner, fields, true);
}

function mappingOf<F extends Fields>(owner: string, fields: F, isPart: boolean): Shape<Read<F>> {
  const known = new Map(
    Object.entries(fields).map(([name, field]) => [name, new KnownField(name, field)]),
  );
  const awaited = [...known.values()].filter(
    ({ field }) => field.isRequired || field.whenAbsent !== nothing,
  );
  const table: FieldTable = { owner, known, awaited, isPart };
  return {
    says: 'mapping',
    fields,
    item: undefined,
    isPart,
    read(value, path, report) {
      if (value.kind !== 'map') {
        report.error({ at: value.at, path }, `must be a mapping, not ${describeValue(value)}`);
        return undefined;
      }
      return readFields(table, value, path, report) as Read<F>;
    },
  };
}

interface FieldTable {
  readonly owner: string;
  readonly known: ReadonlyMap<string, KnownField>;
  /** Those that are required or have a default. */
  readonly awaited: readonly KnownField[];
  /** Whether other fields are fine. */
  readonly isPart: boolean;
}

class KnownField {
  readonly name: string;
  readonly field: Field<unknown>;
  #prefix = '';
  #path: string;

  constructor(name: string, field: Field<unknown>) {
    this.name = name;
    this.field = field;
    this.#path = joinPath('', name);
  }

  /** Ten thousand Pods ask for the same path. @param prefix - the path of the mapping */
  pathIn(prefix: string): string {
    if (this.#prefix !== prefix) {
      this.#prefix = prefix;
      this.#path = joinPath(prefix, this.name);
    }
    return this.#path;
  }
}

/** Ten thousand Pods come through here, and what is made here stays: nothing that few fields need. */
function readFields(
  { owner, known, awaited, isPart }: FieldTable,
  value: MapValue,
  path: string,
  report: Report,
): Read<Fields> {
  const present: string[] = [];
  let emptyAt = noPlaces;
  const read: Record<string, unknown> = { at: value.at, path, present, emptyAt };
  for (const [name, entry] of value.entries) {
    const one = known.get(name);
    if (one === undefined) {
      if (isPart) continue;
      const near = nearestName(name, [...known.keys()]);
      report.error(
        { at: entry.keyAt, path: joinPath(path, name) },
        `${owner} has no such field`,
        near === undefined ? knownFields(known) : `Did you mean ${near}?`,
      );
      continue;
    }
    const { field } = one;
    if (isEmptyValue(entry.value) || isEmptyText(field, entry.value)) {
      emptyAt = new Map(emptyAt).set(name, placeOf(entry));
      continue;
    }
    present.push(one.name);
    if (field.ignored === 'silent') continue;
    const fieldPath = one.pathIn(path);
    if (field.ignored === 'note') {
      const general = fieldPath.replace(/\[\d+\]/g, '[]');
      report.note(entry.keyAt, `${owner}: ${general} has no effect here (${field.help})`);
      continue;
    }
    const errorCount = report.errors.length;
    read[name] = field.shape.read(entry.value, fieldPath, report);
    // What a field means helps when its value is wrong and its shape has nothing better to say.
    if (report.errors.length > errorCount) report.hintSince(errorCount, `${field.help}.`);
  }
  read['emptyAt'] = emptyAt;
  // A copy has no room to grow.
  read['present'] = present.slice();
  for (const one of awaited) {
    const { name, field } = one;
    if (read[name] !== undefined) continue;
    const entry = value.entries.get(name);
    const place = { at: entry ? placeOf(entry) : value.at, path: one.pathIn(path) };
    if (field.isRequired && !present.includes(name)) {
      report.error(place, 'the field is required', `${field.help} (${field.shape.says}).`);
    }
    read[name] = field.whenAbsent(place, report);
  }
  return read as Read<Fields>;
}

const noPlaces: ReadonlyMap<string, Location> = new Map();

/** An empty value stands nowhere: its key does. */
function placeOf({ keyAt, value }: MapEntry): Location {
  return isEmptyValue(value) ? keyAt : value.at;
}

function isEmptyText({ isRequired, shape }: Field<unknown>, value: Value): boolean {
  const isText = value.kind === 'scalar' && value.value === '';
  return isText && !isRequired && shape.isEmptyAbsent === true;
}

function knownFields(known: FieldTable['known']): string {
  const names = [...known.values()].flatMap(({ name, field }) =>
    field.ignored === undefined ? [name] : [],
  );
  return names.length > 30 ? 'docs/resources.md lists the fields.' : `Known: ${names.join(', ')}.`;
}

export function list<Out>(
  item: Shape<Out>,
  limits: { readonly min?: number; readonly max?: number } = {},
): Shape<Located<readonly Out[]>> {
  const { min = 0, max = Number.POSITIVE_INFINITY } = limits;
  return {
    says: `list of ${item.says}`,
    fields: undefined,
    item,
    read(value, path, report) {
      if (value.kind !== 'list') {
        report.error({ at: value.at, path }, `must be a list, not ${describeValue(value)}`);
        return undefined;
      }
      const count = value.items.length;
      if (count < min || count > max) {
        const wanted = count < min ? `at least ${min}` : `at most ${max}`;
        report.error({ at: value.at, path }, `the list has ${count} items; ${wanted} are needed`);
      }
      const items = value.items
        .map((one, index) => item.read(one, `${path}[${index}]`, report))
        .filter((one) => one !== undefined);
      // A copy has no room to grow.
      return { value: items.slice(), at: value.at, path };
    },
  };
}

/** Labels and annotations: text to text. Kubernetes refuses numbers and booleans; so does this. */
export function texts(what: string): Shape<TextMap> {
  return {
    says: `mapping of ${what} to texts`,
    fields: undefined,
    item: undefined,
    read(value, path, report) {
      if (value.kind !== 'map') {
        report.error({ at: value.at, path }, `must be a mapping, not ${describeValue(value)}`);
        return undefined;
      }
      const entries = new Map<string, LocatedText>();
      for (const [key, entry] of value.entries) {
        const { keyAt } = entry;
        const place = { at: entry.value.at, path: joinPath(path, key) };
        if (entry.value.kind !== 'scalar' || typeof entry.value.value !== 'string') {
          if (isEmptyValue(entry.value)) {
            entries.set(key, { ...place, keyAt, value: '' });
            continue;
          }
          report.error(
            place,
            `must be a text, not ${describeValue(entry.value)}`,
            entry.value.kind === 'scalar' ? `Quote it: "${entry.value.text}".` : undefined,
          );
          continue;
        }
        entries.set(key, { ...place, keyAt, value: entry.value.value });
      }
      return { at: value.at, path, entries };
    },
  };
}

/** A text of a map, with the place of its key. */
export interface LocatedText extends Located<string> {
  readonly keyAt: Location;
}

export interface TextMap extends Place {
  readonly entries: ReadonlyMap<string, LocatedText>;
}

/** The plain texts of a map; an absent one is empty. */
export function textsOf(map: TextMap | undefined): Labels {
  const plain = new Map<string, string>();
  for (const [key, { value }] of map?.entries ?? []) plain.set(key, value);
  return plain;
}

/** Reports every second appearance. @returns the first ones */
export function distinct<Item>(
  items: readonly Item[],
  keyOf: (item: Item) => Located<string> | undefined,
  report: Report,
  what: string,
): Item[] {
  const firsts = new Map<string, Located<string>>();
  return items.filter((item) => {
    const key = keyOf(item);
    if (key === undefined) return true;
    const first = firsts.get(key.value);
    if (first === undefined) {
      firsts.set(key.value, key);
      return true;
    }
    report.error(
      key,
      `${what} ${key.value} is given twice, first at ${formatLocation(first.at)}`,
      'Remove one of them.',
    );
    return false;
  });
}

export function isEmptyValue(value: Value): boolean {
  return value.kind === 'scalar' && value.value === null;
}

/** `spec` and `peerIP` to `spec.peerIP`; a key with dots or slashes is put into brackets. */
export function joinPath(path: string, name: string): string {
  if (!/^[A-Za-z_][\w-]*$/.test(name)) return `${path}[${JSON.stringify(name)}]`;
  return path === '' ? name : `${path}.${name}`;
}
