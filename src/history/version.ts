// SPDX-License-Identifier: Apache-2.0
/**
 * A version of the configuration in one file: a line of JSON that says what it is, and behind it the
 * bytes of its files, one after the other. Pure.
 *
 * The hash in the line is that of the files: a version that was damaged is noticed when it is read.
 */
import { join } from 'node:path';
import { type ConfigFile, hashOf, nameOf } from '../config/config-set.ts';
import {
  choice,
  integer,
  type JsonValue,
  list,
  nullable,
  object,
  readJson,
  text,
} from '../lib/json-schema.ts';

const versionSchema = object({
  /** Ascends, and is never given twice. */
  version: integer(),
  /** ISO 8601. */
  time: text(),
  who: text(),
  message: text(),
  /** first: taken at a start; rollback: a copy of the version `from`. */
  kind: choice(['first', 'applied', 'rollback']),
  from: nullable(integer()),
  /** What ran before it; 0: no configuration. */
  previous: integer(),
  /** Where its files lay. */
  folder: text(),
  /** hashOf its files. */
  hash: text(),
  files: list(object({ name: text(), bytes: integer() })),
});

export type Version = JsonValue<typeof versionSchema>;

/** What the writer of a version says about it. */
export type VersionOrigin = Pick<
  Version,
  'time' | 'who' | 'message' | 'kind' | 'from' | 'previous' | 'folder'
>;

export function makeVersion(
  version: number,
  origin: VersionOrigin,
  files: readonly ConfigFile[],
): Version {
  return {
    version,
    ...origin,
    hash: hashOf(files),
    files: files.map((file) => ({ name: nameOf(file), bytes: bytesOf(file).length })),
  };
}

export function encodeVersion(version: Version, files: readonly ConfigFile[]): Uint8Array[] {
  return [Buffer.from(`${JSON.stringify(version)}\n`), ...files.map(bytesOf)];
}

/** @returns undefined when the bytes hold no whole line, or another one */
export function decodeVersionLine(bytes: Buffer): Version | undefined {
  const end = bytes.indexOf('\n');
  if (end < 0) return undefined;
  try {
    const read = readJson(versionSchema, JSON.parse(bytes.toString('utf8', 0, end)));
    return read.ok ? read.value : undefined;
  } catch {
    return undefined;
  }
}

/** @returns undefined when the files are not those that the version had */
export function decodeFiles(version: Version, bytes: Buffer): ConfigFile[] | undefined {
  let start = bytes.indexOf('\n') + 1;
  const files = version.files.map(({ name, bytes: length }): ConfigFile => {
    start += length;
    return { path: join(version.folder, name), bytes: bytes.subarray(start - length, start) };
  });
  return start === bytes.length && hashOf(files) === version.hash ? files : undefined;
}

const nothing = new Uint8Array();
const bytesOf = ({ bytes }: ConfigFile): Uint8Array => bytes ?? nothing;
