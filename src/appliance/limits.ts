/** How large the arena is made for a Model, and whether another Model has room in it. */
import type { Limits } from '../dataplane/arena.ts';
import { EgretError } from '../lib/errors.ts';
import type { Model } from '../model/model.ts';

/**
 * A FIB ply of 1 KiB holds the prefixes of one /16 (or one /24, when longer ones exist). Real tables
 * need one for 35 prefixes; evenly scattered ones one for 16.
 */
const routesPerPly = 16;

/** Room for what may come by SIGHUP: the plan's rows are small, some 40 bytes a client. */
const clientsMin = 65_536;
const rulesMin = 16_384;

export function limitsFor(model: Model): Limits {
  const { sessions, routes } = model.appliance.limits;
  const { clients, rules } = planRows(model);
  return {
    sessions,
    // Quarantined bindings (RFC 6888 REQ-8) outlive their sessions.
    bindings: sessions + Math.ceil(sessions / 4),
    networks: Math.min(256, 2 * (model.networks.length + 8)),
    plies: Math.max(1024, Math.ceil(routes / routesPerPly)),
    groups: 16_384,
    neighbors: 16_384,
    clients: Math.max(clientsMin, 2 * clients),
    rules: Math.max(rulesMin, 2 * rules),
    rule_addresses: 65_536,
  };
}

/** @throws EgretError ARENA_TOO_SMALL when the plan of a Model does not fit; the arena keeps its size */
export function checkRoom(model: Model, limits: Limits): void {
  for (const [what, count] of Object.entries(planRows(model))) {
    const max = limits[what as keyof Limits];
    if (count > max) throw new EgretError('ARENA_TOO_SMALL', { what, count, max });
  }
}

/** Rows that the plan of a Model has, by the name of their limit. */
function planRows(model: Model): Pick<Limits, 'clients' | 'rules'> {
  return {
    clients: model.clients.reduce((sum, client) => sum + client.prefixes.length, 0),
    rules: model.policies.reduce((sum, policy) => sum + policy.rules.length, 0),
  };
}

/** Whether a new Model changes what is fixed for the life of egretd. */
export const needsRestart = (a: Model, b: Model): boolean =>
  JSON.stringify([a.appliance.limits, a.appliance.mirror]) !==
  JSON.stringify([b.appliance.limits, b.appliance.mirror]);
