/** How large the arena is made for a Model. */
import type { Limits } from '../dataplane/arena.ts';
import type { Model } from '../model/model.ts';

/**
 * A FIB ply of 1 KiB holds the prefixes of one /16 (or one /24, when longer ones exist). Real tables
 * need one for 35 prefixes; evenly scattered ones one for 16.
 */
const routesPerPly = 16;

export function limitsFor(model: Model): Limits {
  const { sessions, routes } = model.appliance.limits;
  return {
    sessions,
    // Quarantined bindings (RFC 6888 REQ-8) outlive their sessions.
    bindings: sessions + Math.ceil(sessions / 4),
    networks: Math.min(256, 2 * (model.networks.length + 8)),
    plies: Math.max(1024, Math.ceil(routes / routesPerPly)),
    groups: 16_384,
    neighbors: 16_384,
    clients: Math.max(4096, 2 * model.clients.reduce((n, client) => n + client.prefixes.length, 0)),
    rules: Math.max(4096, 2 * model.policies.reduce((n, policy) => n + policy.rules.length, 0)),
    rule_addresses: 65_536,
  };
}

/** Whether a new Model changes what is fixed for the life of egretd. */
export const needsRestart = (a: Model, b: Model): boolean =>
  JSON.stringify([a.appliance.limits, a.appliance.mirror]) !==
  JSON.stringify([b.appliance.limits, b.appliance.mirror]);
