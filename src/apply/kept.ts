// SPDX-License-Identifier: Apache-2.0
/**
 * The history as the controller uses it: it knows which version runs in this process, and what is
 * written when that changes. A history that cannot be opened is tried again with each use.
 */
import { dirname } from 'node:path';
import { type ConfigFile, hashOf } from '../config/config-set.ts';
import type { History, Pending, RunningRecord } from '../history/history.ts';
import type { Version } from '../history/version.ts';
import type { Boot } from '../lib/boot.ts';
import type { Clock } from '../lib/clock.ts';
import { EgretError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { revertedRecord } from './start.ts';
import { versionNamed } from './versions.ts';

export interface KeptOptions {
  readonly history: History | undefined;
  /** @throws EgretError STATE_DIR_UNUSABLE */
  readonly openHistory: () => Promise<History>;
  readonly configPath: string;
  readonly clock: Clock;
  readonly boot: Boot;
  readonly log: Log;
}

export type Origin = Pick<Version, 'who' | 'message' | 'kind' | 'from'>;

export class Kept {
  readonly #options: KeptOptions;
  #history: History | undefined;
  /** The version that runs; 0: none. One that is not valid any more runs nowhere, but is recorded. */
  running = 0;

  constructor(options: KeptOptions) {
    this.#options = options;
    this.#history = options.history;
  }

  /** @throws EgretError STATE_DIR_UNUSABLE */
  async history(): Promise<History> {
    this.#history ??= await this.#options.openHistory();
    return this.#history;
  }

  get record(): RunningRecord | undefined {
    return this.#history?.record;
  }

  get pending(): Pending | null {
    return this.record?.pending ?? null;
  }

  /** @throws EgretError NOT_FOUND, VERSION_DAMAGED */
  async filesOf(version: number): Promise<readonly ConfigFile[]> {
    const files = await (await this.history()).filesOf(version);
    if (!files) throw new EgretError('VERSION_DAMAGED', { version });
    return files;
  }

  /** The files of what runs; none when it was never kept. */
  async runningFiles(): Promise<readonly ConfigFile[]> {
    return this.running === 0 ? [] : this.filesOf(this.running);
  }

  /** @param word - as versionNamed takes it. @throws EgretError USAGE, NOT_FOUND */
  async named(word: string): Promise<Version> {
    return versionNamed(await this.history(), this.running, word);
  }

  /**
   * Keeps files as the version that runs. While another one waits for `confirm`, so does this.
   *
   * @param confirmMs - until it is reverted
   * @throws EgretError STATE_NOT_WRITTEN: nothing was changed
   */
  async keep(
    files: readonly ConfigFile[],
    origin: Origin,
    confirmMs: number | undefined,
  ): Promise<Version> {
    const { configPath, clock } = this.#options;
    const history = await this.history();
    const previous = this.running;
    const about = {
      ...origin,
      time: new Date(clock.wallMs()).toISOString(),
      previous,
      folder: dirname(files[0]?.path ?? configPath),
    };
    const record = {
      version: 1 as const,
      configPath,
      pending: this.#pendingAfter(origin.who, confirmMs),
      reverted: history.record?.reverted ?? [],
      // What is rolled back is not to come back because a file was touched.
      refused: origin.kind === 'rollback' ? (history.find(previous)?.hash ?? '') : '',
    };
    const version = await history.add(about, files, record).catch(notWritten);
    this.running = version.version;
    return version;
  }

  /** @throws EgretError NOTHING_TO_CONFIRM, STATE_NOT_WRITTEN */
  async confirm(): Promise<number> {
    const { record } = this;
    if (!record?.pending) throw new EgretError('NOTHING_TO_CONFIRM');
    await this.#write({ ...record, pending: null });
    return record.running;
  }

  /** Another deadline for what waits for `confirm`; when nothing does, nothing is done. */
  async waitLonger(who: string, confirmMs: number | undefined): Promise<void> {
    const { record } = this;
    if (!record?.pending || confirmMs === undefined) return;
    await this.#write({ ...record, pending: this.#pendingAfter(who, confirmMs) });
  }

  /**
   * What waits for `confirm` is reverted. A disk that refuses does not keep the box from its way back:
   * the deadline is written there, and a restart reverts again.
   *
   * @returns the version that is to run
   */
  async revert(): Promise<number> {
    const history = await this.history();
    if (!history.record) return this.running;
    const next = revertedRecord(history.record, history);
    await this.#tryToWrite(next);
    return next.running;
  }

  /** Files that `config.watch` is to leave alone until they change. */
  async refuse(files: readonly ConfigFile[]): Promise<void> {
    await this.#refused(hashOf(files));
  }

  async refuseNone(): Promise<void> {
    await this.#refused('');
  }

  isRefused(files: readonly ConfigFile[]): boolean {
    return this.record?.refused === hashOf(files);
  }

  /** The file that says what runs was lost. */
  async recordAgain(): Promise<void> {
    const { configPath } = this.#options;
    const rest = { pending: null, reverted: [], refused: '' };
    await this.#tryToWrite({ version: 1, configPath, running: this.running, ...rest });
  }

  async #refused(refused: string): Promise<void> {
    const { record } = this;
    if (record && record.refused !== refused) await this.#tryToWrite({ ...record, refused });
  }

  #pendingAfter(who: string, confirmMs: number | undefined): Pending | null {
    const { pending } = this;
    if (confirmMs === undefined) return pending;
    const { clock, boot } = this.#options;
    return {
      previous: pending?.previous ?? this.running,
      who,
      until: new Date(clock.wallMs() + confirmMs).toISOString(),
      bootId: boot.id,
      untilAgeMs: Math.round(boot.ageMs() + confirmMs),
    };
  }

  async #write(record: RunningRecord): Promise<void> {
    await (await this.history()).point(record).catch(notWritten);
  }

  async #tryToWrite(record: RunningRecord): Promise<void> {
    try {
      await this.#write(record);
    } catch (error) {
      this.#options.log.error({ error }, 'the history was not written');
    }
  }
}

function notWritten(cause: unknown): never {
  const { code, message } = cause as NodeJS.ErrnoException;
  throw new EgretError('STATE_NOT_WRITTEN', { reason: code ?? message }, { cause });
}
