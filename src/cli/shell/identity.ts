// SPDX-License-Identifier: Apache-2.0
/**
 * Who is at the other end: the comment of the key, or the key id of the certificate, by which sshd let
 * them in. sshd names a file with it in SSH_USER_AUTH (ExposeAuthInfo), which no client can set; never
 * is a name taken from the command line.
 *
 * Without SSH it is the console, whose door is the lock of the room.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { onOneLine } from '../../lib/printable.ts';
import { readAuthorizedKeys } from './authorized-keys.ts';
import { fingerprint, isCertificateType, readCertificate } from './ssh-blob.ts';

export interface Identity {
  /** On one line, at most 128 characters; `console` is the console alone. */
  readonly who: string;
  readonly isConsole: boolean;
  /** All that the key or the certificate allows (command=, force-command); undefined: everything. */
  readonly forcedCommand: string | undefined;
}

export interface SshEnvironment {
  /** Set by sshd in every session. */
  readonly SSH_CONNECTION?: string | undefined;
  readonly SSH_USER_AUTH?: string | undefined;
}

/** As AuthorizedKeysFile of the shipped sshd_config names it. */
const keysFolder = '/data/ssh/authorized_keys';
const consoleName = 'console';
const nameLengthMax = 128;

/** @param account - the user's name, which names the file of keys */
export function identify(account: string, environment: SshEnvironment): Identity {
  const { SSH_CONNECTION: connection, SSH_USER_AUTH: path } = environment;
  if (connection === undefined) {
    return { who: consoleName, isConsole: true, forcedCommand: undefined };
  }
  const [type, blob] = path === undefined ? [] : methodOf(readText(path));
  if (type === undefined || blob === undefined) return byName(account, undefined);
  const keys = readText(join(keysFolder, account));
  return identityOf(type, blob, keys);
}

/**
 * @param type - and blob: of the key or certificate that was used
 * @param keys - text of the file of authorized keys
 */
export function identityOf(type: string, blob: string, keys: string): Identity {
  const certificate = readCertificate(type, blob);
  if (certificate) {
    return byName(certificate.keyId || fingerprint(blob), certificate.forceCommand);
  }
  // One that cannot be read may restrict its owner to anything: they get nothing.
  const nothing = isCertificateType(type) ? '' : undefined;
  const key = readAuthorizedKeys(keys).find((each) => each.type === type && each.blob === blob);
  return byName(key?.comment || fingerprint(blob), key?.command ?? nothing);
}

/** The last method that sshd asked for: `publickey TYPE BLOB`. */
function methodOf(text: string): string[] {
  const lines = text.split('\n').filter((line) => line.startsWith('publickey '));
  return lines.at(-1)?.split(' ').slice(1, 3) ?? [];
}

function byName(name: string, forcedCommand: string | undefined): Identity {
  const shown = onOneLine(name).trim().slice(0, nameLengthMax);
  const who = shown.toLowerCase() === consoleName ? `${shown} (SSH)` : shown;
  return { who: who || '(no name)', isConsole: false, forcedCommand };
}

/** @returns '' when it cannot be read */
function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
