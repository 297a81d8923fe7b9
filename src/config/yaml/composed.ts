// SPDX-License-Identifier: Apache-2.0
/**
 * Text → values by the `yaml` package, for all that plain.ts leaves: anchors, folded lines, tags, and
 * every mistake. The only file that has messages about YAML itself.
 */
import type {
  LineCounter,
  Document as YamlDocument,
  YAMLError as YamlError,
  Node as YamlNode,
} from 'yaml';
import type { Location } from '../../model/model.ts';
import type { ListValue, MapEntry, MapValue, Report, ScalarValue, Value } from './located.ts';
import { formatLocation, quote } from './located.ts';
import { yamlPackage } from './package.ts';

/** Values that the aliases of one file may stand for. */
const aliasValuesMax = 100_000;
const depthMax = 100;

export interface ComposedDocument {
  /** undefined: it cannot be read; reported. */
  readonly value: Value | undefined;
  /** The text had errors (reported). */
  readonly isBroken: boolean;
}

/**
 * Composes a part of a text that ends before a `---`.
 *
 * @param line - where the part begins, from 1
 * @returns undefined when there is a syntax error; nothing is reported then. What is open where the
 *   part ends (a quote) may swallow what follows, so only composeRest knows how it is to be reported
 */
export function composePart(
  file: string,
  part: string,
  line: number,
  report: Report,
): ComposedDocument[] | undefined {
  const lines = new (yamlPackage().LineCounter)();
  let documents: YamlDocument[];
  try {
    documents = [...compose(part, lines)];
  } catch {
    return undefined;
  }
  if (documents.some(({ errors, warnings }) => errors.length + warnings.length > 0)) {
    return undefined;
  }
  const locate = locateIn(file, part, line, lines);
  return documents.flatMap((document) => readDocument(document, locate, report));
}

/** Composes a text to its end, one document after the other, with every error in it. */
export function* composeRest(
  file: string,
  rest: string,
  line: number,
  report: Report,
): Generator<ComposedDocument> {
  const lines = new (yamlPackage().LineCounter)();
  const locate = locateIn(file, rest, line, lines);
  const documents = compose(rest, lines);
  for (;;) {
    let next: IteratorResult<YamlDocument>;
    try {
      next = documents.next();
    } catch {
      // The package is recursive: nesting by the thousand exhausts the stack.
      report.error(
        { at: { file, line: 1, column: 1 }, path: '' },
        'YAML is nested too deeply',
        'A resource has a few levels; is this one?',
      );
      yield { value: undefined, isBroken: true };
      return;
    }
    if (next.done) return;
    yield* readDocument(next.value, locate, report);
  }
}

function compose(text: string, lines: LineCounter): Generator<YamlDocument, void> {
  const { Composer, Parser } = yamlPackage();
  const composer = new Composer({ prettyErrors: false, uniqueKeys: false, logLevel: 'silent' });
  return composer.compose(new Parser(lines.addNewLine).parse(text));
}

type Locate = (offset: number) => Location;

function locateIn(file: string, text: string, firstLine: number, lines: LineCounter): Locate {
  return (offset) => {
    const { line, col } = lines.linePos(Math.min(offset, text.length));
    return { file, line: firstLine - 1 + Math.max(line, 1), column: Math.max(col, 1) };
  };
}

interface Reading {
  readonly locate: Locate;
  readonly report: Report;
  readonly anchors: Map<string, YamlNode>;
  /** Nodes that are being read, against aliases to themselves. */
  readonly open: Set<YamlNode>;
  aliasValues: number;
  aliasDepth: number;
  isBroken: boolean;
}

/** @returns none for a document without contents */
function readDocument(yaml: YamlDocument, locate: Locate, report: Report): ComposedDocument[] {
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
  if (yaml.contents === null) {
    return reading.isBroken ? [{ value: undefined, isBroken: true }] : [];
  }
  const value = readNode(yaml.contents, '', 0, reading);
  return [{ value, isBroken: reading.isBroken }];
}

/** Where a problem is: a quote that is never closed at its opening, which may be far before the end. */
function placeOf({ message, pos: [offset] }: YamlError, yaml: YamlDocument): number {
  let place = offset;
  if (message.startsWith('Missing closing ')) {
    yamlPackage().visit(yaml, {
      Scalar(_, { type, range }) {
        if (type?.startsWith('QUOTE_') && range?.[1] === offset) place = range[0];
      },
    });
  }
  return place;
}

/** @returns undefined when the node cannot be a value; reported */
function readNode(node: unknown, path: string, depth: number, reading: Reading): Value | undefined {
  const { isAlias, isMap, isScalar, isSeq } = yamlPackage();
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
    return { kind: 'scalar', at, value: asScalarValue(node.value), text: scalarText(node) };
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
  const { isAlias, isMap, isScalar, isSeq } = yamlPackage();
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

function scalarText(node: { readonly source?: string; readonly value: unknown }): string {
  if (typeof node.value === 'string') return node.value;
  return node.source ?? (node.value === null || node.value === undefined ? '' : String(node.value));
}

/** What we know of the values that a scalar may have in the package. */
function asScalarValue(value: unknown): ScalarValue['value'] {
  switch (typeof value) {
    case 'string':
    case 'number':
    case 'boolean':
      return value;
    default:
      return value === null || value === undefined ? null : String(value);
  }
}
