// SPDX-License-Identifier: Apache-2.0
/**
 * `egret clear neighbor X [soft]`: starts a BGP session over, or with soft asks for the neighbor's routes
 * and announces ours again.
 * `egret clear sessions [client X | gateway X | network X]`: ends NAT sessions; their clients begin new ones.
 */
import { EgretError } from '../lib/errors.ts';
import { gatewayKey } from '../model/gateway-key.ts';
import { type Ipv4Prefix, parseIpv4, parseIpv4Prefix } from '../net/ipv4.ts';
import type { LiveParts } from '../status/parts.ts';
import type { AdminCommand } from './command.ts';
import { neighborNamed } from './neighbor-named.ts';
import type { SessionChoice } from './operations.ts';
import type { AdminParts } from './parts.ts';

const usage = (what: string): EgretError => new EgretError('USAGE', { what });

export const clear: AdminCommand<AdminParts> = {
  name: 'clear',
  async *run({ words: [what, ...words] }, parts) {
    if (what === 'neighbor') yield clearNeighbor(words, parts);
    else if (what === 'sessions') yield await clearSessions(words, parts);
    else throw usage('clear takes `neighbor` or `sessions`');
    return 0;
  },
};

function clearNeighbor(words: readonly string[], { live, operations }: AdminParts): string {
  const isSoft = words.at(-1) === 'soft';
  const { key, shown } = neighborNamed(live, 'clear neighbor', isSoft ? words.slice(0, -1) : words);
  if (!isSoft) {
    if (operations.resetNeighbor(key)) return `neighbor ${shown}: the session starts over\n`;
    throw new EgretError('NEIGHBOR_NOT_CLEARED', { neighbor: shown, reason: 'it is kept down' });
  }
  if (operations.refreshNeighbor(key)) return `neighbor ${shown}: routes are asked for again\n`;
  const reason = 'it is not up, or does not know route refresh';
  throw new EgretError('NEIGHBOR_NOT_CLEARED', { neighbor: shown, reason });
}

async function clearSessions(words: readonly string[], parts: AdminParts): Promise<string> {
  const choices = sessionChoices(words, parts.live);
  let removed = 0;
  for (const choice of choices) removed += await parts.operations.clearSessions(choice);
  return `${removed} sessions removed\n`;
}

const any: SessionChoice = { inside: undefined, outside: undefined, network: undefined };

function sessionChoices([kind, name, more]: readonly string[], live: LiveParts): SessionChoice[] {
  if (kind === undefined) return [any];
  if (
    name === undefined ||
    more !== undefined ||
    !['client', 'gateway', 'network'].includes(kind)
  ) {
    throw usage('clear sessions takes `client X`, `gateway X`, `network X`, or nothing: all');
  }
  if (kind === 'network') {
    const network = live.model.networks.find((candidate) => candidate.name === name);
    if (!network) throw new EgretError('NOT_FOUND', { what: `Network ${name}` });
    return [{ ...any, network: live.dataPlane.networkSlot(network.routeTableIndex) }];
  }
  if (kind === 'gateway') {
    const gateway = live.model.gateways.find((candidate) => gatewayKey(candidate) === name);
    if (!gateway) throw new EgretError('NOT_FOUND', { what: `Gateway ${name}` });
    return (live.assignment.get(name) ?? []).map((outside) => ({ ...any, outside }));
  }
  return clientPrefixes(name, live).map((inside) => ({ ...any, inside }));
}

/** An address, a prefix, or a client's name. */
function clientPrefixes(name: string, live: LiveParts): readonly Ipv4Prefix[] {
  const address = parseIpv4(name);
  if (address !== undefined) return [{ address, length: 32 }];
  const prefix = parseIpv4Prefix(name);
  if (prefix) return [prefix];
  const client = live.model.clients.find(
    (each) =>
      name === (each.namespace === undefined ? each.name : `${each.namespace}/${each.name}`),
  );
  if (!client) throw new EgretError('NOT_FOUND', { what: `Client ${name}` });
  return client.prefixes;
}
