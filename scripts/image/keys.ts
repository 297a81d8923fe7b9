// SPDX-License-Identifier: Apache-2.0
/**
 * Keys of updates: the private one that signs this build's, and the public ones that its images trust.
 *
 * Without SIGNING_KEY it is a development key, made once under build/keys and kept there by
 * `make clean`; boxes show it as such. The private half never leaves that folder.
 */
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
} from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { outputs } from './settings.ts';

export interface UpdateKeys {
  readonly privateKey: KeyObject;
  /** PEM by the name of the file. */
  readonly trusted: ReadonlyMap<string, string>;
}

const folder = join(outputs, 'keys');
const developmentKey = join(folder, 'development.key');

/** @param path - of the private key; undefined: the development key. @throws Error for another kind of key */
export function updateKeys(path: string | undefined): UpdateKeys {
  if (path === undefined && !existsSync(developmentKey)) makeDevelopmentKey();
  const privateKey = createPrivateKey(readFileSync(path ?? developmentKey));
  if (privateKey.asymmetricKeyType !== 'ed25519') {
    throw new Error(`${path ?? developmentKey}: an Ed25519 key is needed`);
  }
  const pem = createPublicKey(privateKey).export({ type: 'spki', format: 'pem' }).toString();
  const name = path === undefined ? 'development.pub' : 'release.pub';
  return { privateKey, trusted: new Map([[name, pem]]) };
}

function makeDevelopmentKey(): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const { privateKey } = generateKeyPairSync('ed25519');
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' });
  writeFileSync(developmentKey, pem, { mode: 0o600, flush: true });
}
