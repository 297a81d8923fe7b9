// SPDX-License-Identifier: Apache-2.0
/**
 * What a start makes of the record: a slot that is tried is confirmed once the box is healthy, or the
 * box restarts, and GRUB is back on the good slot. In every other start the running version is the
 * oldest that is taken from now on, and a trial that is still recorded has failed.
 */
import { isDeepStrictEqual } from 'node:util';
import type { FileOperations } from '../lib/durable-files.ts';
import type { Box } from './box.ts';
import { readBootChoice, writeBootChoice } from './grubenv.ts';
import { readRecord, type Trial, type UpdateRecord, writeRecord } from './record.ts';
import { newest } from './semantic-version.ts';
import type { OpenStorage } from './storage.ts';

export interface TrialSetting {
  readonly box: Box;
  readonly open: OpenStorage;
  readonly files: FileOperations;
  readonly recordPath: string;
  /** Of the running program. */
  readonly version: string;
  /** @returns why the box is not healthy yet; undefined: it is */
  readonly trouble: (networks: readonly string[]) => Promise<string | undefined>;
  /** Until the next question. @returns false: the time is over */
  readonly waits: () => Promise<boolean>;
  readonly log: (line: string) => void;
}

export type TrialOutcome = 'confirmed' | 'to restart';

/** @returns what is to be done now: `to restart` only for a slot that is tried and is not healthy */
export async function settle(setting: TrialSetting): Promise<TrialOutcome> {
  const { box, open, files, recordPath, version, log } = setting;
  const record = await readRecord(files, recordPath);
  if (!(await isOnTrial(setting))) {
    const { trial } = record;
    const floor = newest(record.floor, version);
    // One of this slot was confirmed in grubenv, and the power was cut before that was recorded.
    const isOver = trial !== null && trial.slot !== box.running;
    const failed = isOver ? failureOf(trial) : record.failed;
    if (isOver) log(`slot ${trial.slot} was not confirmed: ${failed?.trouble}`);
    const next: UpdateRecord = { version: 1, floor, trial: null, failed };
    if (!isDeepStrictEqual(next, record)) await writeRecord(files, recordPath, next);
    return 'confirmed';
  }
  const { trial } = record;
  if (trial?.slot !== box.running) {
    // Then /data is not the one on which it was recorded, and keys and config are not either.
    log('no trial of this slot is recorded on /data');
    return 'to restart';
  }
  let trouble = await setting.trouble(trial.networks);
  while (trouble !== undefined) {
    if (!(await setting.waits())) {
      log(`slot ${trial.slot} is not healthy: ${trouble}`);
      await writeRecord(files, recordPath, { ...record, trial: { ...trial, trouble } });
      return 'to restart';
    }
    trouble = await setting.trouble(trial.networks);
  }
  await writeBootChoice(open, box.esp, { good: box.running, try: undefined });
  const floor = newest(record.floor, trial.version);
  await writeRecord(files, recordPath, { version: 1, floor, trial: null, failed: null });
  log(`slot ${trial.slot} is confirmed`);
  return 'confirmed';
}

async function isOnTrial({ box, open }: TrialSetting): Promise<boolean> {
  return box.isTried && (await readBootChoice(open, box.esp)).good !== box.running;
}

const failureOf = ({ slot, version, trouble }: Trial) => ({
  slot,
  version,
  trouble: trouble || 'it did not come up in time',
});
