// SPDX-License-Identifier: Apache-2.0
/**
 * grubenv: which slot GRUB starts (images/grub/grub.cfg). GRUB reads and writes 1,024 bytes where they
 * lie, and so does this: a file that is made again can be left empty by a power cut.
 *
 *   good   the slot that is known to work: a or b; none: a
 *   try    a slot to start once; GRUB clears it before it does
 */
import { locateFile } from './fat.ts';
import type { OpenStorage, Partition, Storage } from './storage.ts';
import { using } from './storage.ts';

export const slotNames = ['a', 'b'] as const;
export type SlotName = (typeof slotNames)[number];

export interface BootChoice {
  readonly good: SlotName;
  readonly try: SlotName | undefined;
}

export const grubenvBytes = 1024;
const headline = '# GRUB Environment Block\n';
const path = ['grub', 'grubenv'];

export const otherSlot = (slot: SlotName): SlotName => (slot === 'a' ? 'b' : 'a');

/** Reads as grub.cfg does: what is empty, cut or damaged means slot a, and nothing to try. */
export function parseGrubenv(text: string): BootChoice {
  const variables = variablesOf(text);
  return {
    good: variables.get('good') === 'b' ? 'b' : 'a',
    try: slotNames.find((slot) => slot === variables.get('try')),
  };
}

/** @param text - as it was: variables of others stay, as far as they have room */
export function formatGrubenv(text: string, choice: BootChoice): string {
  const variables = variablesOf(text);
  variables.delete('good');
  variables.delete('try');
  // Ours come first, so that both lie in the first sector: a disk writes one whole or not at all.
  const lines = [`good=${choice.good}\n`, `try=${choice.try ?? ''}\n`];
  for (const [name, value] of variables) lines.push(`${name}=${value}\n`);
  let block = headline;
  for (const line of lines) {
    if (block.length + line.length <= grubenvBytes) block += line;
  }
  return block.padEnd(grubenvBytes, '#');
}

function variablesOf(text: string): Map<string, string> {
  const variables = new Map<string, string>();
  if (!text.startsWith(headline)) return variables;
  // Only lines that have their end: what is cut short counts for nothing.
  for (const line of text.slice(headline.length).split('\n').slice(0, -1)) {
    const [, name, value] = /^([A-Za-z_][A-Za-z0-9_]*)=([\x20-\x7e]*)$/.exec(line) ?? [];
    if (name !== undefined && value !== undefined) variables.set(name, value);
  }
  return variables;
}

/** @throws EgretError ESP_UNUSABLE */
export async function readBootChoice(open: OpenStorage, esp: Partition): Promise<BootChoice> {
  return using(open, esp.path, 'read', async (storage) => parseGrubenv(await read(storage)));
}

/** On disk when it returns. @throws EgretError ESP_UNUSABLE, or the system's error */
export async function writeBootChoice(
  open: OpenStorage,
  esp: Partition,
  choice: BootChoice,
): Promise<void> {
  await using(open, esp.path, 'write', async (storage) => {
    const position = await locateFile(storage, path, grubenvBytes);
    const text = formatGrubenv(await read(storage), choice);
    await storage.write(position, Buffer.from(text, 'latin1'));
    await storage.sync();
  });
}

async function read(storage: Storage): Promise<string> {
  const position = await locateFile(storage, path, grubenvBytes);
  return (await storage.read(position, grubenvBytes)).toString('latin1');
}
