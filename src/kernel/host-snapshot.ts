// SPDX-License-Identifier: Apache-2.0
/**
 * A picture of the box at one moment: links, IPv4 addresses, routes of the main table, and what follows
 * from them. Pure, frozen data; host.ts makes one whenever the kernel's messages changed something.
 */
import { comparePrefixes, type Ipv4, type Ipv4Prefix, maskOf } from '../net/ipv4.ts';
import type { RouteMessage } from './route-codec.ts';
import type { AddressMessage, LinkMessage } from './rtnetlink-codec.ts';

export interface HostLink extends LinkMessage {
  /** How often it went down or away since egretd started: a flap is seen even between snapshots. */
  readonly downCount: number;
  /** The VRF device that it is enslaved to; undefined: none. */
  readonly vrfDevice: string | undefined;
}

export interface HostAddress extends AddressMessage {
  readonly interface: string;
}

export interface HostRoute {
  readonly prefix: Ipv4Prefix;
  readonly protocol: number;
  readonly scope: number;
  readonly metric: number;
  readonly source: Ipv4 | undefined;
  readonly nextHops: readonly { readonly interface: string; readonly address: Ipv4 }[];
}

/** A prefix that is reachable on a link without a gateway. */
export interface ConnectedRoute {
  readonly prefix: Ipv4Prefix;
  readonly interface: string;
  readonly ifindex: number;
  /** The box's own address in it. */
  readonly source: Ipv4 | undefined;
}

export interface HostSnapshot {
  /** Ascending; equal numbers are equal snapshots. */
  readonly generation: number;
  readonly links: ReadonlyMap<string, HostLink>;
  readonly addresses: readonly HostAddress[];
  /** Unicast routes of the main table, by prefix, then metric: the first of a prefix is used. */
  readonly mainRoutes: readonly HostRoute[];
}

/** @param downCounts - by name of the interface */
export function makeSnapshot(
  generation: number,
  links: ReadonlyMap<number, LinkMessage>,
  addresses: ReadonlyMap<string, AddressMessage>,
  routes: ReadonlyMap<string, RouteMessage>,
  downCounts: ReadonlyMap<string, number>,
): HostSnapshot {
  const nameOf = (ifindex: number): string => links.get(ifindex)?.name ?? '';
  const vrfDeviceOf = ({ masterIfindex }: LinkMessage): string | undefined => {
    const master = links.get(masterIfindex);
    return master?.kind === 'vrf' ? master.name : undefined;
  };
  const mainRoutes = [...routes.values()]
    .map((route) => ({
      prefix: { address: route.prefix, length: route.prefixLength },
      protocol: route.protocol,
      scope: route.scope,
      metric: route.metric,
      source: route.source,
      nextHops: route.nextHops
        .filter((hop) => links.get(hop.ifindex)?.isUp)
        .map((hop) => ({ interface: nameOf(hop.ifindex), address: hop.address })),
    }))
    .filter((route) => route.nextHops.length > 0)
    .sort((a, b) => comparePrefixes(a.prefix, b.prefix) || a.metric - b.metric);
  return Object.freeze({
    generation,
    links: new Map(
      [...links.values()].map((link) => [
        link.name,
        { ...link, downCount: downCounts.get(link.name) ?? 0, vrfDevice: vrfDeviceOf(link) },
      ]),
    ),
    addresses: [...addresses.values()]
      .filter((address) => links.has(address.ifindex))
      .map((address) => ({ ...address, interface: nameOf(address.ifindex) })),
    mainRoutes,
  });
}

/**
 * The connected routes of some interfaces: what their addresses imply while the link is up, and
 * what the main table sends out of them without a gateway.
 */
export function connectedRoutes(
  snapshot: HostSnapshot,
  interfaces: readonly string[],
): ConnectedRoute[] {
  const found = new Map<string, ConnectedRoute>();
  const add = (name: string, prefix: Ipv4Prefix, source: Ipv4 | undefined): void => {
    const link = snapshot.links.get(name);
    if (!link?.isUp || !interfaces.includes(name)) return;
    const key = `${name} ${prefix.address}/${prefix.length}`;
    if (!found.has(key)) found.set(key, { prefix, interface: name, ifindex: link.ifindex, source });
  };
  for (const { interface: name, address, prefixLength, peer, ...flags } of snapshot.addresses) {
    const isOwnHostAddress = prefixLength === 32 && peer === address;
    if (flags.hasNoPrefixRoute || isOwnHostAddress || flags.isSecondary) continue;
    const prefix = { address: (peer & maskOf(prefixLength)) >>> 0, length: prefixLength };
    add(name, prefix, address);
  }
  for (const { prefix, source, nextHops } of snapshot.mainRoutes)
    for (const hop of nextHops) if (hop.address === 0) add(hop.interface, prefix, source);
  return [...found.values()].sort(
    (a, b) => comparePrefixes(a.prefix, b.prefix) || (a.interface < b.interface ? -1 : 1),
  );
}
