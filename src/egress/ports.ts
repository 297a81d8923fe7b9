// SPDX-License-Identifier: Apache-2.0
/**
 * Which interfaces are ports, in which role, and whose network they carry. Pure.
 *
 * An interface is a port when the Appliance lists it, or when it leads to a network's neighbor or
 * static next hop or VRF device, to a neighbor or static next hop of the main table, or to a client. Loopback and
 * Management interfaces never are. An interface of a network has role Networks whatever the Appliance
 * says, so that it never starts a client session; the main table never leads out of it.
 *
 * What should be a port and cannot be one is listed with the fault: the guard drops what comes by it.
 */
import type { Model, Network } from '../model/model.ts';
import { type Ipv4, type Ipv4Prefix, maskOf } from '../net/ipv4.ts';
import type { PlanLocal, PlanPort } from './plan.ts';
import { prefixOf, waysOf } from './ways.ts';

/** What the kernel says of an interface. */
export interface HostLink {
  readonly name: string;
  readonly ifindex: number;
  readonly isUp: boolean;
  readonly isLoopback: boolean;
  /** Kind of a device whose packets have no Ethernet header, e.g. a tunnel; undefined: they have one. */
  readonly layer3?: string;
  readonly mac: Uint8Array;
  readonly mtu: number;
  /** The VRF device that it belongs to, if there is one. */
  readonly vrfDevice?: string | undefined;
  readonly addresses: readonly {
    readonly address: Ipv4;
    readonly length: number;
    readonly broadcast: Ipv4 | undefined;
  }[];
}

/** A route of the kernel's main table. */
export interface HostRoute {
  readonly prefix: Ipv4Prefix;
  /** Address 0: on the link. */
  readonly nextHops: readonly { readonly interface: string; readonly address: Ipv4 }[];
}

export interface PortChoice {
  readonly name: string;
  readonly role: PlanPort['role'];
  /** Names of networks that it carries. */
  readonly networks: readonly string[];
  /** Why it is a port. */
  readonly reason: string;
  /** Why it cannot be one on this host. */
  readonly fault?: string;
}

