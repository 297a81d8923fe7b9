// SPDX-License-Identifier: Apache-2.0
/** The answer of `egret why`: what it says, and how it is printed. */
import {
  choice,
  type JsonSchema,
  type JsonValue,
  list,
  nullable,
  object,
  text,
} from '../lib/json-schema.ts';
import { onOneLine } from '../lib/printable.ts';
import { wrapped } from '../lib/text-width.ts';
import { formatTable } from './table.ts';
import type { Form } from './view.ts';
import { routeColumns, routeRow } from './views/route.ts';

const schemaName = 'egret.why/1';

const step = object({ step: text('What decides'), found: text('What it found') });

const report = {
  client: text('The source'),
  destination: text('The destination'),
  verdict: choice(
    ['forwarded', 'dropped', 'kernel'],
    "kernel: the destination is this box, a broadcast or a group, and so not Egret's to decide",
  ),
  drop: nullable(text('Name of the counter, when it is dropped')),
  outside: nullable(text('The egress address; null: none was chosen, or no translation')),
  network: nullable(text('ExternalNetwork by which it leaves; null: the main table, or none')),
  steps: list(step, 'In the order of the data plane'),
  routes: list(routeRow, "Paths to the destination in the gateway's networks"),
};

const reportSchema = object(report);

export type WhyStep = JsonValue<typeof step>;
export type WhyReport = JsonValue<typeof reportSchema>;

/** Of the answer with `--json`. */
export const whySchema: JsonSchema = object({ schema: choice([schemaName]), ...report });

export function printWhy(report: WhyReport, { isJson, width: widthMax }: Form): string {
  if (isJson) return `${JSON.stringify({ schema: schemaName, ...report })}\n`;
  const verdict = verdictText(report);
  const width = Math.max(...report.steps.map((step) => step.step.length));
  const steps = report.steps.map(
    ({ step, found }) =>
      `  ${step.padEnd(width)}  ${wrapped(onOneLine(found), width + 4, widthMax)}\n`,
  );
  const table = formatTable(routeColumns, report.routes, widthMax ?? undefined);
  const routes = report.routes.length > 0 ? `\nroutes to it\n${table}` : '';
  return `${report.client} to ${report.destination}: ${verdict}\n${steps.join('')}${routes}`;
}

function verdictText({ verdict, outside, drop }: WhyReport): string {
  if (verdict === 'kernel') return 'left to the kernel';
  if (verdict === 'dropped') return `dropped: ${drop}`;
  return outside === null ? 'forwarded without translation' : `forwarded from ${outside}`;
}
