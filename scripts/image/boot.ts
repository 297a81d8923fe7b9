// SPDX-License-Identifier: Apache-2.0
/**
 * What GRUB reads of a slot: kernel, initrd and their hashes, in a squashfs of their own. Both are
 * compressed already, so that its blocks are plain; GRUB 2.06 reads no zstd squashfs.
 */
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { kernelRelease } from './debian.ts';
import { copyTree } from './root.ts';
import { source } from './settings.ts';
import type { Tools } from './tool.ts';

/**
 * Makes the initramfs with images/initramfs, and packs it with the kernel.
 *
 * @param folder - for the files; made again
 */
export function packBoot(root: string, folder: string, image: string, tools: Tools): void {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  const release = kernelRelease(root);
  copyTree(join(source, 'images/initramfs'), join(root, 'etc/initramfs-tools'));
  const made = '/boot/initrd';
  tools.run('chroot', [root, 'mkinitramfs', '-o', made, release]);
  renameSync(join(root, made), join(folder, 'initrd'));
  cpSync(join(root, `boot/vmlinuz-${release}`), join(folder, 'kernel'));
  const hashes = ['kernel', 'initrd'].map((name) => {
    const content = readFileSync(join(folder, name));
    return `${createHash('sha256').update(content).digest('hex')}  ${name}\n`;
  });
  writeFileSync(join(folder, 'sha256'), hashes.join(''));
  if (existsSync(image)) rmSync(image);
  const plain = ['-noI', '-noD', '-noF', '-noX'];
  tools.run('mksquashfs', [
    folder,
    image,
    '-noappend',
    '-no-progress',
    '-quiet',
    '-all-root',
    ...plain,
  ]);
}
