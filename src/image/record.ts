// SPDX-License-Identifier: Apache-2.0
/**
 * What is kept of updates on /data: the oldest version that is taken, what the slot that is tried must
 * show, and why the last trial failed. Written whole or not at all.
 */
import { dirname } from 'node:path';
import { type FileOperations, replaceFile } from '../lib/durable-files.ts';
import {
  choice,
  defaulted,
  type JsonValue,
  list,
  nullable,
  object,
  readJson,
  text,
  version as versionOf,
} from '../lib/json-schema.ts';
import { slotNames } from './grubenv.ts';
import { isVersion } from './semantic-version.ts';

const recordSchema = object({
  version: versionOf(1),
  /** Older versions are refused; it rises when a slot is confirmed. */
  floor: defaulted(text(), '0.0.0'),
  /** The slot that is to be tried or is being tried. */
  trial: defaulted(
    nullable(
      object({
        slot: choice(slotNames),
        version: text(),
        /** Networks that were ready when it was installed, and must be again. */
        networks: list(text()),
        /** Why it is not healthy, as far as it is known. */
        trouble: defaulted(text(), ''),
      }),
    ),
    null,
  ),
  /** The last trial, if the box came back from it. */
  failed: defaulted(
    nullable(object({ slot: choice(slotNames), version: text(), trouble: text() })),
    null,
  ),
});

export type UpdateRecord = JsonValue<typeof recordSchema>;
export type Trial = NonNullable<UpdateRecord['trial']>;

const emptyRecord: UpdateRecord = { version: 1, floor: '0.0.0', trial: null, failed: null };

/** A record that is not there or is damaged is an empty one. */
export async function readRecord(files: FileOperations, path: string): Promise<UpdateRecord> {
  try {
    const result = readJson(recordSchema, JSON.parse((await files.read(path)).toString('utf8')));
    return result.ok && isVersion(result.value.floor) ? result.value : emptyRecord;
  } catch {
    return emptyRecord;
  }
}

/** On disk when it returns. @throws the system's error */
export async function writeRecord(
  files: FileOperations,
  path: string,
  record: UpdateRecord,
): Promise<void> {
  await files.makeFolder(dirname(path), 0o755);
  const bytes = Buffer.from(`${JSON.stringify(record, undefined, 2)}\n`);
  await replaceFile(files, path, [bytes], 0o644);
}
