// SPDX-License-Identifier: Apache-2.0
/** A box's disk in plain files: a real ESP (mkfs.vfat, mtools), two small slots, keys, updates. */
import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, randomFillSync } from 'node:crypto';
import { mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Box } from '../../src/image/box.ts';
import { formatGrubenv, type SlotName } from '../../src/image/grubenv.ts';
import { readTrustedKeys } from '../../src/image/keys.ts';
import { makeHead, type PartFiles } from '../../src/image/pack.ts';
import { labelBytes } from '../../src/image/slot.ts';

export const bootPartitionBytes = 64 << 10;
export const rootPartitionBytes = (128 << 10) + labelBytes;

export class PlainDisk {
  readonly folder: string;
  readonly recordPath: string;
  readonly privateKey: string;

  /** @param folder - empty */
  constructor(folder: string) {
    this.folder = folder;
    this.recordPath = join(folder, 'data/image/record.json');
    mkdirSync(this.keysFolder);
    this.privateKey = this.#makeKey('development');
    this.#makeEsp();
    for (const slot of ['a', 'b']) {
      this.#makeFile(`boot-${slot}`, bootPartitionBytes);
      this.#makeFile(`root-${slot}`, rootPartitionBytes);
    }
  }

  get keysFolder(): string {
    return join(this.folder, 'keys');
  }

  get keys() {
    return readTrustedKeys(this.keysFolder);
  }

  box(running: SlotName, isTried = false): Box {
    const at = (name: string, bytes: number) => ({ path: join(this.folder, name), bytes });
    const slot = (name: SlotName) => ({
      boot: at(`boot-${name}`, bootPartitionBytes),
      root: at(`root-${name}`, rootPartitionBytes),
    });
    const esp = at('esp', 0);
    return { running, isTried, esp, slots: { a: slot('a'), b: slot('b') } };
  }

  /** As GRUB sees it, by another program than the one that is tested. */
  grubenv(): string {
    const args = ['-i', join(this.folder, 'esp'), '::/grub/grubenv'];
    return execFileSync('mtype', args, { encoding: 'latin1' });
  }

  /** What GRUB does before it starts a slot that is to be tried. */
  writeGrubenv(text: string): void {
    const path = join(this.folder, 'grubenv');
    writeFileSync(path, text, 'latin1');
    execFileSync('mcopy', ['-o', '-i', join(this.folder, 'esp'), path, '::/grub/grubenv']);
  }

  /** An update of random parts. @param key - of the signature; none: it has none */
  async update(version: string, key: string | undefined): Promise<Buffer> {
    const files: PartFiles = { boot: join(this.folder, 'boot'), root: join(this.folder, 'root') };
    writeFileSync(files.boot, randomFillSync(Buffer.alloc(20_000)));
    writeFileSync(files.root, randomFillSync(Buffer.alloc(100_001)));
    const head = await makeHead(version, files, key);
    return Buffer.concat([head, readFileSync(files.boot), readFileSync(files.root)]);
  }

  #makeEsp(): void {
    const esp = join(this.folder, 'esp');
    this.#makeFile('esp', 33 << 20);
    const quiet = { stdio: 'ignore' } as const;
    execFileSync('mkfs.vfat', ['-F', '32', '-s', '1', '--invariant', esp], quiet);
    execFileSync('mmd', ['-i', esp, '::/EFI', '::/grub']);
    this.writeGrubenv(formatGrubenv('', { good: 'a', try: undefined }));
  }

  /** @returns the private key, in PEM */
  #makeKey(name: string): string {
    const { publicKey, privateKey } = generateKeyPairSync('ed25519');
    const pem = publicKey.export({ type: 'spki', format: 'pem' });
    writeFileSync(join(this.keysFolder, `${name}.pub`), pem);
    return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  }

  #makeFile(name: string, bytes: number): void {
    const path = join(this.folder, name);
    writeFileSync(path, '');
    truncateSync(path, bytes);
  }
}

/** In chunks of odd sizes, as they come from a socket. */
export async function* inChunks(bytes: Buffer, chunk = 7_777): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += chunk) yield bytes.subarray(at, at + chunk);
}
