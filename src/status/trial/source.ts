// SPDX-License-Identifier: Apache-2.0
/**
 * Where ping, traceroute and tcp-check begin: `from` a client, a gateway or a network.
 *
 *   from 10.1.0.2              that client
 *   from prod/egress-red       a gateway, from its egress address; or a client of one address
 *   from red                   the box's own address in that network
 *   from gateway prod/web      where a client has the same name
 */
import type { TrialKind } from '../../dataplane/trials.ts';
import { EgretError } from '../../lib/errors.ts';
import { gatewayKey } from '../../model/gateway-key.ts';
import type { Client } from '../../model/model.ts';
import { formatIpv4, type Ipv4, parseIpv4 } from '../../net/ipv4.ts';
import type { LiveParts } from '../parts.ts';

export interface Source {
  readonly kind: TrialKind;
  /** As it was given. */
  readonly name: string;
  readonly address: Ipv4;
  /** Slot of the network whose routes it takes. */
  readonly network: number;
  /** Slot of the port by which it enters. */
  readonly port: number;
  /** Hops inside the box that a packet of its own does not count. */
  readonly ownHops: 0 | 1;
}

export interface Trip {
  readonly destination: Ipv4;
  readonly source: Source;
  /** Words between the destination and `from`. */
  readonly more: readonly string[];
}

const kindWords: readonly TrialKind[] = ['client', 'gateway', 'network'];

/** @param words - DESTINATION [more] from [client | gateway | network] SOURCE; @throws USAGE, NOT_FOUND */
export function parseTrip(parts: LiveParts, tool: string, words: readonly string[]): Trip {
  const from = words.indexOf('from');
  const [to = '', ...more] = words.slice(0, from < 0 ? words.length : from);
  const destination = parseIpv4(to);
  if (destination === undefined) throw wrong(`${tool} takes an IPv4 address, not ${to || 'none'}`);
  const given = from < 0 ? [] : words.slice(from + 1);
  const kind = given.length === 2 ? kindWords.find((word) => word === given[0]) : undefined;
  if (given.length === 0 || (given.length === 2 && !kind) || given.length > 2) {
    throw wrong(`${tool} takes \`from SOURCE\`: a client, a gateway or a network`);
  }
  const name = given.at(-1)!;
  const found = kindWords
    .filter((word) => kind === undefined || word === kind)
    .flatMap((word) => finders[word](parts, name, destination));
  if (found.length > 1 && found[0]!.kind !== found[1]!.kind) {
    throw wrong(
      `${name} is a ${found[0]!.kind} and a ${found[1]!.kind}: say \`from KIND ${name}\``,
    );
  }
  const [source] = found;
  if (!source) throw new EgretError('NOT_FOUND', { what: `${kind ?? 'Source'} ${name}` });
  return { destination, source, more };
}

/** @throws USAGE */
export function takesNoMore(tool: string, [first]: readonly string[]): void {
  if (first !== undefined) throw wrong(`${tool} takes no ${first} there`);
}

const wrong = (what: string): EgretError => new EgretError('USAGE', { what });

type Finder = (parts: LiveParts, name: string, destination: Ipv4) => Source[];

const finders: Readonly<Record<TrialKind, Finder>> = {
  client: (parts, name) => {
    const own = { kind: 'client', name, network: 0, port: 0, ownHops: 0 } as const;
    const address = parseIpv4(name);
    if (address !== undefined) {
      return isGatewayAddress(parts, address) ? [] : [{ ...own, address }];
    }
    const client = parts.model.clients.find((candidate) => clientName(candidate) === name);
    return client ? [{ ...own, address: onlyAddress(client) }] : [];
  },
  gateway: (parts, name) => {
    const asked = parseIpv4(name);
    for (const gateway of parts.model.gateways) {
      const key = gatewayKey(gateway);
      const addresses = parts.assignment.get(key) ?? [];
      if (asked === undefined ? key !== name : !addresses.includes(asked)) continue;
      const address = asked ?? addresses[0];
      if (address === undefined) {
        throw new EgretError('NOT_FOUND', { what: `An egress address of gateway ${name}` });
      }
      const port = portOf(parts, gateway.networks[0]);
      return [{ kind: 'gateway', name, address, network: 0, port, ownHops: 1 }];
    }
    return [];
  },
  network: (parts, name, destination) => {
    const network = parts.model.networks.find((candidate) => candidate.name === name);
    if (!network) return [];
    const rib = parts.ribs.get(name);
    const way = rib?.longestMatch(destination)?.nextHops[0]?.interface;
    const carrying = parts.ports.filter((port) => port.networks.includes(name));
    const on = carrying.find((port) => port.name === way) ?? carrying[0];
    const address = parts.links.find((link) => link.name === on?.name)?.addresses[0]?.address;
    if (!on || address === undefined) {
      throw new EgretError('NOT_FOUND', { what: `An address of the box in network ${name}` });
    }
    const slots = {
      network: parts.dataPlane.networkSlot(network.routeTableIndex),
      port: parts.dataPlane.portSlot(on.name),
    };
    return [{ kind: 'network', name, address, ...slots, ownHops: 1 }];
  },
};

const isGatewayAddress = (parts: LiveParts, address: Ipv4): boolean =>
  [...parts.assignment.values()].some((addresses) => addresses.includes(address));

const clientName = ({ namespace, name }: Client): string =>
  namespace === undefined ? name : `${namespace}/${name}`;

function onlyAddress(client: Client): Ipv4 {
  const [prefix, ...more] = client.prefixes;
  if (prefix?.length === 32 && more.length === 0) return prefix.address;
  throw wrong(`client ${clientName(client)} has more than one address: give the address`);
}

/** A port of a network, or of the main table. */
function portOf(parts: LiveParts, network: string | undefined): number {
  const port = parts.ports.find((candidate) =>
    network === undefined ? candidate.networks.length === 0 : candidate.networks.includes(network),
  );
  if (!port)
    throw new EgretError('NOT_FOUND', { what: `A port of ${network ?? 'the main table'}` });
  return parts.dataPlane.portSlot(port.name);
}

/** `prod/egress-red (10.50.0.2)`. */
export const sourceText = ({ name, address }: Source): string =>
  name === formatIpv4(address) ? name : `${name} (${formatIpv4(address)})`;
