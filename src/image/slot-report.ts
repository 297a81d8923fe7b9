// SPDX-License-Identifier: Apache-2.0
/**
 * What is known of the slots, as `egret image status` prints it. Only the image service can read
 * partitions; it leaves this in a file that every user may read, for `show version` too.
 */
import { existsSync, readFileSync } from 'node:fs';
import { EgretError } from '../lib/errors.ts';
import {
  boolean,
  choice,
  type JsonValue,
  list,
  nullable,
  object,
  readJson,
  text,
} from '../lib/json-schema.ts';
import type { Box } from './box.ts';
import { readBootChoice, type SlotName, slotNames } from './grubenv.ts';
import { signerOf, type TrustedKey } from './keys.ts';
import type { UpdateRecord } from './record.ts';
import { readLabel } from './slot.ts';
import type { OpenStorage } from './storage.ts';

const states = ['confirmed', 'on trial', 'to be tried', 'not confirmed', 'ready', 'incomplete'];

const slotSchema = object({
  version: nullable(text()),
  state: choice(states),
  signedBy: nullable(text()),
  /** Why the last trial of it failed. */
  trouble: nullable(text()),
});

const reportSchema = object({
  /** The slot that runs. */
  running: choice(slotNames),
  /** The slot that the box comes back to. */
  confirmed: choice(slotNames),
  slots: object({ a: slotSchema, b: slotSchema }),
  /** Updates of older versions are refused. */
  floor: text(),
  keys: list(object({ name: text(), isDevelopment: boolean() })),
});

export type SlotReport = JsonValue<typeof reportSchema>;
type SlotFacts = JsonValue<typeof slotSchema>;

export const reportPath = '/run/egret-image/slots.json';
export const keysFolder = '/usr/lib/egret/keys';

export interface ReportSetting {
  readonly box: Box;
  readonly open: OpenStorage;
  readonly keys: readonly TrustedKey[];
  readonly record: UpdateRecord;
}

export async function makeReport({ box, open, keys, record }: ReportSetting): Promise<SlotReport> {
  // GRUB starts slot a when grubenv cannot be read.
  const fallback = { good: 'a', try: undefined } as const;
  const choice = await readBootChoice(open, box.esp).catch((error) => {
    if (error instanceof EgretError) return fallback;
    throw error;
  });
  const facts = async (slot: SlotName): Promise<SlotFacts> => {
    const head = await readLabel(open, box.slots[slot]);
    const failed = record.failed?.slot === slot ? record.failed : undefined;
    const stateOf = (): SlotFacts['state'] => {
      if (slot === choice.good) return 'confirmed';
      if (slot === box.running) return 'on trial';
      if (!head) return 'incomplete';
      if (slot === choice.try) return 'to be tried';
      return failed ? 'not confirmed' : 'ready';
    };
    return {
      version: head?.manifest.version ?? null,
      state: stateOf(),
      signedBy: (head && signerOf(head, keys)?.name) ?? null,
      trouble: failed?.trouble ?? null,
    };
  };
  return {
    running: box.running,
    confirmed: choice.good,
    slots: { a: await facts('a'), b: await facts('b') },
    floor: record.floor,
    keys: keys.map(({ name, isDevelopment }) => ({ name, isDevelopment })),
  };
}

/** @returns undefined: this box does not run from an image, or has just started */
export function readReport(path = reportPath): SlotReport | undefined {
  if (!existsSync(path)) return undefined;
  const result = readJson(reportSchema, JSON.parse(readFileSync(path, 'utf8')));
  return result.ok ? result.value : undefined;
}

/** For people. */
export function reportText({ running, confirmed, slots, floor, keys }: SlotReport): string {
  const lines = slotNames.map((name) => {
    const { version, state, signedBy, trouble } = slots[name];
    const runs = name === running ? '*' : ' ';
    const signed = signedBy === null ? 'not signed by a trusted key' : `signed by ${signedBy}`;
    const why = trouble === null ? '' : `: ${trouble}`;
    const about = version === null ? state : `${version}, ${state}${why}; ${signed}`;
    return `${runs} slot ${name}  ${about}\n`;
  });
  const comesBack =
    running === confirmed
      ? ''
      : `Slot ${running} is tried; slot ${confirmed} comes back unless it is confirmed.\n`;
  return `${lines.join('')}${comesBack}Versions before ${floor} are refused.\n${keysText(keys)}`;
}

export function keysText(keys: SlotReport['keys']): string {
  if (keys.length === 0) return 'No key is trusted: only the console can install an update.\n';
  const names = keys.map(({ name, isDevelopment }) =>
    isDevelopment ? `${name} (a DEVELOPMENT key: not for production)` : name,
  );
  return `Trusted for updates: ${names.join(', ')}\n`;
}
