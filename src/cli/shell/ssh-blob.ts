// SPDX-License-Identifier: Apache-2.0
/**
 * SSH public keys and certificates as sshd names them: base64 of length-prefixed fields (of
 * certificates: PROTOCOL.certkeys of OpenSSH). Nothing is verified here: sshd has
 * verified what it reports.
 */
import { createHash } from 'node:crypto';

export interface Certificate {
  readonly keyId: string;
  readonly serial: bigint;
  /** Its critical option: the only command that its owner may give. */
  readonly forceCommand: string | undefined;
}

/** Fields of the key itself, between the nonce and the serial number. */
const keyFields: Readonly<Record<string, number>> = {
  'ssh-rsa-cert-v01@openssh.com': 2,
  'ssh-dss-cert-v01@openssh.com': 4,
  'ecdsa-sha2-nistp256-cert-v01@openssh.com': 2,
  'ecdsa-sha2-nistp384-cert-v01@openssh.com': 2,
  'ecdsa-sha2-nistp521-cert-v01@openssh.com': 2,
  'ssh-ed25519-cert-v01@openssh.com': 1,
  'sk-ecdsa-sha2-nistp256-cert-v01@openssh.com': 3,
  'sk-ssh-ed25519-cert-v01@openssh.com': 2,
};

/** Larger than any key that sshd takes. */
const blobLengthMax = 65_536;

export const isCertificateType = (type: string): boolean => Object.hasOwn(keyFields, type);

/** @returns undefined when it is no certificate, or is damaged. Never throws. */
export function readCertificate(type: string, base64: string): Certificate | undefined {
  const fieldCount = isCertificateType(type) ? keyFields[type]! : undefined;
  if (fieldCount === undefined || base64.length > blobLengthMax) return undefined;
  const fields = new Fields(Buffer.from(base64, 'base64'));
  if (fields.text() !== type) return undefined;
  for (let skipped = 0; skipped < 1 + fieldCount; skipped += 1) fields.bytes();
  const serial = fields.integer64();
  fields.integer32(); // of a user or of a host
  const keyId = fields.text();
  fields.bytes(); // principals
  fields.integer64();
  fields.integer64();
  const critical = new Fields(fields.bytes());
  let forceCommand: string | undefined;
  while (!critical.isAtEnd) {
    const name = critical.text();
    const data = new Fields(critical.bytes());
    if (name === 'force-command') forceCommand = data.text();
    if (critical.isDamaged || (forceCommand !== undefined && data.isDamaged)) return undefined;
  }
  return fields.isDamaged ? undefined : { keyId, serial, forceCommand };
}

/** As `ssh-keygen -l` prints it. */
export function fingerprint(base64: string): string {
  const hash = createHash('sha256').update(Buffer.from(base64, 'base64')).digest('base64');
  return `SHA256:${hash.replace(/=+$/, '')}`;
}

/** Reads forward; after a field that is cut short everything is empty. */
class Fields {
  readonly #bytes: Buffer;
  #at = 0;
  #isDamaged = false;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get isDamaged(): boolean {
    return this.#isDamaged;
  }

  get isAtEnd(): boolean {
    return this.#isDamaged || this.#at >= this.#bytes.length;
  }

  bytes(): Buffer {
    return this.#take(this.integer32());
  }

  text(): string {
    return this.bytes().toString('utf8');
  }

  integer32(): number {
    const bytes = this.#take(4);
    return bytes.length === 4 ? bytes.readUInt32BE() : 0;
  }

  integer64(): bigint {
    const bytes = this.#take(8);
    return bytes.length === 8 ? bytes.readBigUInt64BE() : 0n;
  }

  #take(length: number): Buffer {
    const end = this.#at + length;
    if (this.#isDamaged || end > this.#bytes.length) {
      this.#isDamaged = true;
      return Buffer.alloc(0);
    }
    const taken = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return taken;
  }
}
