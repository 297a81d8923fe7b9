// SPDX-License-Identifier: Apache-2.0
/**
 * Keys by which updates are trusted: the files NAME.pub of a folder, each an Ed25519 public key in PEM.
 * A key whose name begins with `development` was made by a build for its own images.
 */
import { createPublicKey, type KeyLike, type KeyObject, sign, verify } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Head } from './update-head.ts';

export interface TrustedKey {
  readonly name: string;
  readonly isDevelopment: boolean;
  readonly key: KeyObject;
}

const suffix = '.pub';

/** By name. A file that is no such key is left out: it is trusted for nothing. */
export function readTrustedKeys(folder: string): TrustedKey[] {
  return keyFiles(folder).flatMap((file) => {
    const name = file.slice(0, -suffix.length);
    try {
      const key = createPublicKey(readFileSync(join(folder, file)));
      if (key.asymmetricKeyType !== 'ed25519') return [];
      return [{ name, isDevelopment: name.startsWith('development'), key }];
    } catch {
      return [];
    }
  });
}

function keyFiles(folder: string): string[] {
  try {
    return readdirSync(folder)
      .filter((file) => file.endsWith(suffix))
      .sort();
  } catch {
    return []; // No folder, no key.
  }
}

/** @returns the key that has signed it; undefined: none of these, or none at all */
export function signerOf(
  { signed, signature }: Pick<Head, 'signed' | 'signature'>,
  keys: readonly TrustedKey[],
): TrustedKey | undefined {
  if (signature.length === 0) return undefined;
  return keys.find(({ key }) => verify(null, signed, key, signature));
}

/** @param key - a private Ed25519 key. The same bytes have the same signature (RFC 8032 §5.1.6) */
export function signBytes(signed: Buffer, key: KeyLike): Buffer {
  return sign(null, signed, key);
}
