// SPDX-License-Identifier: Apache-2.0
/**
 * The disk: which partition lies where. Partition numbers stand in images/grub/grub.cfg, names in
 * images/initramfs and in `egret image`.
 *
 * Each slot has two partitions: its root, a squashfs, and what GRUB reads, kernel and initrd, in a
 * squashfs of its own that GRUB 2.06 can read. An update writes both of the other slot and touches
 * nothing by which this one starts.
 */

export interface Partition {
  readonly name: string;
  /** GPT type. */
  readonly type: string;
  readonly startMiB: number;
  readonly sizeMiB: number;
  /** Unique GUID: the same in each build. */
  readonly uuid: string;
}

const types = {
  biosBoot: '21686148-6449-6E6F-744E-656564454649',
  esp: 'C12A7328-F81F-11D2-BA4B-00A0C93EC93B',
  boot: 'BC13C2FF-59E6-4262-A352-B275FD6F7172',
  root: '4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709',
  data: '0FC63DAF-8483-4772-8E79-3D69D8477DE4',
};

/** Size of the disk. On a larger one /data grows at the first start. */
export const diskMiB = 4096;
export const sectorsPerMiB = 2048;
/** First sector of the partition for GRUB's core, behind the partition table. */
export const biosBootSector = 40;
export const diskUuid = uuid(0);

/** In the order of their numbers, from 1. */
export const partitions: readonly Partition[] = [
  { name: 'egret-bios', type: types.biosBoot, startMiB: 0, sizeMiB: 1, uuid: uuid(1) },
  { name: 'egret-esp', type: types.esp, startMiB: 1, sizeMiB: 47, uuid: uuid(2) },
  { name: 'egret-boot-a', type: types.boot, startMiB: 48, sizeMiB: 64, uuid: uuid(3) },
  { name: 'egret-boot-b', type: types.boot, startMiB: 112, sizeMiB: 64, uuid: uuid(4) },
  { name: 'egret-a', type: types.root, startMiB: 176, sizeMiB: 512, uuid: uuid(5) },
  { name: 'egret-b', type: types.root, startMiB: 688, sizeMiB: 512, uuid: uuid(6) },
  { name: 'egret-data', type: types.data, startMiB: 1200, sizeMiB: 2895, uuid: uuid(7) },
];

export function partition(name: string): Partition {
  const found = partitions.find((each) => each.name === name);
  if (!found) throw new Error(`no partition ${name}`);
  return found;
}

/** A GUID of this image (RFC 9562 §5.8). */
export function uuid(number: number): string {
  return `65677265-7400-8000-8000-${number.toString(16).padStart(12, '0')}`;
}
