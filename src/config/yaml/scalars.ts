// SPDX-License-Identifier: Apache-2.0
/**
 * What the text of a scalar stands for: what a plain one means, by the core schema, and what a quoted
 * or block scalar says, by the `yaml` package's own functions.
 *
 * YAML 1.2.2 §10.3.2 (core schema), §7.3.1 (double-quoted) and §8.1 (block scalars).
 */
import type { CST } from 'yaml';
import type { ScalarValue } from './located.ts';
import { yamlPackage } from './package.ts';

const words = new Map<string, null | boolean | number>([
  ...['~', 'null', 'Null', 'NULL'].map((word) => [word, null] as const),
  ...['true', 'True', 'TRUE'].map((word) => [word, true] as const),
  ...['false', 'False', 'FALSE'].map((word) => [word, false] as const),
  ...['.nan', '.NaN', '.NAN'].map((word) => [word, Number.NaN] as const),
  ...['.inf', '.Inf', '.INF'].flatMap((word) => [
    [word, Number.POSITIVE_INFINITY] as const,
    [`+${word}`, Number.POSITIVE_INFINITY] as const,
    [`-${word}`, Number.NEGATIVE_INFINITY] as const,
  ]),
]);

/** Of a plain scalar. */
export function meaningOf(text: string): ScalarValue['value'] {
  if (!/^[-+.\d~nNtTfF]/.test(text)) return text;
  const meant = words.get(text);
  if (meant !== undefined) return meant;
  if (/^[-+]?\d+$/.test(text)) return Number.parseInt(text, 10);
  if (/^0o[0-7]+$/.test(text)) return Number.parseInt(text.slice(2), 8);
  if (/^0x[\da-fA-F]+$/.test(text)) return Number.parseInt(text.slice(2), 16);
  const isFloat = /^[-+]?(\.\d+|\d+(\.\d*)?)([eE][-+]?\d+)?$/.test(text);
  return isFloat ? Number.parseFloat(text) : text;
}

/** @param source - with its quotes. @returns undefined when an escape means nothing */
export function decodeQuoted(source: string): string | undefined {
  const type = source.startsWith('"') ? 'double-quoted-scalar' : 'single-quoted-scalar';
  return decode({ type, offset: 0, indent: 0, source });
}

/**
 * @param header - `|` or `>`, with what follows it
 * @param parent - the indent of the collection that it is in, in columns
 * @param body - whole lines
 * @returns undefined when the lines do not fit the header
 */
export function decodeBlockScalar(
  header: string,
  parent: number,
  body: string,
): string | undefined {
  const props: CST.BlockScalar['props'] = [
    { type: 'block-scalar-header', offset: 0, indent: 0, source: header },
  ];
  return decode({ type: 'block-scalar', offset: 0, indent: parent, props, source: body });
}

function decode(token: CST.FlowScalar | CST.BlockScalar): string | undefined {
  let isBroken = false;
  const scalar = yamlPackage().CST.resolveAsScalar(token, true, () => {
    isBroken = true;
  });
  return isBroken || scalar === null ? undefined : scalar.value;
}
