// SPDX-License-Identifier: Apache-2.0
/**
 * The disk in the formats that are shipped: qcow2, compressed raw, and an OVA (DSP0243: a tar of
 * description, manifest and a stream-optimized VMDK).
 */
import { createHash } from 'node:crypto';
import {
  closeSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { diskMiB } from './layout.ts';
import { source } from './settings.ts';
import type { Tools } from './tool.ts';

export function writeQcow2(disk: string, target: string, tools: Tools): void {
  tools.run('qemu-img', ['convert', '-c', '-f', 'raw', '-O', 'qcow2', disk, `${target}.new`]);
  renameSync(`${target}.new`, target);
}

export function writeRawZst(disk: string, target: string, tools: Tools): void {
  // What is large is compressed already.
  tools.run('zstd', ['-q', '-f', '-3', '-T2', disk, '-o', `${target}.new`]);
  renameSync(`${target}.new`, target);
}

/** @param folder - for its parts; they stay, for a look */
export function writeOva(
  disk: string,
  folder: string,
  target: string,
  epoch: number,
  tools: Tools,
): void {
  const name = 'egret';
  const vmdk = join(folder, `${name}.vmdk`);
  const options = ['-o', 'subformat=streamOptimized,adapter_type=lsilogic'];
  tools.run('qemu-img', ['convert', '-f', 'raw', '-O', 'vmdk', ...options, disk, vmdk]);
  settleContentId(vmdk);
  const ovf = join(folder, `${name}.ovf`);
  const template = readFileSync(join(source, 'images/ova/egret.ovf'), 'utf8');
  writeFileSync(
    ovf,
    template
      .replaceAll('@DISK_BYTES@', String(diskMiB * (1 << 20)))
      .replaceAll('@VMDK_BYTES@', String(readFileSync(vmdk).length)),
  );
  const manifest = join(folder, `${name}.mf`);
  const lines = [ovf, vmdk].map((path) => {
    const hash = createHash('sha256').update(readFileSync(path)).digest('hex');
    return `SHA256(${path.slice(folder.length + 1)})= ${hash}\n`;
  });
  writeFileSync(manifest, lines.join(''));
  rmSync(target, { force: true });
  const owner = ['--owner=0', '--group=0', '--numeric-owner', '--mode=0644', `--mtime=@${epoch}`];
  // The description comes first (DSP0243 §5.2).
  const files = [`${name}.ovf`, `${name}.mf`, `${name}.vmdk`];
  tools.run('tar', ['--format=ustar', ...owner, '-C', dirname(ovf), '-cf', target, ...files]);
}

/** qemu-img draws the content id of a VMDK, and there is no option for it. */
function settleContentId(vmdk: string): void {
  const head = readFileSync(vmdk)
    .subarray(0, 64 << 10)
    .toString('latin1');
  const place = /\nCID=[0-9a-f]{8}\n/.exec(head);
  if (!place) throw new Error(`${vmdk}: no CID in its description`);
  const file = openSync(vmdk, 'r+');
  writeSync(file, '65677265', place.index + '\nCID='.length);
  closeSync(file);
}
