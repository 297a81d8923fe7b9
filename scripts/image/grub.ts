// SPDX-License-Identifier: Apache-2.0
/**
 * GRUB for both firmwares, without grub-install, which wants a mounted disk: the BIOS core is put into
 * its partition by hand, the UEFI program into the ESP. Both read images/grub/grub.cfg from the ESP of
 * the disk that they came from.
 */
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { biosBootSector } from './layout.ts';
import { source } from './settings.ts';
import type { Tools } from './tool.ts';

const modules = [
  ...['part_gpt', 'fat', 'squash4', 'normal', 'linux', 'loadenv', 'test', 'regexp', 'configfile'],
  ...['hashsum', 'gcry_sha256', 'echo', 'serial', 'terminal', 'boot', 'minicmd', 'reboot', 'sleep'],
];
const sectorBytes = 512;
/** A grubenv has this size for all its life: GRUB and `egret image` write it in place. */
const grubenvBytes = 1024;

/** The first sector's code, and the core that it loads. */
export interface BiosBoot {
  readonly firstSector: Buffer;
  readonly core: Buffer;
}

/** Makes the folder of the ESP's files. @returns what lies outside of file systems, for BIOS */
export function makeGrub(esp: string, tools: Tools): BiosBoot {
  rmSync(esp, { recursive: true, force: true });
  mkdirSync(join(esp, 'EFI/BOOT'), { recursive: true });
  mkdirSync(join(esp, 'grub'));
  cpSync(join(source, 'images/grub/grub.cfg'), join(esp, 'grub/grub.cfg'));
  writeFileSync(join(esp, 'grub/grubenv'), grubenv({ good: 'a' }));
  const efi = join(esp, 'EFI/BOOT/BOOTX64.EFI');
  // With the firmware's screen, which the kernel takes over.
  const uefi = ['-O', 'x86_64-efi', '-p', '/grub', '-o', efi];
  tools.run('grub-mkimage', [...uefi, ...modules, 'efi_gop', 'efi_uga']);
  const core = join(esp, 'core.img');
  const bios = ['-O', 'i386-pc', '-p', '(,gpt2)/grub', '-o', core];
  tools.run('grub-mkimage', [...bios, ...modules, 'biosdisk']);
  const made = biosBoot(readFileSync('/usr/lib/grub/i386-pc/boot.img'), readFileSync(core));
  rmSync(core);
  return made;
}

/** grubenv: a headline, NAME=VALUE lines, and `#` up to its size. */
export function grubenv(variables: Readonly<Record<string, string>>): string {
  const lines = Object.entries(variables).map(([name, value]) => `${name}=${value}\n`);
  return ['# GRUB Environment Block\n', ...lines].join('').padEnd(grubenvBytes, '#');
}

/**
 * Puts the place of the core into GRUB's boot sector, and the place of its rest into the core's first
 * sector, as grub-setup does (GRUB 2.06, util/setup.c and include/grub/i386/pc/boot.h).
 */
function biosBoot(bootImage: Buffer, coreImage: Buffer): BiosBoot {
  const firstSector = Buffer.from(bootImage);
  // GRUB_BOOT_MACHINE_KERNEL_SECTOR, and no jump around the drive that the BIOS names.
  firstSector.writeBigUInt64LE(BigInt(biosBootSector), 0x5c);
  firstSector.writeUInt16LE(0x9090, 0x66);
  const sectors = Math.ceil(coreImage.length / sectorBytes);
  const core = Buffer.alloc(sectors * sectorBytes);
  coreImage.copy(core);
  // The first block list, at the end of the first sector: where the rest begins, its length, its segment.
  core.writeBigUInt64LE(BigInt(biosBootSector + 1), 0x1f4);
  core.writeUInt16LE(sectors - 1, 0x1fc);
  core.writeUInt16LE(0x820, 0x1fe);
  return { firstSector, core };
}
