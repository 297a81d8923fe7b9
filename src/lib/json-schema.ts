// SPDX-License-Identifier: Apache-2.0
/**
 * What a JSON value must be: one description gives the TypeScript type, the JSON Schema (draft
 * 2020-12, the few keywords below) and the check.
 *
 * For JSON of Egret's own: the rows of `egret show --json`, status requests, the state file. A
 * configuration is read by config/schema/shape.ts instead, because its errors need file, line and
 * column, and reading continues after the first one.
 */
import { fail, ok, type Result } from './result.ts';

type TypeName = 'string' | 'integer' | 'boolean' | 'null' | 'array' | 'object';

/** As JSON Schema writes it. A property with a default need not be present. */
export interface JsonSchema {
  readonly type: TypeName | readonly TypeName[];
  readonly description?: string;
  readonly enum?: readonly (string | number | null)[];
  readonly items?: JsonSchema;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: JsonSchema;
  readonly default?: unknown;
}

declare const holds: unique symbol;

/** A schema of values of type Value; the symbol is the compiler's alone. */
export interface Json<Value> extends JsonSchema {
  readonly [holds]?: Value;
}

export type JsonValue<Schema> = Schema extends Json<infer Value> ? Value : never;

type Fields = Readonly<Record<string, Json<unknown>>>;
type ObjectOf<F extends Fields> = { readonly [Name in keyof F]: JsonValue<F[Name]> };

export const text = (description?: string): Json<string> => described('string', description);
export const integer = (description?: string): Json<number> => described('integer', description);
export const boolean = (description?: string): Json<boolean> => described('boolean', description);

function described(type: TypeName, description: string | undefined): JsonSchema {
  return description === undefined ? { type } : { type, description };
}

export function choice<const Value extends string>(
  values: readonly Value[],
  description?: string,
): Json<Value> {
  return { ...described('string', description), enum: values };
}

export function version<const Value extends number>(value: Value): Json<Value> {
  return { type: 'integer', enum: [value] };
}

export function list<Item>(items: Json<Item>, description?: string): Json<readonly Item[]> {
  return { ...described('array', description), items };
}

/** A mapping whose names are data. */
export function mapping<Value>(
  values: Json<Value>,
  description?: string,
): Json<Readonly<Record<string, Value>>> {
  return { ...described('object', description), additionalProperties: values };
}

/** A mapping with known names; other names are allowed and ignored. */
export function object<F extends Fields>(properties: F, description?: string): Json<ObjectOf<F>> {
  const required = Object.keys(properties).filter((name) => !('default' in properties[name]!));
  return { ...described('object', description), properties, required };
}

/** A mapping of which nothing is promised but that it is one. */
export const anyObject = (description?: string): Json<Readonly<Record<string, unknown>>> =>
  described('object', description);

export function nullable<Value>(schema: Json<Value>): Json<Value | null> {
  const { enum: values, type, ...rest } = schema;
  return {
    ...rest,
    type: [type, 'null'].flat() as readonly TypeName[],
    ...(values ? { enum: [...values, null] } : {}),
  };
}

/** Of a property: when it is absent, it has this value. */
export function defaulted<Value>(schema: Json<Value>, value: Value): Json<Value> {
  return { ...schema, default: value };
}

/** Where a value breaks its schema: `route.table`, `rows[3].name`; empty: the value itself. */
export interface JsonFault {
  readonly path: string;
  /** What follows the path in a message: `must be a text, not 5`. */
  readonly problem: string;
}

/**
 * Checks a value, puts defaults in place, and leaves out what the schema does not name.
 *
 * @returns a copy; or the first fault
 */
export function readJson<Value>(schema: Json<Value>, value: unknown): Result<Value, JsonFault> {
  try {
    return ok(read(schema, value, '') as Value);
  } catch (error) {
    if (error instanceof Fault) return fail({ path: error.path, problem: error.message });
    throw error;
  }
}

class Fault extends Error {
  readonly path: string;

  constructor(path: string, problem: string) {
    super(problem);
    this.path = path;
  }
}

function read(schema: JsonSchema, value: unknown, path: string): unknown {
  const types = [schema.type].flat();
  const type = typeOf(value);
  const isAllowed = (schema.enum ?? [value]).some((allowed) => allowed === value);
  if (!types.includes(type as TypeName) || !isAllowed) {
    throw new Fault(path, `must be ${expectation(schema)}, not ${shown(value)}`);
  }
  if (type === 'array' && schema.items !== undefined) {
    const { items } = schema;
    return (value as unknown[]).map((item, index) => read(items, item, `${path}[${index}]`));
  }
  return type === 'object' ? readObject(schema, value as Record<string, unknown>, path) : value;
}

function readObject(schema: JsonSchema, value: Record<string, unknown>, path: string): unknown {
  const { properties, additionalProperties, required = [] } = schema;
  const at = (name: string): string => (path === '' ? name : `${path}.${name}`);
  if (properties !== undefined) {
    const entries = Object.entries(properties).flatMap(([name, property]) => {
      if (Object.hasOwn(value, name)) return [[name, read(property, value[name], at(name))]];
      if (required.includes(name)) throw new Fault(at(name), 'is missing');
      return [[name, property.default]];
    });
    return Object.fromEntries(entries);
  }
  if (additionalProperties === undefined) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, each]) => [name, read(additionalProperties, each, at(name))]),
  );
}

function typeOf(value: unknown): TypeName | 'number' | 'undefined' {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  if (Number.isInteger(value)) return 'integer';
  return typeof value as 'string' | 'number' | 'boolean' | 'object' | 'undefined';
}

const typeTexts: Readonly<Record<TypeName, string>> = {
  string: 'a text',
  integer: 'an integer',
  boolean: 'true or false',
  null: 'null',
  array: 'a list',
  object: 'an object',
};

/** What a schema takes, for messages and pages: `an integer or null`. */
export function expectation(schema: JsonSchema): string {
  if (schema.enum) return `one of ${schema.enum.map(String).join(', ')}`;
  if (schema.items) return `a list of ${plural(expectation(schema.items))}`;
  return [schema.type]
    .flat()
    .map((type) => typeTexts[type])
    .join(' or ');
}

const plural = (what: string): string => what.replace(/^an? (\w+)/, '$1s');

/** A value in a message, cut short. */
function shown(value: unknown): string {
  const json = JSON.stringify(value) ?? 'nothing';
  return json.length > 40 ? `${json.slice(0, 40)}…` : json;
}
