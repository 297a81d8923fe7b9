// SPDX-License-Identifier: Apache-2.0
/**
 * The disk as a raw, sparse file: partition table, GRUB, ESP, slots, an empty /data. File systems are
 * written where they lie, or copied there; none is mounted, and no loop device is used.
 */
import {
  closeSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { labelBytes } from '../../src/image/slot.ts';
import type { BiosBoot } from './grub.ts';
import {
  biosBootSector,
  diskMiB,
  diskUuid,
  type Partition,
  partition,
  partitions,
  sectorsPerMiB,
  uuid,
} from './layout.ts';
import type { Tools } from './tool.ts';

const MiB = 1 << 20;
const sectorBytes = 512;
/** Of the first sector, what is code; the rest is the partition table's. */
const bootCodeBytes = 440;

export interface DiskContent {
  readonly bios: BiosBoot;
  /** Folder with the files of the ESP. */
  readonly esp: string;
  readonly boot: string;
  readonly root: string;
  /** Says at the end of a slot what it holds (src/image/slot.ts). */
  readonly label: Buffer;
}

export function makeDisk(disk: string, content: DiskContent, epoch: number, tools: Tools): void {
  rmSync(disk, { force: true });
  writeFileSync(disk, '');
  truncateSync(disk, diskMiB * MiB);
  tools.run('sfdisk', ['--quiet', '--no-reread', '--no-tell-kernel', disk], { stdin: table() });
  writeAt(disk, content.bios.firstSector.subarray(0, bootCodeBytes), 0);
  writeAt(disk, content.bios.core, biosBootSector * sectorBytes);

  const esp = `${content.esp}.img`;
  makeEsp(esp, content.esp, epoch, tools);
  copyInto(disk, esp, partition('egret-esp'));
  for (const slot of ['a', 'b']) {
    copyInto(disk, content.boot, partition(`egret-boot-${slot}`));
    const root = partition(`egret-${slot}`);
    copyInto(disk, content.root, root);
    writeAt(disk, content.label, (root.startMiB + root.sizeMiB) * MiB - labelBytes);
  }
  makeData(disk, partition('egret-data'), tools);
}

/** For sfdisk. The first partition lies before the first MiB. */
function table(): string {
  const lines = partitions.map(({ name, type, startMiB, sizeMiB, uuid }) => {
    const start = startMiB === 0 ? biosBootSector : startMiB * sectorsPerMiB;
    const size = (startMiB + sizeMiB) * sectorsPerMiB - start;
    return `start=${start}, size=${size}, type=${type}, name="${name}", uuid=${uuid}`;
  });
  return ['label: gpt', `label-id: ${diskUuid}`, 'first-lba: 34', ...lines, ''].join('\n');
}

/** FAT, by mtools. UEFI wants FAT32. */
function makeEsp(image: string, folder: string, epoch: number, tools: Tools): void {
  rmSync(image, { force: true });
  writeFileSync(image, '');
  truncateSync(image, partition('egret-esp').sizeMiB * MiB);
  const label = ['-F', '32', '-s', '1', '-n', 'EGRET-ESP', '-i', '65677265', '--invariant'];
  tools.run('mkfs.vfat', [...label, image]);
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    utimesSync(join(entry.parentPath, entry.name), epoch, epoch);
  }
  const names = readdirSync(folder)
    .toSorted()
    .map((name) => join(folder, name));
  tools.run('mcopy', ['-s', '-m', '-i', image, ...names, '::/']);
}

/** ext4, written into its place on the disk. Everything that would be random is given. */
function makeData(disk: string, { startMiB, sizeMiB }: Partition, tools: Tools): void {
  const fixed = `offset=${startMiB * MiB},hash_seed=${uuid(0xd)},lazy_itable_init=1,root_owner=0:0`;
  const options = ['-q', '-F', '-L', 'egret-data', '-U', uuid(0xda7a), '-m', '1', '-E', fixed];
  tools.run('mkfs.ext4', [...options, disk, `${sizeMiB}M`]);
}

/** @throws Error when the file does not fit */
function copyInto(disk: string, file: string, { name, startMiB, sizeMiB }: Partition): void {
  const { size } = statSync(file);
  if (size > sizeMiB * MiB) {
    throw new Error(`${file} has ${size} bytes; ${name} has room for ${sizeMiB} MiB`);
  }
  const [from, to] = [openSync(file, 'r'), openSync(disk, 'r+')];
  const block = Buffer.alloc(MiB);
  for (let at = 0; at < size; at += MiB) {
    const length = readSync(from, block, 0, MiB, at);
    const piece = block.subarray(0, length);
    // What is zero stays a hole.
    if (piece.some((byte) => byte !== 0)) writeSync(to, piece, 0, length, startMiB * MiB + at);
  }
  closeSync(from);
  closeSync(to);
}

function writeAt(disk: string, bytes: Buffer, position: number): void {
  const file = openSync(disk, 'r+');
  writeSync(file, bytes, 0, bytes.length, position);
  closeSync(file);
}
