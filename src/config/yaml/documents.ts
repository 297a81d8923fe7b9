// SPDX-License-Identifier: Apache-2.0
/**
 * Bytes of a YAML file → documents whose every value remembers file, line and column.
 *
 * YAML 1.2 core schema (`yes` is a text). Refused, each with its place: bytes that are no UTF-8,
 * control characters, duplicate keys, keys that are no scalars, merge keys, unknown tags, aliases
 * that refer to themselves or expand without bound, and files over `fileBytesMax`. Nothing throws.
 *
 * A `kind: List` is unpacked here. What the fields mean is not known here (kinds/).
 */
import { isUtf8 } from 'node:buffer';
import type { Location } from '../../model/model.ts';
import { type ComposedDocument, composePart, composeRest } from './composed.ts';
import type { MapValue, Report } from './located.ts';
import { describeValue } from './located.ts';
import { isDivider, readPlain } from './plain.ts';

export const fileBytesMax = 16 * 1024 * 1024;

/** One resource as written. */
export interface ConfigDocument {
  readonly root: MapValue;
  /** The text had syntax errors (reported): its name counts, its content does not. */
  readonly isBroken: boolean;
}

/** A part of the text that is no document (reported): a name that is missing may stand there. */
export const unreadable = 'unreadable';

export type Parsed = ConfigDocument | typeof unreadable;

/**
 * Parses one document after the other, as they are asked for: what the parser makes of a document is
 * ten times its text, and is freed before the next one comes.
 *
 * @param file - the name that errors show
 */
export function* parseFile(file: string, bytes: Uint8Array, report: Report): Generator<Parsed> {
  const text = decodeText(file, bytes, report);
  if (text === undefined) {
    yield unreadable;
    return;
  }
  for (const document of readValues(file, text, report)) yield* unpack(document, '', report);
}

/**
 * The values of a text: a plain document is read by plain.ts, another one by the `yaml` package, which
 * takes twenty times as long. Behind the first syntax error, all is the package's.
 */
export function* readValues(
  file: string,
  text: string,
  report: Report,
): Generator<ComposedDocument> {
  let start = 0;
  let line = 1;
  while (start < text.length) {
    const plain = readPlain(file, text, start, line);
    if (plain !== undefined) {
      if (plain.root !== undefined) yield { value: plain.root, isBroken: false };
      start = plain.end;
      line = plain.endLine;
      continue;
    }
    const end = endOfPart(text, start);
    const part = text.slice(start, end);
    const composed = end < text.length ? composePart(file, part, line, report) : undefined;
    if (composed === undefined) {
      yield* composeRest(file, text.slice(start), line, report);
      return;
    }
    yield* composed;
    start = end;
    line += part.split('\n').length - 1;
  }
}

/** Where the next document begins; the end of the text when a directive may concern several. */
function endOfPart(text: string, start: number): number {
  let end = text.indexOf('\n---', start);
  while (end !== -1 && !isDivider(text, end + 1)) end = text.indexOf('\n---', end + 1);
  if (end === -1) return text.length;
  const isDirected = text.startsWith('%', start) || text.slice(start, end).includes('\n%');
  return isDirected ? text.length : end + 1;
}

/** @returns the text without a byte order mark; undefined when the bytes are no text: reported */
function decodeText(file: string, bytes: Uint8Array, report: Report): string | undefined {
  const start = { at: { file, line: 1, column: 1 }, path: '' };
  if (bytes.length > fileBytesMax) {
    report.error(
      start,
      `the file has ${bytes.length} bytes; at most ${fileBytesMax} are read`,
      'Split it into several files of a folder.',
    );
    return undefined;
  }
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const decoded = buffer.toString('utf8');
  if (!isUtf8(buffer)) {
    const copy = Buffer.from(decoded);
    let offset = 0;
    while (offset < buffer.length && buffer[offset] === copy[offset]) offset += 1;
    const at = locateEnd(file, buffer.toString('utf8', 0, offset));
    const byte = (buffer[offset] ?? 0).toString(16).padStart(2, '0');
    report.error({ at, path: '' }, `byte 0x${byte} is not UTF-8`, 'Is this a YAML file?');
    return undefined;
  }
  const text = decoded.replace(/^\ufeff/, '');
  const offset = text.search(/[^\t\n\r -~\x80-\uffff]/);
  if (offset === -1) return text;
  const at = locateEnd(file, text.slice(0, offset));
  const name = `0x${text.charCodeAt(offset).toString(16).padStart(2, '0')}`;
  report.error({ at, path: '' }, `control character ${name}`, 'Is this a YAML file?');
  return undefined;
}

/** The place just behind a text. */
function locateEnd(file: string, before: string): Location {
  const lineStart = before.lastIndexOf('\n') + 1;
  const line = before.split('\n').length;
  return { file, line, column: before.length - lineStart + 1 };
}

/** A document, or the items of a List. */
function unpack({ value, isBroken }: ComposedDocument, path: string, report: Report): Parsed[] {
  if (value === undefined) return [unreadable];
  if (value.kind === 'scalar' && value.value === null) return isBroken ? [unreadable] : [];
  if (value.kind !== 'map') {
    if (!isBroken) {
      report.error(
        { at: value.at, path },
        `a resource must be a mapping with apiVersion, kind and metadata, not ${describeValue(value)}`,
        'Documents are divided by a line ---.',
      );
    }
    return [unreadable];
  }
  const kind = value.entries.get('kind')?.value;
  const items = value.entries.get('items')?.value;
  const isList = kind?.kind === 'scalar' && kind.text.endsWith('List') && kind.text.length >= 4;
  if (!isList) return [{ root: value, isBroken }];
  if (items === undefined || (items.kind === 'scalar' && items.value === null)) return [];
  if (items.kind !== 'list') {
    report.error(
      { at: items.at, path: 'items' },
      `must be a list, not ${describeValue(items)}`,
      'The items of a List are resources.',
    );
    return [unreadable];
  }
  return items.items.flatMap((item, index) =>
    unpack({ value: item, isBroken }, `items[${index}]`, report),
  );
}
