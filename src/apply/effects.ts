// SPDX-License-Identifier: Apache-2.0
/**
 * What a configuration changes on the running box, one row for each thing: printed by `egret diff`
 * before it happens and by `egret apply` afterwards. Worked out by appliance/effects.ts and what-if.ts.
 */
import {
  choice,
  integer,
  type JsonValue,
  list,
  mapping,
  nullable,
  object,
  text,
} from '../lib/json-schema.ts';

export const effectSchema = object({
  what: choice(['network', 'neighbor', 'gateway', 'client', 'interface', 'setting']),
  /** Of a neighbor: its network, a blank and its address. */
  name: text('As egret show has it'),
  effect: choice([
    'added',
    'removed',
    'changed',
    'starts',
    'stops',
    'resets',
    'refreshes',
    'opens',
    'closes',
    'next start',
  ]),
  detail: text(),
  routes: nullable(integer('Routes that move with it; null: none can')),
});

export type Effect = JsonValue<typeof effectSchema>;
export type Effects = readonly Effect[];

export const sessionEffectsSchema = object({
  total: integer('Sessions that there are now'),
  ending: integer('Of them, those that end'),
  stalling: integer('Those that wait until the routes of their network are learned again'),
  reasons: mapping(integer(), 'How many end for which reason'),
  clientCount: integer('Clients with such sessions'),
  clients: list(
    object({
      address: text('As the client sends'),
      client: nullable(text('namespace/name; null: none')),
      ending: integer(),
      stalling: integer(),
    }),
    'Those with the most such sessions, at most 1000',
  ),
});

export type SessionEffects = JsonValue<typeof sessionEffectsSchema>;

export interface WhatIf {
  readonly effects: Effects;
  /** Reads all sessions that there are. */
  readonly sessions: () => Promise<SessionEffects>;
}

export const sessionClientsMax = 1000;

/** More rows of one kind are summed up: ten thousand clients are no table. */
const rowsShownMax = 20;

/** Lines for a person, `  ~ neighbor prod 192.0.2.1 resets: hold time; 120 routes`. */
export function effectLines(effects: Effects): string[] {
  const byKind = Map.groupBy(effects, ({ what, effect }) => `${what} ${effect}`);
  return [...byKind.values()].flatMap((rows) => {
    const shown = rows.slice(0, rowsShownMax).map(lineOf);
    const rest = rows.length - shown.length;
    const [{ what, effect }] = rows as [Effect];
    if (rest > 0) shown.push(`  ${signs[effect]} ${rest} more ${what}s: ${effect}`);
    return shown;
  });
}

/** Lines for a person; which clients, and why. */
export function sessionLines(sessions: SessionEffects): string[] {
  const { total, ending, stalling, reasons, clients, clientCount } = sessions;
  const lines = [
    `  sessions: ${ending} of ${total} end${stalling > 0 ? `, ${stalling} wait for routes` : ''}`,
    ...Object.entries(reasons).map(([reason, count]) => `    ${count}: ${reason}`),
    ...clients.slice(0, rowsShownMax).map((row) => {
      const waiting = row.stalling > 0 ? `, ${row.stalling} wait for routes` : '';
      return `    client ${row.client ?? '-'} ${row.address}: ${row.ending} end${waiting}`;
    }),
  ];
  const rest = clientCount - Math.min(rowsShownMax, clients.length);
  if (rest > 0) lines.push(`    ${rest} more clients`);
  return lines;
}

const signs: Readonly<Record<Effect['effect'], string>> = {
  added: '+',
  starts: '+',
  opens: '+',
  removed: '-',
  stops: '-',
  closes: '-',
  changed: '~',
  resets: '~',
  refreshes: '~',
  'next start': '!',
};

function lineOf({ what, name, effect, detail, routes }: Effect): string {
  const more = [detail, routes ? `${routes} route${routes === 1 ? '' : 's'}` : '']
    .filter(Boolean)
    .join('; ');
  return `  ${signs[effect]} ${what} ${name}: ${effect}${more ? ` (${more})` : ''}`;
}
