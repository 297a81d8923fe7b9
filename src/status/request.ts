/**
 * A status request as it comes over the socket, from whoever may open it: checked whole before
 * anything looks at it.
 */
import * as v from 'valibot';
import { EgretError } from '../lib/errors.ts';
import { viewNames } from './views.ts';

const route = v.object({
  network: v.optional(v.nullable(v.string())),
  table: v.optional(v.number()),
  isTable: v.optional(v.boolean(), false),
  prefix: v.optional(v.string()),
});

const request = v.variant('command', [
  v.object({
    command: v.literal('show'),
    view: v.picklist(viewNames),
    isJson: v.optional(v.boolean(), false),
    route: v.optional(route),
  }),
  v.object({
    command: v.literal('why'),
    client: v.string(),
    destination: v.string(),
    isJson: v.optional(v.boolean(), false),
  }),
]);

export type StatusRequest = v.InferOutput<typeof request>;

/** @throws EgretError USAGE, naming what is wrong */
export function parseRequest(line: string): StatusRequest {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw new EgretError('USAGE', { what: 'The request is not JSON' });
  }
  const parsed = v.safeParse(request, value);
  if (parsed.success) return parsed.output;
  const [issue] = parsed.issues;
  const at = v.getDotPath(issue);
  throw new EgretError('USAGE', { what: `The request${at ? `'s ${at}` : ''}: ${issue.message}` });
}
