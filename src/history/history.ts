// SPDX-License-Identifier: Apache-2.0
/**
 * The configurations that ran, on disk, and which of them runs.
 *
 *   STATE/running.json      which version runs, and until when it waits for `egret confirm`
 *   STATE/versions/N        version N, whole (version.ts)
 *
 * A version is written before running.json names it, and both by replaceFile: after a crash at any
 * moment the old or the new configuration runs. A version that running.json never named is removed.
 *
 * One writer: the caller sees to that (its lock, and one change at a time).
 */
import { join } from 'node:path';
import type { ConfigFile } from '../config/config-set.ts';
import { type FileOperations, removeFile, replaceFile } from '../lib/durable-files.ts';
import {
  defaulted,
  integer,
  type JsonValue,
  list,
  nullable,
  object,
  readJson,
  text,
  version as versionOf,
} from '../lib/json-schema.ts';
import {
  decodeFiles,
  decodeVersionLine,
  encodeVersion,
  makeVersion,
  type Version,
  type VersionOrigin,
} from './version.ts';

const recordSchema = object({
  version: versionOf(1),
  /** --config: another path is another configuration. */
  configPath: text(),
  /** 0: no configuration. */
  running: integer(),
  /** What happens unless it is confirmed in time. */
  pending: nullable(
    object({
      /** Runs again then; 0: no configuration does. */
      previous: integer(),
      who: text(),
      /** ISO 8601, for people. */
      until: text(),
      /** The boot, and its age at the deadline: no change of the clock moves it. */
      bootId: text(),
      untilAgeMs: integer(),
    }),
  ),
  /** Versions that were not confirmed. */
  reverted: defaulted(list(integer()), []),
  /** Hash of the files that were refused or reverted last; `config.watch` ignores them. */
  refused: defaulted(text(), ''),
});

/** Which version runs. */
export type RunningRecord = JsonValue<typeof recordSchema>;
export type Pending = NonNullable<RunningRecord['pending']>;

export const versionsMax = 50;

/** Configurations hold passwords. */
const folderMode = 0o700;
const fileMode = 0o600;
/** Of most versions, this holds the line. */
const lineBytes = 65_536;

export class History {
  readonly #files: FileOperations;
  readonly #folder: string;
  #versions: Version[] = [];
  #record: RunningRecord | undefined;

  private constructor(files: FileOperations, folder: string) {
    this.#files = files;
    this.#folder = folder;
  }

  /** Reads what is there, and removes what was left unfinished. @throws the system's error */
  static async open(files: FileOperations, folder: string): Promise<History> {
    const history = new History(files, folder);
    await files.makeFolder(history.#versionsFolder, folderMode);
    history.#record = await history.#readRecord();
    await history.#readVersions();
    return history;
  }

  /** Those that can be read, the oldest first. */
  get versions(): readonly Version[] {
    return this.#versions;
  }

  /** undefined: no version was ever run, or the file was damaged. */
  get record(): RunningRecord | undefined {
    return this.#record;
  }

  find(version: number): Version | undefined {
    return this.#versions.find((each) => each.version === version);
  }

  /** @returns undefined when the version is not there, or was damaged */
  async filesOf(version: number): Promise<ConfigFile[] | undefined> {
    const found = this.find(version);
    if (!found) return undefined;
    try {
      return decodeFiles(found, await this.#files.read(this.#path(version)));
    } catch {
      return undefined;
    }
  }

  /**
   * Keeps a version and makes it the one that runs.
   *
   * @param record - without `running`
   * @throws the system's error: the one before still runs, also after a restart
   */
  async add(
    origin: VersionOrigin,
    files: readonly ConfigFile[],
    record: Omit<RunningRecord, 'running'>,
  ): Promise<Version> {
    const number = Math.max(0, this.#record?.running ?? 0, ...this.#versions.map(numberOf)) + 1;
    const version = makeVersion(number, origin, files);
    const path = this.#path(number);
    try {
      await replaceFile(this.#files, path, encodeVersion(version, files), fileMode);
      this.#versions.push(version);
      await this.point({ ...record, running: number });
    } catch (error) {
      this.#versions = this.#versions.filter((each) => each !== version);
      await this.#files.remove(path).catch(() => {});
      throw error;
    }
    await this.#removeOldest();
    return version;
  }

  /** Says which version runs. @throws the system's error: what was said before stays */
  async point(record: RunningRecord): Promise<void> {
    const before = this.#record;
    try {
      await this.#writeRecord(record);
    } catch (error) {
      // It may stand there already, though it was not forced to disk.
      if (before) await this.#writeRecord(before).catch(() => {});
      else await this.#files.remove(this.#recordPath).catch(() => {});
      throw error;
    }
    this.#record = record;
  }

  get #recordPath(): string {
    return join(this.#folder, 'running.json');
  }

  get #versionsFolder(): string {
    return join(this.#folder, 'versions');
  }

  #path(version: number): string {
    return join(this.#versionsFolder, `${version}`);
  }

  #writeRecord(record: RunningRecord): Promise<void> {
    const bytes = Buffer.from(`${JSON.stringify(record)}\n`);
    return replaceFile(this.#files, this.#recordPath, [bytes], fileMode);
  }

  async #readRecord(): Promise<RunningRecord | undefined> {
    try {
      const text = (await this.#files.read(this.#recordPath)).toString();
      const read = readJson(recordSchema, JSON.parse(text));
      return read.ok ? read.value : undefined;
    } catch {
      return undefined; // There is none, or it is none: the newest version is taken.
    }
  }

  async #readVersions(): Promise<void> {
    for (const name of await this.#files.list(this.#versionsFolder)) {
      const path = join(this.#versionsFolder, name);
      const number = /^[1-9]\d{0,14}$/.test(name) ? Number(name) : undefined;
      if (number === undefined || this.#wasNeverRun(number)) {
        await this.#files.remove(path).catch(() => {});
        continue;
      }
      const version = await this.#readLine(path);
      if (version?.version === number) this.#versions.push(version);
    }
    this.#versions.sort((a, b) => a.version - b.version);
  }

  /** A crash came before running.json named it. */
  #wasNeverRun(version: number): boolean {
    if (!this.#record) return false;
    return version > this.#record.running && !this.#record.reverted.includes(version);
  }

  async #readLine(path: string): Promise<Version | undefined> {
    const start = await this.#files.readStart(path, lineBytes);
    return decodeVersionLine(start.includes('\n') ? start : await this.#files.read(path));
  }

  /** What cannot be removed now is removed with the next one. */
  async #removeOldest(): Promise<void> {
    const kept = new Set([this.#record?.running, this.#record?.pending?.previous]);
    const removable = this.#versions.filter(({ version }) => !kept.has(version));
    for (const { version } of removable.slice(
      0,
      Math.max(0, this.#versions.length - versionsMax),
    )) {
      await removeFile(this.#files, this.#path(version)).catch(() => {});
      this.#versions = this.#versions.filter((each) => each.version !== version);
    }
  }
}

const numberOf = ({ version }: Version): number => version;
