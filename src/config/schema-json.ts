// SPDX-License-Identifier: Apache-2.0
/**
 * JSON Schemas (draft-07) of all kinds, for editors: fields, required ones, choices and help, from the
 * kinds' own shapes. What a text means is checked by `egret check` alone; here it is the description.
 */
import { kinds } from './kind-table.ts';
import type { Kind } from './kinds/kind.ts';
import type { Field, Fields, Shape } from './schema/shape.ts';

type Schema = Record<string, unknown>;

/** One schema for a document of any kind. */
export function configSchema(): Schema {
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'Egret configuration',
    type: 'object',
    required: ['apiVersion', 'kind'],
    properties: { kind: { enum: [...kinds.map(({ kind }) => kind), 'List'] } },
    allOf: kinds.map((kind) => ({
      if: { properties: { kind: { const: kind.kind } }, required: ['kind'] },
      // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
      then: kindSchema(kind),
    })),
  };
}

/** @returns undefined when there is no such kind */
export function schemaOf(name: string): Schema | undefined {
  const kind = kinds.find((candidate) => candidate.kind.toLowerCase() === name.toLowerCase());
  return kind && { $schema: 'http://json-schema.org/draft-07/schema#', ...kindSchema(kind) };
}

export const kindNames: readonly string[] = kinds.map(({ kind }) => kind);

function kindSchema(kind: Kind<Fields>): Schema {
  const schema = shapeSchema(kind.shape);
  const properties = schema['properties'] as Schema;
  return {
    ...schema,
    title: kind.kind,
    description: kind.says,
    properties: {
      ...properties,
      apiVersion: { enum: kind.apiVersions },
      kind: { const: kind.kind },
    },
  };
}

function shapeSchema(shape: Shape<unknown>): Schema {
  if (shape.fields) {
    const fields = Object.entries(shape.fields) as [string, Field<unknown>][];
    const required = fields.filter(([, field]) => field.isRequired).map(([name]) => name);
    return {
      type: 'object',
      properties: Object.fromEntries(fields.map(([name, field]) => [name, fieldSchema(field)])),
      ...(required.length > 0 && { required }),
      additionalProperties: shape.isPart === true,
    };
  }
  if (shape.item) return { type: 'array', items: shapeSchema(shape.item) };
  if (shape.choices) return { enum: shape.choices };
  return {};
}

function fieldSchema({ shape, help, defaultText, ignored }: Field<unknown>): Schema {
  if (ignored !== undefined) return {};
  const says = shape.fields || shape.item ? '' : ` (${shape.says})`;
  return {
    ...shapeSchema(shape),
    description: `${help}${says}`,
    ...(defaultText !== undefined && {
      markdownDescription: `${help}${says}; default: ${defaultText}`,
    }),
  };
}
