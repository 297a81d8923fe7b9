// SPDX-License-Identifier: Apache-2.0
/**
 * Where a file lies in a FAT32 file system (Microsoft FAT specification 1.03), so that its bytes are
 * written in place: without a mount, no other sector of the ESP changes, and GRUB writes grubenv the
 * same way. Names are short ones, 8.3. Nothing is made, moved or removed.
 */
import { EgretError } from '../lib/errors.ts';
import type { Storage } from './storage.ts';

interface Geometry {
  readonly clusterBytes: number;
  /** Of the first FAT. */
  readonly fatAt: number;
  /** Of cluster 2. */
  readonly dataAt: number;
  readonly rootCluster: number;
}

const entryBytes = 32;
const isFolder = 0x10;
/** A volume's label, or a piece of a long name. */
const isNoFile = 0x08;
/** More clusters than these: a file or folder of ours is not so large, or the chain is a circle. */
const chainMax = 4096;

/**
 * @param path - below the root: ['grub', 'grubenv']
 * @returns where its bytes begin; they lie next to each other
 * @throws EgretError ESP_UNUSABLE
 */
export async function locateFile(
  storage: Storage,
  path: readonly string[],
  bytes: number,
): Promise<number> {
  const geometry = await readGeometry(storage);
  let cluster = geometry.rootCluster;
  for (const [index, name] of path.entries()) {
    const isLast = index === path.length - 1;
    const entry = await findEntry(storage, geometry, cluster, name, !isLast);
    if (!entry) throw unusable(`there is no ${path.slice(0, index + 1).join('/')}`);
    if (isLast && entry.bytes !== bytes) {
      throw unusable(`${path.join('/')} has ${entry.bytes} bytes, not ${bytes}`);
    }
    cluster = entry.cluster;
  }
  const chain = await chainOf(storage, geometry, cluster, Math.ceil(bytes / geometry.clusterBytes));
  if (chain.some((each, index) => each !== cluster + index)) {
    throw unusable(`${path.join('/')} does not lie in one piece`);
  }
  return positionOf(geometry, cluster);
}

async function readGeometry(storage: Storage): Promise<Geometry> {
  const sector = await storage.read(0, 512);
  if (sector.length < 512 || sector.readUInt16LE(510) !== 0xaa55) throw unusable('it has no FAT');
  const sectorBytes = sector.readUInt16LE(11);
  const reserved = sector.readUInt16LE(14);
  const fats = sector.readUInt8(16);
  // FAT12 and FAT16 have their size here, FAT32 has 0.
  const isFat32 = sector.readUInt16LE(22) === 0 && sector.readUInt32LE(36) > 0;
  const clusterSectors = sector.readUInt8(13);
  const isPlausible = [512, 1024, 2048, 4096].includes(sectorBytes) && clusterSectors > 0;
  if (!isFat32 || !isPlausible || fats === 0) throw unusable('it is not FAT32');
  const fatAt = reserved * sectorBytes;
  return {
    clusterBytes: clusterSectors * sectorBytes,
    fatAt,
    dataAt: fatAt + fats * sector.readUInt32LE(36) * sectorBytes,
    rootCluster: sector.readUInt32LE(44),
  };
}

async function findEntry(
  storage: Storage,
  geometry: Geometry,
  folder: number,
  name: string,
  wantsFolder: boolean,
): Promise<{ cluster: number; bytes: number } | undefined> {
  const wanted = shortName(name);
  for (const cluster of await chainOf(storage, geometry, folder, chainMax)) {
    const block = await storage.read(positionOf(geometry, cluster), geometry.clusterBytes);
    for (let at = 0; at + entryBytes <= block.length; at += entryBytes) {
      if (block[at] === 0) return undefined; // The end of the folder.
      const attributes = block.readUInt8(at + 11);
      if (block.toString('latin1', at, at + 11) !== wanted || attributes & isNoFile) continue;
      if (((attributes & isFolder) !== 0) !== wantsFolder) continue;
      const high = block.readUInt16LE(at + 20);
      const low = block.readUInt16LE(at + 26);
      return { cluster: high * 0x1_0000 + low, bytes: block.readUInt32LE(at + 28) };
    }
  }
  return undefined;
}

/** @param most - so many clusters at most are wanted */
async function chainOf(
  storage: Storage,
  { fatAt }: Geometry,
  first: number,
  most: number,
): Promise<number[]> {
  const chain: number[] = [];
  let cluster = first;
  while (cluster >= 2 && cluster < 0x0fff_fff7 && chain.length < most) {
    chain.push(cluster);
    const entry = await storage.read(fatAt + cluster * 4, 4);
    cluster = entry.length < 4 ? 0 : entry.readUInt32LE() & 0x0fff_ffff;
  }
  if (chain.length === 0) throw unusable('its folders are damaged');
  return chain;
}

const positionOf = ({ dataAt, clusterBytes }: Geometry, cluster: number): number =>
  dataAt + (cluster - 2) * clusterBytes;

function shortName(name: string): string {
  const [base = '', extension = ''] = name.toUpperCase().split('.');
  return base.padEnd(8) + extension.padEnd(3);
}

export const unusable = (what: string): EgretError => new EgretError('ESP_UNUSABLE', { what });
