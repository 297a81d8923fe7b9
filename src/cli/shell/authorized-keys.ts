// SPDX-License-Identifier: Apache-2.0
/**
 * The lines of an authorized_keys file (sshd(8)): `[OPTIONS] TYPE BLOB [COMMENT]`, options with commas
 * between them, values in double quotes in which \" is a quote.
 */

export interface AuthorizedKey {
  readonly type: string;
  /** Base64. */
  readonly blob: string;
  /** '' when there is none. */
  readonly comment: string;
  /** The option command=: the only command that the key's owner may give. */
  readonly command: string | undefined;
}

const keyType = /^(ssh-|ecdsa-|sk-)[\w@.-]+$/;

/** @returns the keys; a line that is none is left out, as sshd does. Never throws. */
export function readAuthorizedKeys(text: string): AuthorizedKey[] {
  return text.split('\n').flatMap((line) => {
    const trimmed = line.trim();
    if (trimmed === '' || trimmed.startsWith('#')) return [];
    return keyOf(trimmed, undefined) ?? keyBehindOptions(trimmed) ?? [];
  });
}

function keyOf(text: string, command: string | undefined): AuthorizedKey | undefined {
  const [, type = '', blob = '', comment = ''] =
    /^(\S+)[ \t]+([A-Za-z0-9+/=]+)(?:[ \t]+(.*))?$/.exec(text) ?? [];
  return keyType.test(type) ? { type, blob, comment: comment.trim(), command } : undefined;
}

function keyBehindOptions(line: string): AuthorizedKey | undefined {
  let isQuoted = false;
  let end = 0;
  for (; end < line.length; end += 1) {
    const character = line[end]!;
    if (character === '\\' && line[end + 1] === '"') end += 1;
    else if (character === '"') isQuoted = !isQuoted;
    else if (!isQuoted && (character === ' ' || character === '\t')) break;
  }
  const options = line.slice(0, end);
  const found = /(?:^|,)command="((?:\\"|[^"])*)"/i.exec(options);
  return keyOf(line.slice(end).trim(), found?.[1]?.replaceAll('\\"', '"'));
}
