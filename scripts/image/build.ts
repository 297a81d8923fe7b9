// SPDX-License-Identifier: Apache-2.0
/**
 * `make image`: from Debian packages and what `make build` has made to disk images in build/.
 *
 * Runs as root, for the owners of files. In the order of the steps: Debian's tree, the slot's root,
 * what GRUB reads, the disk, its formats. docs/image.md says what an operator does with them.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeHead, writeUpdate } from '../../src/image/pack.ts';
import { packBoot } from './boot.ts';
import { debianPackages, unpackDebian } from './debian.ts';
import { makeDisk } from './disk.ts';
import { writeOva, writeQcow2, writeRawZst } from './formats.ts';
import { makeGrub } from './grub.ts';
import { updateKeys } from './keys.ts';
import { furnishRoot, packRoot } from './root.ts';
import { billOfMaterials } from './sbom.ts';
import { outputs, settingsFrom, work } from './settings.ts';
import { step, toolsAt } from './tool.ts';

const settings = settingsFrom(process.env);
const { version, epoch } = settings;
if (process.getuid?.() !== 0) throw new Error('make image: as root, please');
const tools = toolsAt(epoch);
process.umask(0o022);
mkdirSync(work, { recursive: true });

const root = join(work, 'root');
/** What an update consists of. */
const slot = { root: join(work, 'root.squashfs'), boot: join(work, 'boot.squashfs') };
const disk = join(work, 'disk.raw');
const esp = join(work, 'esp');
const output = (suffix: string): string => join(outputs, `egret-${version}.${suffix}`);

rmSync(root, { recursive: true, force: true });
step(`Debian with ${settings.kernel}`, () => unpackDebian(root, settings, tools));
const debian = debianPackages(root, tools);
const keys = updateKeys(settings.signingKey);
step('the root of a slot', () => furnishRoot(root, keys.trusted, tools));
step('kernel and initramfs', () => packBoot(root, join(work, 'boot'), slot.boot, tools));
step('the root as squashfs', () => packRoot(root, slot.root, settings.level, tools));
const bios = step('GRUB', () => makeGrub(esp, tools));
const head = await makeHead(version, slot, keys.privateKey);
step('the disk', () => makeDisk(disk, { bios, esp, label: head, ...slot }, epoch, tools));
step('qcow2', () => writeQcow2(disk, output('qcow2'), tools));
step('raw.zst', () => writeRawZst(disk, output('raw.zst'), tools));
step('ova', () => writeOva(disk, work, output('ova'), epoch, tools));
await writeUpdate(head, slot, output('update'));
writeFileSync(output('spdx.json'), billOfMaterials(version, debian, slot.root, epoch));
