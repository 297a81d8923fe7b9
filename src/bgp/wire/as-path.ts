// SPDX-License-Identifier: Apache-2.0
/**
 * AS_PATH (RFC 4271 §4.3, §5.1.2; confederations RFC 5065 §3) and its reconstruction from AS4_PATH
 * when the neighbor speaks two octets only (RFC 6793 §4.2.3).
 */
import { asPathLength } from '../../rib/attributes.ts';
import type { AsPathSegment } from '../../rib/route.ts';
import { ByteWriter, u16, u32 } from './bytes.ts';
import { asTrans } from './open.ts';

const kinds = ['AS_SET', 'AS_SEQUENCE', 'AS_CONFED_SEQUENCE', 'AS_CONFED_SET'] as const;

/** @returns undefined when malformed (RFC 7606 §7.2), or when it holds AS 0 (RFC 7607 §2) */
export function decodeAsPath(bytes: Uint8Array, asBytes: 2 | 4): AsPathSegment[] | undefined {
  const segments: AsPathSegment[] = [];
  let at = 0;
  while (at < bytes.length) {
    if (at + 2 > bytes.length) return undefined;
    const kind = kinds[bytes[at]! - 1];
    const count = bytes[at + 1]!;
    const end = at + 2 + count * asBytes;
    if (kind === undefined || count === 0 || end > bytes.length) return undefined;
    const asNumbers: number[] = [];
    for (let each = at + 2; each < end; each += asBytes) {
      const as = asBytes === 4 ? u32(bytes, each) : u16(bytes, each);
      if (as === 0) return undefined;
      asNumbers.push(as);
    }
    segments.push({ kind, asNumbers });
    at = end;
  }
  return segments;
}

/** Numbers that do not fit two octets become AS_TRANS. Long segments are cut at 255. */
export function encodeAsPath(path: readonly AsPathSegment[], asBytes: 2 | 4): Uint8Array {
  const writer = new ByteWriter();
  for (const { kind, asNumbers } of path) {
    for (let at = 0; at < asNumbers.length; at += 255) {
      const part = asNumbers.slice(at, at + 255);
      writer.u8(kinds.indexOf(kind) + 1).u8(part.length);
      for (const as of part) {
        if (asBytes === 4) writer.u32(as);
        else writer.u16(as > 0xffff ? asTrans : as);
      }
    }
  }
  return writer.done();
}

export function isConfederation(segment: AsPathSegment): boolean {
  return segment.kind === 'AS_CONFED_SEQUENCE' || segment.kind === 'AS_CONFED_SET';
}

/**
 * RFC 6793 §4.2.3: what AS_PATH has in front of AS4_PATH, then AS4_PATH; AS_PATH alone when it is
 * the shorter one.
 */
export function mergeAs4Path(
  asPath: readonly AsPathSegment[],
  as4Path: readonly AsPathSegment[],
): readonly AsPathSegment[] {
  const tail = as4Path.filter((segment) => !isConfederation(segment));
  let missing = asPathLength(asPath) - asPathLength(tail);
  if (tail.length === 0 || missing < 0) return asPath;
  const head: AsPathSegment[] = [];
  for (const segment of asPath) {
    if (isConfederation(segment)) {
      head.push(segment);
      continue;
    }
    if (missing === 0) break;
    if (segment.kind === 'AS_SET') {
      head.push(segment);
      missing -= 1;
    } else {
      const asNumbers = segment.asNumbers.slice(0, missing);
      head.push({ kind: segment.kind, asNumbers });
      missing -= asNumbers.length;
    }
  }
  const last = head.at(-1);
  const first = tail[0];
  if (
    last?.kind === 'AS_SEQUENCE' &&
    first?.kind === 'AS_SEQUENCE' &&
    last.asNumbers.length + first.asNumbers.length <= 255
  ) {
    const joined = [...last.asNumbers, ...first.asNumbers];
    return [...head.slice(0, -1), { kind: 'AS_SEQUENCE', asNumbers: joined }, ...tail.slice(1)];
  }
  return [...head, ...tail];
}
