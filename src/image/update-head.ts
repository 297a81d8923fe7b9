// SPDX-License-Identifier: Apache-2.0
/**
 * The head of an update file: what it holds, and who says so. It also stands at the end of each slot
 * (slot.ts), which it describes.
 *
 *   8 bytes   EGRETUPD
 *   4 bytes   length of the manifest, little endian
 *   …         the manifest: JSON
 *   4 bytes   length of the signature, little endian: 64, or 0 for none
 *   …         Ed25519 (RFC 8032) over all bytes before that length
 *
 * The parts follow, in the order of the manifest, and nothing else. The signature covers version,
 * sizes and hashes; the hashes cover the parts.
 */
import { EgretError } from '../lib/errors.ts';
import {
  integer,
  type JsonValue,
  list,
  object,
  readJson,
  text,
  version as versionOf,
} from '../lib/json-schema.ts';
import { isVersion } from './semantic-version.ts';

const manifestSchema = object({
  format: versionOf(1),
  version: text(),
  /** Of the Debian kind: amd64. */
  architecture: text(),
  parts: list(
    object({
      name: text(),
      bytes: integer(),
      /** SHA-256, in hex. */
      sha256: text(),
    }),
  ),
});

export type Manifest = JsonValue<typeof manifestSchema>;
export type Part = Manifest['parts'][number];

export interface Head {
  readonly manifest: Manifest;
  /** What is signed. */
  readonly signed: Buffer;
  /** Empty: it is not signed. */
  readonly signature: Buffer;
}

/** Parts of an update, in their order: what GRUB reads, and the root. */
export const partNames = ['boot', 'root'] as const;
export type PartName = (typeof partNames)[number];
export const architecture = 'amd64';

const magic = Buffer.from('EGRETUPD', 'latin1');
export const manifestBytesMax = 16_384;
export const signatureBytes = 64;
/** Of a head without its manifest and signature. */
const frameBytes = magic.length + 4 + 4;
export const headBytesMax = frameBytes + manifestBytesMax + signatureBytes;

/** Reads exactly so many bytes of whatever the head stands in. @throws when there are fewer */
export type Take = (bytes: number) => Promise<Buffer>;

export function encodeManifest(manifest: Manifest): Buffer {
  const json = Buffer.from(JSON.stringify(manifest));
  if (json.length > manifestBytesMax) throw new RangeError('the manifest is too long');
  return Buffer.concat([magic, uint32(json.length), json]);
}

export function encodeHead({ signed, signature }: Omit<Head, 'manifest'>): Buffer {
  return Buffer.concat([signed, uint32(signature.length), signature]);
}

/** @throws EgretError UPDATE_INVALID, whatever the bytes are */
export async function readHead(take: Take): Promise<Head> {
  const start = await take(magic.length + 4);
  if (!start.subarray(0, magic.length).equals(magic)) throw invalid('it is no update of Egret');
  const length = start.readUInt32LE(magic.length);
  if (length > manifestBytesMax) throw invalid('its manifest is too long');
  const json = await take(length);
  const manifest = parseManifest(json.toString('utf8'));
  const signatureLength = (await take(4)).readUInt32LE();
  if (signatureLength !== 0 && signatureLength !== signatureBytes) {
    throw invalid(`its signature has ${signatureLength} bytes`);
  }
  const signature = await take(signatureLength);
  return { manifest, signed: Buffer.concat([start, json]), signature };
}

function parseManifest(json: string): Manifest {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    throw invalid('its manifest is not JSON');
  }
  const result = readJson(manifestSchema, value);
  if (!result.ok) {
    const { path, problem } = result.fault;
    throw invalid(path === '' ? `its manifest ${problem}` : `${path} in its manifest ${problem}`);
  }
  const manifest = result.value;
  if (!isVersion(manifest.version)) throw invalid('its manifest has no version');
  if (manifest.architecture !== architecture) {
    throw invalid('it is for another architecture');
  }
  const names = manifest.parts.map(({ name }) => name).join(', ');
  if (names !== partNames.join(', ')) throw invalid(`its parts are not ${partNames.join(', ')}`);
  for (const { name, bytes, sha256 } of manifest.parts) {
    if (!Number.isSafeInteger(bytes) || bytes < 1) throw invalid(`its part ${name} has no size`);
    if (!/^[0-9a-f]{64}$/.test(sha256)) throw invalid(`its part ${name} has no SHA-256`);
  }
  return manifest;
}

export const invalid = (what: string): EgretError => new EgretError('UPDATE_INVALID', { what });

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}
