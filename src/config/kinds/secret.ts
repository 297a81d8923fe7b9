// SPDX-License-Identifier: Apache-2.0
/** Secret: TCP-MD5 keys. Its values appear in no message and no status. */

import type { Shape } from '../schema/shape.ts';
import { ignored, isEmptyValue, joinPath, optional } from '../schema/shape.ts';
import { boolean } from '../schema/shape-scalars.ts';
import type { Located, Place, Report } from '../yaml/located.ts';
import { defineKind } from './kind.ts';

export interface SecretMap extends Place {
  /** Without those that are broken, which are reported. */
  readonly entries: ReadonlyMap<string, Located<Uint8Array>>;
  readonly keys: ReadonlySet<string>;
}

/** As shape.ts' texts, but silent about the values. */
function secretTexts(
  says: string,
  decode: (text: string) => Uint8Array | undefined,
): Shape<SecretMap> {
  return {
    says,
    fields: undefined,
    item: undefined,
    read(value, path, report) {
      if (value.kind !== 'map') {
        report.error({ at: value.at, path }, `must be a ${says}`);
        return undefined;
      }
      const entries = new Map<string, Located<Uint8Array>>();
      for (const [key, entry] of value.entries) {
        const place = { at: entry.value.at, path: joinPath(path, key) };
        const isText = entry.value.kind === 'scalar' && typeof entry.value.value === 'string';
        const isEmpty = isEmptyValue(entry.value);
        if (!isText && !isEmpty) {
          report.error(place, 'must be a text', 'Put it in quotes.');
          continue;
        }
        const text = entry.value.kind === 'scalar' && isText ? entry.value.text : '';
        const bytes = decode(text);
        if (bytes === undefined) {
          report.error(place, 'must be base64', 'stringData takes it as it is.');
          continue;
        }
        entries.set(key, { ...place, value: bytes });
      }
      return { at: value.at, path, entries, keys: new Set(value.entries.keys()) };
    },
  };
}

function decodeBase64(text: string): Uint8Array | undefined {
  const compact = text.replace(/\s+/g, '');
  const isBase64 = /^[A-Za-z0-9+/]*={0,2}$/.test(compact) && compact.length % 4 === 0;
  return isBase64 ? Buffer.from(compact, 'base64') : undefined;
}

export const secretKind = defineKind({
  kind: 'Secret',
  apiVersions: ['v1'],
  isNamespaced: true,
  says: 'Keys for BGPPeer.password, at most 80 bytes each (RFC 2385). Never shown.',
  fields: {
    data: optional(secretTexts('mapping of keys to base64', decodeBase64), 'Values in base64'),
    stringData: optional(
      secretTexts('mapping of keys to texts', (text) => Buffer.from(text)),
      'Values as they are; they win over data',
    ),
    type: ignored('of the cluster', 'silent'),
    immutable: optional(boolean, 'Accepted'),
  },
});

const secretBytesMax = 80;

/** Checks a key that a BGPPeer names. @returns its text, or undefined: reported */
export function secretPassword(secret: Located<Uint8Array>, report: Report): string | undefined {
  const { value } = secret;
  if (value.length === 0) {
    report.error(
      secret,
      'the password is empty',
      'Leave password out of the BGPPeer for a session without TCP-MD5.',
    );
    return undefined;
  }
  if (value.length > secretBytesMax) {
    report.error(
      secret,
      `the password has ${value.length} bytes; TCP-MD5 takes at most ${secretBytesMax}`,
      'Both ends need the same, shorter one.',
    );
    return undefined;
  }
  const text = Buffer.from(value).toString('utf8');
  if (!Buffer.from(text).equals(value) || text.includes('\0')) {
    report.error(secret, 'the password is no text (UTF-8 without NUL)', 'Is it base64 twice?');
    return undefined;
  }
  if (text.endsWith('\n')) {
    report.note(secret.at, `${secret.path} ends with a line break, which belongs to the password`);
  }
  return text;
}
