// SPDX-License-Identifier: Apache-2.0
/** Bytes of any kind in the place of an update's head, a grubenv and an ESP. */
import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ByteSource } from '../../src/image/byte-source.ts';
import { locateFile } from '../../src/image/fat.ts';
import { formatGrubenv, grubenvBytes, parseGrubenv } from '../../src/image/grubenv.ts';
import { signBytes, signerOf, type TrustedKey } from '../../src/image/keys.ts';
import type { Storage } from '../../src/image/storage.ts';
import { encodeHead, encodeManifest, type Head, readHead } from '../../src/image/update-head.ts';
import { EgretError } from '../../src/lib/errors.ts';

const runs = { numRuns: Number(process.env['FUZZ_RUNS'] ?? 2_000) };

const { privateKey } = generateKeyPairSync('ed25519');
const trusted: TrustedKey[] = [
  { name: 'test', isDevelopment: true, key: createPublicKey(privateKey) },
];
const head = makeHead(privateKey);

function makeHead(key: KeyObject): Buffer {
  const sha256 = 'ab'.repeat(32);
  const parts = ['boot', 'root'].map((name) => ({ name, bytes: 1000, sha256 }));
  const signed = encodeManifest({ format: 1, version: '1.2.3', architecture: 'amd64', parts });
  return encodeHead({ signed, signature: signBytes(signed, key) });
}

/** undefined: refused, in words. */
async function read(bytes: Uint8Array, chunk: number): Promise<Head | undefined> {
  async function* chunks(): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < bytes.length; at += chunk) yield bytes.subarray(at, at + chunk);
  }
  const source = new ByteSource(chunks());
  try {
    return await readHead((count) => source.take(count));
  } catch (error) {
    expect(error).toBeInstanceOf(EgretError);
    expect((error as EgretError).code).toBe('UPDATE_INVALID');
    return undefined;
  }
}

test('the head itself is read and trusted, in chunks of any size', async () => {
  for (const chunk of [1, 7, head.length]) {
    const found = await read(head, chunk);
    expect(found?.manifest.version).toBe('1.2.3');
    expect(signerOf(found!, trusted)?.name).toBe('test');
  }
});

test('a head with any byte changed is refused, or has no trusted signature', async () => {
  const change = fc.tuple(fc.nat(head.length - 1), fc.integer({ min: 1, max: 255 }));
  await fc.assert(
    fc.asyncProperty(change, async ([at, difference]) => {
      const changed = Buffer.from(head);
      changed[at]! ^= difference;
      const found = await read(changed, 64);
      expect(found && signerOf(found, trusted)).toBeUndefined();
    }),
    runs,
  );
});

test('bytes of any kind behind the magic are refused in words', async () => {
  const bytes = fc.uint8Array({ maxLength: 200 });
  await fc.assert(
    fc.asyncProperty(bytes, fc.boolean(), async (tail, isMarked) => {
      const start = isMarked ? Buffer.from('EGRETUPD') : Buffer.alloc(0);
      const found = await read(Buffer.concat([start, tail]), 16);
      expect(found && signerOf(found, trusted)).toBeUndefined();
    }),
    runs,
  );
});

test('manifests of any JSON are refused in words', async () => {
  await fc.assert(
    fc.asyncProperty(fc.json(), async (json) => {
      const signed = encodeManifest({} as never).subarray(0, 8);
      const length = Buffer.alloc(4);
      length.writeUInt32LE(Buffer.byteLength(json));
      const bytes = Buffer.concat([signed, length, Buffer.from(json), Buffer.alloc(4)]);
      expect(await read(bytes, 99)).toBeUndefined();
    }),
    runs,
  );
});

test('a grubenv of any text leads to a slot, and takes a choice in its first sector', () => {
  const text = fc.oneof(
    fc.string({ maxLength: 1500 }),
    fc.string({ maxLength: 1500 }).map((rest) => `# GRUB Environment Block\n${rest}`),
  );
  fc.assert(
    fc.property(text, fc.constantFrom('a' as const, 'b' as const), (before, slot) => {
      expect(['a', 'b']).toContain(parseGrubenv(before).good);
      const choice = { good: slot, try: slot === 'a' ? ('b' as const) : undefined };
      const after = formatGrubenv(before, choice);
      expect(after.length).toBe(grubenvBytes);
      expect(parseGrubenv(after)).toEqual(choice);
      expect(parseGrubenv(after.slice(0, 512))).toEqual(choice);
    }),
    runs,
  );
});

test('an ESP of any bytes is refused in words, and reading it has an end', async () => {
  const fields = fc.uint8Array({ minLength: 2048, maxLength: 2048 });
  await fc.assert(
    fc.asyncProperty(fields, async (bytes) => {
      const disk = Buffer.from(bytes);
      disk.writeUInt16LE(0xaa55, 510);
      disk.writeUInt16LE(512, 11);
      disk.writeUInt16LE(0, 22);
      const storage: Pick<Storage, 'read'> = {
        read: async (position, count) => disk.subarray(position, position + count),
      };
      await expect(
        locateFile(storage as Storage, ['grub', 'grubenv'], grubenvBytes),
      ).rejects.toMatchObject({ code: 'ESP_UNUSABLE' });
    }),
    runs,
  );
});
