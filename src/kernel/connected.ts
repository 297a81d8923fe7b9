// SPDX-License-Identifier: Apache-2.0
/**
 * Connected routes of networks, in their private tables (identity.ts), and /32 routes to neighbors
 * that are reached through a gateway (BGPPeer.reachableBy).
 *
 * The network's own table then prints learned and static routes only. The kernel takes these routes
 * away with their interface; `set` after each change of the host puts them back.
 */
import { constants } from 'node:os';
import type { Ipv4 } from '../net/ipv4.ts';
import { connectedRoutes, type HostSnapshot } from './host-snapshot.ts';
import { plumbingProtocol, privateTableOf } from './identity.ts';
import { flagCreate, flagReplace, type MessageFault } from './netlink-codec.ts';
import {
  decodeRoute,
  encodeDelRoute,
  encodeNewRoute,
  encodeRouteDump,
  type RouteMessage,
  routeLocal,
  routeUnicast,
  scopeHost,
  scopeLink,
  scopeUniverse,
  tableMain,
} from './route-codec.ts';
import type { Rtnetlink } from './rtnetlink.ts';

export interface ConnectedNetwork {
  /** undefined: the main table, where the kernel keeps connected routes itself. */
  readonly routeTableIndex: number | undefined;
  readonly interfaces: readonly string[];
  readonly reachable: readonly ReachableNeighbor[];
}

/** A neighbor and the gateway that leads to it, both of one network. */
export interface ReachableNeighbor {
  readonly neighbor: Ipv4;
  readonly gateway: Ipv4;
}

/** A route that the kernel refused. */
export interface RefusedRoute {
  readonly route: RouteMessage;
  readonly fault: MessageFault;
}

/** What the private tables, and for reachableBy the main table, should hold. */
export function plumbingRoutes(
  snapshot: HostSnapshot,
  networks: readonly ConnectedNetwork[],
): RouteMessage[] {
  return networks.flatMap(({ routeTableIndex, interfaces, reachable }) => {
    const table = routeTableIndex === undefined ? tableMain : privateTableOf(routeTableIndex);
    const connected = connectedRoutes(snapshot, interfaces);
    const routes: RouteMessage[] = [];
    const base = { table, protocol: plumbingProtocol, type: routeUnicast, metric: 0 };
    if (routeTableIndex !== undefined) {
      routes.push(...ownAddresses(snapshot, interfaces, table));
      const prefixes = new Set<string>();
      for (const { prefix, ifindex, source } of connected) {
        // Two interfaces of one network in one prefix: the first by name.
        const key = `${prefix.address}/${prefix.length}`;
        if (prefixes.has(key)) continue;
        prefixes.add(key);
        routes.push({
          ...base,
          prefix: prefix.address,
          prefixLength: prefix.length,
          scope: scopeLink,
          source,
          nextHops: [{ ifindex, address: 0, weight: 1 }],
        });
      }
    }
    for (const { neighbor, gateway } of reachable) {
      const via = connected
        .filter(({ prefix }) => holds(prefix.address, prefix.length, gateway))
        .sort((a, b) => b.prefix.length - a.prefix.length)[0];
      if (!via) continue;
      routes.push({
        ...base,
        prefix: neighbor,
        prefixLength: 32,
        scope: scopeUniverse,
        source: via.source,
        nextHops: [{ ifindex: via.ifindex, address: gateway, weight: 1 }],
      });
    }
    return routes;
  });
}

/**
 * The box's own addresses on interfaces that are enslaved to a VRF device. The kernel has them in the
 * device's table, which comes behind ours: rules with a mark are before the VRFs' rule. They come
 * first, since a route whose source is not local is refused.
 */
function ownAddresses(
  snapshot: HostSnapshot,
  interfaces: readonly string[],
  table: number,
): RouteMessage[] {
  const rows = snapshot.addresses.filter(({ interface: name }) => {
    const link = snapshot.links.get(name);
    return link?.isUp && link.vrfDevice !== undefined && interfaces.includes(name);
  });
  return [...Map.groupBy(rows, ({ address }) => address).values()]
    .map(([first]) => first!)
    .map(({ address, ifindex }) => ({
      table,
      protocol: plumbingProtocol,
      type: routeLocal,
      metric: 0,
      prefix: address,
      prefixLength: 32,
      scope: scopeHost,
      source: address,
      nextHops: [{ ifindex, address: 0, weight: 1 }],
    }));
}

const holds = (prefix: Ipv4, length: number, address: Ipv4): boolean =>
  length === 0 || (address ^ prefix) >>> (32 - length) === 0;

/**
 * Makes our routes in these tables those that are wanted; others' are left alone.
 *
 * @param wanted - plumbingRoutes(…); empty: the orderly stop
 * @param previousTables - tables to empty as well: setRules finds those of a previous instance
 * @returns what the kernel refused; it is tried again by the next call
 * @throws EgretError NETLINK_REFUSED when a table cannot be read
 */
export async function setPlumbingRoutes(
  rtnetlink: Rtnetlink,
  wanted: readonly RouteMessage[],
  previousTables: readonly number[] = [],
): Promise<RefusedRoute[]> {
  const found: RouteMessage[] = [];
  for (const table of new Set([tableMain, ...previousTables, ...wanted.map((one) => one.table)])) {
    const rows = await rtnetlink.dump(`table ${table}`, encodeRouteDump(table), decodeRoute);
    found.push(
      ...rows.filter((route) => route.protocol === plumbingProtocol && route.table === table),
    );
  }
  const wantedKeys = new Set(wanted.map(keyOf));
  const wantedPlaces = new Set(wanted.map(placeOf));
  const foundKeys = new Set(found.map(keyOf));
  // A route that only leads elsewhere now is replaced, so that there is no moment without it.
  const stale = found.filter(
    (route) => !wantedKeys.has(keyOf(route)) && !wantedPlaces.has(placeOf(route)),
  );
  const missing = wanted.filter((route) => !foundKeys.has(keyOf(route)));
  const faults = [
    ...(await rtnetlink.requestAll(stale.map(encodeDelRoute))),
    // Gateways come after the connected routes that lead to them.
    ...(await rtnetlink.requestAll(missing.map(encodeNewRoute), flagCreate | flagReplace)),
  ];
  return [...stale, ...missing].flatMap((route, i) => {
    const fault = faults[i]!;
    return fault.errno === 0 || fault.errno === constants.errno.ESRCH ? [] : [{ route, fault }];
  });
}

const placeOf = ({ table, prefix, prefixLength }: RouteMessage): string =>
  `${table} ${prefix}/${prefixLength}`;

const keyOf = (route: RouteMessage): string =>
  `${placeOf(route)} ${route.scope} ${route.source} ${route.nextHops.map((hop) => `${hop.ifindex}:${hop.address}`)}`;
