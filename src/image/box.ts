// SPDX-License-Identifier: Apache-2.0
/**
 * The box that runs from an image: which slot runs, and where its partitions are. They are found on
 * the disk of the running slot, so that a second disk with the same labels changes nothing.
 */
import { readdirSync, readFileSync, realpathSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { EgretError } from '../lib/errors.ts';
import { type SlotName, slotNames } from './grubenv.ts';
import type { Partition } from './storage.ts';

export interface SlotPartitions {
  readonly boot: Partition;
  readonly root: Partition;
}

export interface Box {
  readonly running: SlotName;
  /** GRUB has started the running slot to try it; also when it was confirmed since. */
  readonly isTried: boolean;
  readonly esp: Partition;
  readonly slots: Readonly<Record<SlotName, SlotPartitions>>;
}

/** Where the initramfs has left the slot's file system (images/initramfs). */
const slotMount = '/run/egret-image/slot';

/** @throws EgretError NO_IMAGE: this system does not run from a slot */
export function findBox(root = '/'): Box {
  const words = readText(join(root, 'proc/cmdline')).trim().split(' ');
  const running = slotNames.find((slot) => words.includes(`egret.slot=${slot}`));
  const mount = readText(join(root, 'proc/self/mountinfo'))
    .split('\n')
    .find((line) => line.split(' ')[4] === slotMount);
  const device = mount?.split(' ')[2];
  if (running === undefined || device === undefined) throw new EgretError('NO_IMAGE');
  const partitions = partitionsNextTo(root, device);
  const partition = (name: string): Partition => {
    const found = partitions.get(name);
    if (!found) throw new EgretError('PARTITION_MISSING', { name });
    return found;
  };
  const slot = (name: SlotName): SlotPartitions => ({
    boot: partition(`egret-boot-${name}`),
    root: partition(`egret-${name}`),
  });
  return {
    running,
    isTried: words.includes('egret.try=1'),
    esp: partition('egret-esp'),
    slots: { a: slot('a'), b: slot('b') },
  };
}

/** By label, those of the disk on which `device` (MAJOR:MINOR) is one. */
function partitionsNextTo(root: string, device: string): Map<string, Partition> {
  const own = realpathSync(join(root, 'sys/dev/block', device));
  const disk = dirname(own);
  const found = new Map<string, Partition>();
  for (const entry of readdirSync(disk, { withFileTypes: true })) {
    if (!entry.isDirectory() || !entry.name.startsWith(basename(disk))) continue;
    const folder = join(disk, entry.name);
    const facts = readText(join(folder, 'uevent'));
    const [label, name] = ['PARTNAME', 'DEVNAME'].map(
      (key) => new RegExp(`^${key}=(.+)$`, 'm').exec(facts)?.[1],
    );
    if (label === undefined || name === undefined) continue;
    // In sectors of 512 bytes, whatever the disk's are.
    const bytes = Number(readText(join(folder, 'size'))) * 512;
    found.set(label, { path: join(root, 'dev', name), bytes });
  }
  return found;
}

/** @returns '' when it cannot be read */
function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
