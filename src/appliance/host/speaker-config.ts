// SPDX-License-Identifier: Apache-2.0
/** The Model's neighbors with every name resolved on this host, as the speaker takes them. Pure. */
import type { RestartFlags } from '../../bgp/connection/negotiate.ts';
import type { SpeakerNeighbor } from '../../bgp/neighbor.ts';
import type { SpeakerConfig } from '../../bgp/speaker.ts';
import { type HostLink, interfacesOf, type PortChoice } from '../../egress/ports.ts';
import { isOnLink } from '../../egress/ways.ts';
import type { Model } from '../../model/model.ts';
import type { Ipv4 } from '../../net/ipv4.ts';

/**
 * @param ownRouterId - the box's BGP identifier when the configuration has none
 * @returns neighbors of networks that have no interface now are left out
 */
export function speakerConfig(
  model: Model,
  ports: readonly PortChoice[],
  links: readonly HostLink[],
  restart: RestartFlags,
  ownRouterId: Ipv4,
): SpeakerConfig {
  const tables = new Map(model.networks.map((row) => [row.name, row.routeTableIndex]));
  const present = ports.filter(
    (port) => port.fault === undefined && links.some((link) => link.name === port.name),
  );
  return {
    listenPort: model.bgp.listenPort,
    filters: model.filters,
    neighbors: speakerNeighbors(model, interfacesOf(present), links, ownRouterId),
    networkInterfaces: present.flatMap((port) =>
      port.networks.map((network) => ({
        network,
        interface: port.name,
        mark: tables.get(network)!,
      })),
    ),
    restart,
  };
}

/** The same without what is bound to some interfaces; neighbors that have another are left that. */
export function without(config: SpeakerConfig, interfaces: ReadonlySet<string>): SpeakerConfig {
  return {
    ...config,
    neighbors: config.neighbors
      .filter(({ interfaces: [first] }) => first === undefined || !interfaces.has(first))
      .map((row) => ({
        ...row,
        interfaces: row.interfaces.filter((name) => !interfaces.has(name)),
      })),
    networkInterfaces: config.networkInterfaces.filter((row) => !interfaces.has(row.interface)),
  };
}

function speakerNeighbors(
  model: Model,
  interfacesByNetwork: ReadonlyMap<string | undefined, readonly string[]>,
  links: readonly HostLink[],
  ownRouterId: Ipv4,
): SpeakerNeighbor[] {
  const tables = new Map(model.networks.map((row) => [row.name, row.routeTableIndex]));
  const routerId = model.bgp.routerId ?? ownRouterId;
  return model.neighbors.flatMap((row): SpeakerNeighbor[] => {
    const { network } = row;
    const interfaces = network === undefined ? [] : (interfacesByNetwork.get(network) ?? []);
    if (network !== undefined && interfaces.length === 0) return [];
    return [
      {
        name: row.name,
        network,
        address: row.address,
        port: row.port,
        interfaces: nearestFirst(interfaces, row.reachableBy ?? row.address, links),
        mark: network === undefined ? undefined : tables.get(network),
        remoteAs: row.remoteAs,
        localAs: row.localAs,
        routerId,
        sourceAddress: row.sourceAddress === 'UseNodeIP' ? model.bgp.nodeAddress : undefined,
        password: row.password,
        ttlSecurityHops: row.ttlSecurityHops,
        holdTimeMs: row.holdTimeMs,
        keepaliveTimeMs: row.keepaliveTimeMs,
        maxRestartTimeMs: row.maxRestartTimeMs,
        allowedLocalAsCount: row.allowedLocalAsCount,
        maximumPrefixes: row.maximumPrefixes,
        maximumPrefixesAction: row.maximumPrefixesAction,
        restartTimeMs: row.restartTimeMs,
        isFirstAsEnforced: row.isFirstAsEnforced,
        med: row.med,
        filters: row.filters,
      },
    ];
  });
}

/**
 * RFC 4271 §4.2: an address of the box; the highest, so that it does not depend on order. It is to be
 * chosen once: a new identifier ends every session.
 *
 * @returns undefined while the box has no address
 */
export function chooseRouterId(links: readonly HostLink[]): Ipv4 | undefined {
  const own = links.filter((link) => !link.isLoopback).flatMap((link) => link.addresses);
  return own.length > 0 ? Math.max(...own.map((row) => row.address)) : undefined;
}

/** The interface on whose link the neighbor is comes first: the speaker connects by it. */
function nearestFirst(
  names: readonly string[],
  address: Ipv4,
  links: readonly HostLink[],
): string[] {
  const isOn = (name: string): boolean =>
    links.some((link) => link.name === name && isOnLink(link, address));
  return [...names].sort((a, b) => Number(isOn(b)) - Number(isOn(a)));
}
