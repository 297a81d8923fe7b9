// SPDX-License-Identifier: Apache-2.0
/**
 * With which configuration egretd starts:
 *
 *   the one that ran ─▶ else the newest in the history that is valid ─▶ else --config ─▶ else none
 *
 * Files that were edited are not read as long as there is a history: only `egret apply` does. A
 * configuration that waits for `egret confirm` keeps its deadline when egretd was restarted; when the
 * box was, the one before it starts.
 */
import { type ConfigFile, type ConfigSet, hashOf } from '../config/config-set.ts';
import type { Resolution } from '../config/resolve/resolve.ts';
import type { LocatedError } from '../config/yaml/located.ts';
import { formatErrors } from '../config/yaml/located.ts';
import type { History, RunningRecord } from '../history/history.ts';
import type { Version } from '../history/version.ts';
import type { Boot } from '../lib/boot.ts';
import type { Log } from '../lib/log.ts';
import type { Model } from '../model/model.ts';
import { stepsBack } from './versions.ts';

export type Start =
  /** A version of the history. */
  | { readonly kind: 'version'; readonly model: Model; readonly version: number }
  /** --config, for the first time. */
  | { readonly kind: 'files'; readonly model: Model; readonly set: ConfigSet }
  /** No configuration; `errors` when there is one that is invalid. */
  | { readonly kind: 'empty'; readonly model: Model; readonly errors: readonly LocatedError[] }
  | { readonly kind: 'errors'; readonly errors: readonly LocatedError[] };

export interface StartOptions {
  /** undefined: it cannot be used. */
  readonly history: History | undefined;
  readonly configPath: string;
  readonly boot: Boot;
  readonly log: Log;
  /** Reads --config. */
  readonly read: () => ConfigSet;
  readonly resolve: (set: ConfigSet) => Resolution;
  /** Start without a configuration rather than not at all. */
  readonly mayBeEmpty: boolean;
}

export async function chooseStart(options: StartOptions): Promise<Start> {
  const { history, log } = options;
  if (history) {
    const running = await runningNow(history, options);
    for (const version of running) {
      const model = await modelOf(history, version, options);
      if (model) return { kind: 'version', model, version: version.version };
    }
    if (running.length > 0) log.error('no configuration of the history can be used');
  }
  return startFromFiles(options);
}

function startFromFiles(options: StartOptions): Start {
  const { read, resolve, history } = options;
  const set = read();
  const resolution = resolve(set);
  const isReverted = history?.record?.running === 0 && history.record.refused === hashOf(set.files);
  if (resolution.kind === 'model' && !isReverted) {
    return { kind: 'files', model: resolution.model, set };
  }
  const errors = resolution.kind === 'errors' ? resolution.errors : [];
  const empty = resolve(setOf([], set.path));
  const mayBeEmpty = options.mayBeEmpty || isReverted;
  if (!mayBeEmpty || empty.kind === 'errors') return { kind: 'errors', errors };
  return { kind: 'empty', model: empty.model, errors: set.files.length > 0 ? errors : [] };
}

/** @returns versions to start with, the best first; empty: --config is to be read */
async function runningNow(
  history: History,
  { configPath, boot, log }: StartOptions,
): Promise<Version[]> {
  const { record } = history;
  if (!record) return [...history.versions].reverse();
  if (record.configPath !== configPath) {
    log.info({ was: record.configPath, is: configPath }, 'the history is of another --config');
    return [];
  }
  const { pending } = record;
  if (!pending) return stepsBack(history, record.running);
  const isRebooted = pending.bootId !== boot.id;
  if (!isRebooted && boot.ageMs() < pending.untilAgeMs) return stepsBack(history, record.running);
  const reason = isRebooted ? 'the box was rebooted' : 'the deadline is over';
  log.warn(
    { version: record.running, reason },
    'not confirmed: the configuration before it starts',
  );
  const reverted = revertedRecord(record, history);
  await history.point(reverted).catch((error: unknown) => {
    log.error({ error }, 'the revert was not written');
  });
  return stepsBack(history, reverted.running).filter(({ version }) => version !== record.running);
}

/** What is recorded when a configuration was not confirmed. */
export function revertedRecord(record: RunningRecord, history: History): RunningRecord {
  const { pending, running, reverted } = record;
  return {
    ...record,
    running: pending?.previous ?? running,
    pending: null,
    // Those that were applied since, too: none of them was confirmed.
    reverted: [
      ...reverted.filter((version) => history.find(version)),
      ...history.versions
        .map(({ version }) => version)
        .filter((version) => pending && version > pending.previous && version <= running)
        .filter((version) => !reverted.includes(version)),
    ],
    refused: history.find(running)?.hash ?? '',
  };
}

async function modelOf(
  history: History,
  { version }: Version,
  { resolve, log, configPath }: StartOptions,
): Promise<Model | undefined> {
  const files = await history.filesOf(version);
  if (!files) {
    log.error({ version }, 'this configuration of the history is damaged');
    return undefined;
  }
  const resolution = resolve(setOf(files, configPath));
  if (resolution.kind === 'model') return resolution.model;
  const errors = formatErrors(resolution.errors).trimEnd().split('\n');
  log.error({ version, errors }, 'this configuration of the history is not valid');
  return undefined;
}

/** Files of the history as a set to check. */
export const setOf = (files: readonly ConfigFile[], path: string): ConfigSet => ({
  path,
  files,
  errors: [],
});