/** @returns by name; an interface that does not exist is listed when the configuration names it */
export function choosePorts(
  model: Model,
  links: readonly HostLink[],
  mainRoutes: readonly HostRoute[],
): PortChoice[] {
  const listed = new Map(model.appliance.interfaces.map((row) => [row.name, row]));
  const isManagement = (name: string): boolean => listed.get(name)?.role === 'Management';
  const chosen = new Map<string, { role: PlanPort['role']; networks: string[]; reason: string }>();

  const unclear = new Map<string, string>();
  for (const network of model.networks) {
    for (const [name, reason] of networkInterfaces(model, network, links, unclear)) {
      if (isManagement(name)) continue;
      const port = chosen.get(name);
      if (port) port.networks.push(network.name);
      else chosen.set(name, { role: 'Networks', networks: [network.name], reason });
    }
  }
  for (const { name, role } of model.appliance.interfaces) {
    if (role === 'Management' || chosen.has(name)) continue;
    chosen.set(name, { role, networks: [], reason: 'listed in Appliance.spec.interfaces' });
  }
  const offer = (name: string, role: PlanPort['role'], reason: string): void => {
    if (!isManagement(name) && !chosen.has(name)) chosen.set(name, { role, networks: [], reason });
  };
  const outside = new Set(
    [...chosen].filter(([, port]) => port.networks.length > 0).map(([name]) => name),
  );
  const reach = mainInterfaces(links, mainRoutes, outside);
  for (const neighbor of model.neighbors) {
    if (neighbor.network !== undefined) continue;
    for (const name of reach(neighbor.address))
      offer(name, 'Any', `leads to neighbor ${neighbor.name}`);
  }
  for (const route of model.appliance.staticRoutes) {
    for (const name of reach(route.nextHop)) offer(name, 'Any', 'leads to a static next hop');
  }
  for (const client of model.clients) {
    for (const prefix of client.prefixes) {
      for (const name of reach(prefix.address))
        offer(name, 'Clients', `leads to client ${client.name}`);
    }
  }
  // Last: what is a port for another reason stays that.
  for (const [name, reason] of unclear) offer(name, 'Networks', reason);
  const found = new Map(links.map((link) => [link.name, link]));
  return [...chosen]
    .filter(([name]) => !found.get(name)?.isLoopback)
    .map(([name, port]): PortChoice => {
      const isUnclear = port.reason === unclear.get(name);
      const fault = isUnclear ? 'the network is not clear' : linkFault(found.get(name));
      return { name, ...port, ...(fault === undefined ? {} : { fault }) };
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Why an interface cannot be a port, whatever it leads to. */
const linkFault = (link: HostLink | undefined): string | undefined =>
  link?.layer3 === undefined ? undefined : `it is a layer-3 device (${link.layer3})`;

/**
 * The interfaces of a network: as written, or those of its VRF device, or those on whose link
 * its next hops are.
 *
 * @param unclear - filled with those that lead to a next hop of which it is not clear whose it is
 */
function networkInterfaces(
  model: Model,
  network: Network,
  links: readonly HostLink[],
  unclear: Map<string, string>,
): Map<string, string> {
  const found = new Map<string, string>();
  if (network.interfaces.length > 0) {
    for (const name of network.interfaces) found.set(name, `belongs to network ${network.name}`);
    return found;
  }
  const { vrfDevice } = network;
  if (vrfDevice !== undefined) {
    for (const link of links.filter((row) => row.vrfDevice === vrfDevice)) {
      found.set(link.name, `belongs to VRF device ${vrfDevice} of network ${network.name}`);
    }
    return found;
  }
  const wayTo = waysOf(model, network, links);
  const add = (target: Ipv4, reason: string): void => {
    const way = wayTo(target);
    for (const link of way.links) (way.isUnclear ? unclear : found).set(link.name, reason);
  };
  for (const { network: of, name, reachableBy, address } of model.neighbors) {
    if (of !== network.name) continue;
    add(reachableBy ?? address, `leads to neighbor ${name} of network ${network.name}`);
  }
  for (const { nextHop } of network.staticRoutes) {
    add(nextHop, `leads to a static next hop of network ${network.name}`);
  }
  return found;
}

/**
 * By which interfaces the main table reaches an address: longest prefix, connected or not.
 *
 * @returns the lookup, for tens of thousands of clients: one step for each length that is in use
 */
function mainInterfaces(
  links: readonly HostLink[],
  routes: readonly HostRoute[],
  outside: ReadonlySet<string>,
): (address: Ipv4) => readonly string[] {
  const ways = new Map<number, Map<Ipv4, string[]>>();
  const add = ({ address, length }: Ipv4Prefix, through: readonly string[]): void => {
    const inside = through.filter((name) => !outside.has(name));
    if (inside.length === 0) return;
    const names = ways.get(length) ?? new Map<Ipv4, string[]>();
    names.set(address, [...new Set([...(names.get(address) ?? []), ...inside])]);
    ways.set(length, names);
  };
  for (const link of links) {
    for (const own of link.addresses) add(prefixOf(own), [link.name]);
  }
  for (const route of routes) {
    const through = route.nextHops.map((hop) => hop.interface);
    add(route.prefix, through);
  }
  const longestFirst = [...ways].sort(([a], [b]) => b - a);
  return (address) => {
    for (const [length, names] of longestFirst) {
      const found = names.get((address & maskOf(length)) >>> 0);
      if (found) return found;
    }
    return [];
  };
}

/** Interfaces by network name; undefined: those of no network. */
export type InterfacesOf = ReadonlyMap<string | undefined, readonly string[]>;

/** Without those that cannot be ports. */
export function interfacesOf(ports: readonly PortChoice[]): InterfacesOf {
  const found = new Map<string | undefined, string[]>([[undefined, []]]);
  for (const port of ports) {
    if (port.fault !== undefined) continue;
    for (const name of port.networks.length > 0 ? port.networks : [undefined]) {
      found.set(name, [...(found.get(name) ?? []), port.name]);
    }
  }
  return found;
}

/** Ports as the plan takes them; an interface that does not exist has ifindex 0. Without faults. */
export function planPorts(
  model: Model,
  choices: readonly PortChoice[],
  links: readonly HostLink[],
): PlanPort[] {
  const tables = new Map(model.networks.map((network) => [network.name, network.routeTableIndex]));
  const usable = choices.filter((choice) => choice.fault === undefined);
  return usable.map((choice) => {
    const link = links.find((candidate) => candidate.name === choice.name);
    const only = choice.networks.length === 1 ? choice.networks[0] : undefined;
    return {
      name: choice.name,
      ifindex: link?.ifindex ?? 0,
      isUp: link?.isUp ?? false,
      mac: link?.mac ?? new Uint8Array(6),
      mtu: link?.mtu ?? 1500,
      address: link?.addresses[0]?.address ?? 0,
      role: choice.role,
      network: only === undefined ? undefined : tables.get(only),
    };
  });
}

/** The box's own addresses and the broadcast addresses of its links: left to the kernel. */
export function localAddresses(links: readonly HostLink[]): Ipv4[] {
  const found = new Set<Ipv4>();
  for (const link of links) {
    for (const own of link.addresses) {
      found.add(own.address);
      if (own.broadcast !== undefined) found.add(own.broadcast);
      if (own.length <= 30) {
        const mask = maskOf(own.length);
        found.add((own.address & mask) >>> 0);
        found.add(((own.address & mask) | ~mask) >>> 0);
      }
    }
  }
  return [...found];
}

/** The same with the network of the port that has each of them, for the plan. */
export function planLocals(links: readonly HostLink[], ports: readonly PlanPort[]): PlanLocal[] {
  const networks = new Map(ports.map((port) => [port.name, port.network]));
  return links.flatMap((link) => {
    const network = networks.get(link.name);
    return localAddresses([link]).map((address) => ({ address, network }));
  });
}
