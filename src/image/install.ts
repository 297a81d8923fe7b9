// SPDX-License-Identifier: Apache-2.0
/**
 * Writes an update into the slot that does not run, and has GRUB try it once.
 *
 *   head: signature, version, sizes ─▶ nothing is to be tried ─▶ label erased ─▶ parts written
 *     ─▶ read back ─▶ label written ─▶ what it must show is recorded ─▶ `try` set
 *
 * Each step is on disk before the next one begins. The power may be cut at any moment: before the last
 * step the next start is the running slot's, after it the new one is tried, and it is whole.
 */
import type { FileOperations } from '../lib/durable-files.ts';
import { EgretError } from '../lib/errors.ts';
import type { Box } from './box.ts';
import { ByteSource } from './byte-source.ts';
import { otherSlot, readBootChoice, type SlotName, writeBootChoice } from './grubenv.ts';
import { signerOf, type TrustedKey } from './keys.ts';
import { readRecord, writeRecord } from './record.ts';
import { compareVersions } from './semantic-version.ts';
import { eraseLabel, roomFor, verifyPart, writeLabel, writePart } from './slot.ts';
import type { OpenStorage } from './storage.ts';
import { type Head, invalid, type PartName, readHead } from './update-head.ts';

export interface InstallSetting {
  readonly box: Box;
  readonly open: OpenStorage;
  readonly files: FileOperations;
  /** Of the record on /data. */
  readonly recordPath: string;
  readonly keys: readonly TrustedKey[];
  /** What is not signed by one of the keys is taken too. */
  readonly allowsUnsigned: boolean;
  /** Names of the networks that are ready now. */
  readonly readyNetworks: () => Promise<readonly string[]>;
}

export interface Installed {
  readonly slot: SlotName;
  readonly version: string;
}

/**
 * @param update - its bytes, of which little is held at a time
 * @returns yields what was done, in lines
 * @throws EgretError; what was refused by its head has changed nothing
 */
export async function* install(
  update: AsyncIterable<Uint8Array>,
  setting: InstallSetting,
): AsyncGenerator<string, Installed> {
  const { box, open, files, recordPath, keys } = setting;
  const source = new ByteSource(update);
  const slot = otherSlot(box.running);
  const target = box.slots[slot];
  const { good } = await readBootChoice(open, box.esp);
  // The good slot is never written: it is where the box comes back to.
  if (box.isTried && good !== box.running) throw new EgretError('SLOT_UNCONFIRMED');

  const head = await readHead((bytes) => source.take(bytes));
  const { version, parts } = head.manifest;
  const signer = signerOf(head, keys);
  if (!signer && !setting.allowsUnsigned) throw refused(head);
  const record = await readRecord(files, recordPath);
  if (compareVersions(version, record.floor) < 0) {
    throw new EgretError('UPDATE_TOO_OLD', { version, floor: record.floor });
  }
  for (const { name, bytes } of parts) {
    if (bytes > roomFor(target, name as PartName)) throw invalid(`its part ${name} has no room`);
  }
  const by = signer ? `signed by ${signer.name}` : 'not signed by a trusted key';
  yield `version ${version}, ${by}; writing slot ${slot}\n`;

  await writeBootChoice(open, box.esp, { good: box.running, try: undefined });
  // One that was to be tried is written over.
  if (record.trial) await writeRecord(files, recordPath, { ...record, trial: null });
  await eraseLabel(open, target);
  for (const part of parts) await writePart(open, target[part.name as PartName], part, source);
  if (!(await source.isAtEnd())) throw invalid('more follows its parts');
  for (const part of parts) await verifyPart(open, target[part.name as PartName], part);
  await writeLabel(open, target, head);
  yield `slot ${slot} is written and was read back\n`;

  const networks = await setting.readyNetworks();
  const trial = { slot, version, networks, trouble: '' };
  await writeRecord(files, recordPath, { ...record, trial, failed: null });
  await writeBootChoice(open, box.esp, { good: box.running, try: slot });
  return { slot, version };
}

function refused({ signature }: Head): EgretError {
  const what = signature.length === 0 ? 'is not signed' : 'is not signed by a trusted key';
  return new EgretError('UPDATE_UNSIGNED', { what });
}
