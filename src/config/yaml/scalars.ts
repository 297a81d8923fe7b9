/**
 * What the text of a scalar stands for: the `yaml` package's own rules, as functions.
 *
 * YAML 1.2.2 §10.3 (core schema), §7.3.1 (double-quoted) and §8.1 (block scalars).
 */
import { CST, isScalar, Schema } from 'yaml';
import type { ScalarValue } from './located.ts';

/** Null, booleans and numbers, in the package's order. */
const tags = new Schema({ schema: 'core' }).tags.flatMap((tag) =>
  tag.default === true && !tag.collection && tag.test ? [{ test: tag.test, tag }] : [],
);

/** Of a plain scalar. */
export function meaningOf(text: string): ScalarValue['value'] {
  if (!/^[-+.\d~nNtTfF]/.test(text)) return text;
  for (const { test, tag } of tags) {
    if (!test.test(text)) continue;
    const resolved = tag.resolve(text, () => {}, {});
    return asScalarValue(isScalar(resolved) ? resolved.value : resolved);
  }
  return text;
}

/** What we know of the values that a scalar may have in the package. */
export function asScalarValue(value: unknown): ScalarValue['value'] {
  switch (typeof value) {
    case 'string':
    case 'number':
    case 'boolean':
      return value;
    default:
      return value === null || value === undefined ? null : String(value);
  }
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
  const scalar = CST.resolveAsScalar(token, true, () => {
    isBroken = true;
  });
  return isBroken || scalar === null ? undefined : scalar.value;
}
