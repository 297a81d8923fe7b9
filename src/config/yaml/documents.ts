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
import type { Document as YamlDocument, YAMLError as YamlError, Node as YamlNode } from 'yaml';
import { Composer, isAlias, isMap, isScalar, isSeq, LineCounter, Parser, visit } from 'yaml';
import type { Location } from '../../model/model.ts';
import type { ListValue, MapEntry, MapValue, Report, ScalarValue, Value } from './located.ts';
import { describeValue, formatLocation, quote } from './located.ts';

export const fileBytesMax = 16 * 1024 * 1024;
/** Values that the aliases of one file may stand for. */
const aliasValuesMax = 100_000;
const depthMax = 100;

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
 * ten times its text, and goes before the next one comes.
 *
 * @param file - the name that errors show
 */
export function* parseFile(file: string, bytes: Uint8Array, report: Report): Generator<Parsed> {
  const text = decodeText(file, bytes, report);
  if (text === undefined) {
    yield unreadable;
    return;
  }
  const lines = new LineCounter();
  const locate = (offset: number): Location => {
    const { line, col } = lines.linePos(Math.min(offset, text.length));
    return { file, line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const composer = new Composer({ prettyErrors: false, uniqueKeys: false, logLevel: 'silent' });
  const composed = composer.compose(new Parser(lines.addNewLine).parse(text));
  for (;;) {
    let next: IteratorResult<YamlDocument>;
    try {
      next = composed.next();
    } catch {
      // The parser is recursive: nesting by the thousand exhausts the stack.
      report.error(
        { at: { file, line: 1, column: 1 }, path: '' },
        'YAML is nested too deeply',
        'A resource has a few levels; is this one?',
      );
      yield unreadable;
      return;
    }
    if (next.done) return;
    yield* readDocument(next.value, locate, report);
  }
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
  for (let offset = 0; offset < text.length; offset += 1) {
    const code = text.charCodeAt(offset);
    const isText = code >= 0x20 ? code !== 0x7f : code === 9 || code === 10 || code === 13;
    if (isText) continue;
    const at = locateEnd(file, text.slice(0, offset));
    const name = `0x${code.toString(16).padStart(2, '0')}`;
    report.error({ at, path: '' }, `control character ${name}`, 'Is this a YAML file?');
    return undefined;
  }
  return text;
}

/** The place just behind a text. */
function locateEnd(file: string, before: string): Location {
  const lineStart = before.lastIndexOf('\n') + 1;
  const line = before.split('\n').length;
  return { file, line, column: before.length - lineStart + 1 };
}

interface Reading {
  readonly locate: (offset: number) => Location;
  readonly report: Report;
  readonly anchors: Map<string, YamlNode>;
  /** Nodes that are being read, against aliases to themselves. */
  readonly open: Set<YamlNode>;
  aliasValues: number;
  aliasDepth: number;
  isBroken: boolean;
}

function readDocument(
  yaml: YamlDocument,
  locate: (offset: number) => Location,
  report: Report,
): Parsed[] {
  const reading: Reading = {
    locate,
    report,
    anchors: new Map(),
    open: new Set(),
    aliasValues: 0,
    aliasDepth: 0,
    isBroken: yaml.errors.length > 0,
  };
  for (const problem of [...yaml.errors, ...yaml.warnings]) {
    reading.isBroken = true;
    const message = problem.message.replace(/\s+/g, ' ').slice(0, 200);
    report.error(
      { at: locate(placeOf(problem, yaml)), path: '' },
      `YAML: ${message}`,
      'Look at the indentation, quotes and brackets there and before.',
    );
  }
  if (yaml.contents === null) return reading.isBroken ? [unreadable] : [];
  return unpack(readNode(yaml.contents, '', 0, reading), '', reading);
}

/** Where a problem is: a quote that is never closed at its opening, which may be far before the end. */
function placeOf({ message, pos: [offset] }: YamlError, yaml: YamlDocument): number {
  let place = offset;
  if (message.startsWith('Missing closing ')) {
    visit(yaml, {
      Scalar(_, { type, range }) {
        if (type?.startsWith('QUOTE_') && range?.[1] === offset) place = range[0];
      },
    });
  }
  return place;
}

/** A document, or the items of a List. */
function unpack(value: Value | undefined, path: string, reading: Reading): Parsed[] {
  const { report, isBroken } = reading;
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
  return items.items.flatMap((item, index) => unpack(item, `items[${index}]`, reading));
}

/** @returns undefined when the node cannot be a value; reported */
function readNode(node: unknown, path: string, depth: number, reading: Reading): Value | undefined {
  if (isAlias(node)) return readAlias(node, path, depth, reading);
  if (!isScalar(node) && !isMap(node) && !isSeq(node)) return undefined;
  const at = reading.locate(node.range?.[0] ?? 0);
  if (reading.aliasDepth > 0) {
    reading.aliasValues += 1;
    if (reading.aliasValues > aliasValuesMax) return undefined;
  }
  if (depth > depthMax) {
    refuse(reading, at, path, 'is nested too deeply', 'A resource has a few levels; is this one?');
    return undefined;
  }
  if (node.anchor !== undefined) reading.anchors.set(node.anchor, node);
  if (isScalar(node)) {
    return { kind: 'scalar', at, value: scalarValue(node.value), text: scalarText(node) };
  }
  reading.open.add(node);
  const value = isMap(node)
    ? readMap(node.items, at, path, depth, reading)
    : readList(node.items, at, path, depth, reading);
  reading.open.delete(node);
  return value;
}

function readList(
  nodes: readonly unknown[],
  at: Location,
  path: string,
  depth: number,
  reading: Reading,
): ListValue {
  const items: Value[] = [];
  for (const [index, node] of nodes.entries()) {
    const item = readNode(node, `${path}[${index}]`, depth + 1, reading);
    if (item !== undefined) items.push(item);
  }
  return { kind: 'list', at, items };
}

function readMap(
  pairs: readonly { readonly key: unknown; readonly value: unknown }[],
  at: Location,
  path: string,
  depth: number,
  reading: Reading,
): MapValue {
  const entries = new Map<string, MapEntry>();
  for (const pair of pairs) {
    const keyNode = pair.key;
    if (!isScalar(keyNode)) {
      const range =
        isMap(keyNode) || isSeq(keyNode) || isAlias(keyNode) ? keyNode.range : undefined;
      refuse(
        reading,
        range ? reading.locate(range[0]) : at,
        path,
        'a key must be a plain text',
        'A field has one name.',
      );
      continue;
    }
    const keyAt = reading.locate(keyNode.range?.[0] ?? 0);
    const key = scalarText(keyNode);
    const keyPath = path === '' ? key : `${path}.${key}`;
    if (key === '<<') {
      refuse(reading, keyAt, path, 'merge keys (<<) are not supported', 'Write the fields out.');
      continue;
    }
    const first = entries.get(key);
    if (first !== undefined) {
      // The first one counts, so that the rest of the document is checked too.
      reading.report.error(
        { at: keyAt, path: keyPath },
        `the field is given twice, first at ${formatLocation(first.keyAt)}`,
        'Remove one of them.',
      );
      continue;
    }
    const value: Value | undefined =
      pair.value === null || pair.value === undefined
        ? { kind: 'scalar', at: keyAt, value: null, text: '' }
        : readNode(pair.value, keyPath, depth + 1, reading);
    if (value === undefined) continue;
    // An empty value stands nowhere: its key is the place to look at.
    const isEmpty = value.kind === 'scalar' && value.value === null && value.text === '';
    entries.set(key, { keyAt, value: isEmpty ? { ...value, at: keyAt } : value });
  }
  return { kind: 'map', at, entries };
}

function readAlias(
  node: { readonly source: string; readonly range?: readonly number[] | null | undefined },
  path: string,
  depth: number,
  reading: Reading,
): Value | undefined {
  const at = reading.locate(node.range?.[0] ?? 0);
  const target = reading.anchors.get(node.source);
  if (target === undefined) {
    if (!reading.isBroken)
      refuse(
        reading,
        at,
        path,
        `the alias ${quote(node.source)} names nothing`,
        'An anchor (&NAME) must stand before it, in the same document.',
      );
    return undefined;
  }
  if (reading.open.has(target)) {
    refuse(
      reading,
      at,
      path,
      `the alias ${quote(node.source)} contains itself`,
      'Write the value out.',
    );
    return undefined;
  }
  if (reading.aliasValues > aliasValuesMax) return undefined;
  reading.aliasDepth += 1;
  const value = readNode(target, path, depth, reading);
  reading.aliasDepth -= 1;
  if (reading.aliasDepth === 0 && reading.aliasValues > aliasValuesMax) {
    refuse(
      reading,
      at,
      path,
      `aliases expand to more than ${aliasValuesMax} values`,
      'Write the values out.',
    );
    return undefined;
  }
  return value;
}

function refuse(
  reading: Reading,
  at: Location,
  path: string,
  problem: string,
  hint?: string,
): void {
  reading.isBroken = true;
  reading.report.error({ at, path }, problem, hint);
}

function scalarValue(value: unknown): ScalarValue['value'] {
  switch (typeof value) {
    case 'string':
    case 'number':
    case 'boolean':
      return value;
    default:
      return value === null || value === undefined ? null : String(value);
  }
}

function scalarText(node: { readonly source?: string; readonly value: unknown }): string {
  if (typeof node.value === 'string') return node.value;
  return node.source ?? (node.value === null || node.value === undefined ? '' : String(node.value));
}
