// SPDX-License-Identifier: Apache-2.0
/** The kernel's snapshot in the shapes that configuration checks, ports and RIBs read. Pure. */
import {
  choosePorts,
  type HostLink,
  type HostRoute,
  type InterfacesOf,
  interfacesOf,
  type PortChoice,
} from '../../egress/ports.ts';
import { type GuardInput, isGuardable } from '../../kernel/guard-script.ts';
import { connectedRoutes, type HostSnapshot } from '../../kernel/host-snapshot.ts';
import type { PlumbingWanted } from '../../kernel/plumbing.ts';
import { type Model, managementVrf, type Network } from '../../model/model.ts';
import { prefixHolds } from '../../net/ipv4.ts';
import type { LocalRoute } from '../vrf/vrf.ts';
import { type HostFacts, type HostVerdict, judgeHost } from './host-faults.ts';

const linksOf = new WeakMap<HostSnapshot, readonly HostLink[]>();

/** Worked out once for each snapshot. */
export function hostLinks(snapshot: HostSnapshot): readonly HostLink[] {
  const known = linksOf.get(snapshot);
  if (known) return known;
  const links = makeLinks(snapshot);
  linksOf.set(snapshot, links);
  return links;
}

/** ARPHRD_ETHER. */
const hardwareEthernet = 1;

function makeLinks(snapshot: HostSnapshot): HostLink[] {
  const addresses = Map.groupBy(snapshot.addresses, (row) => row.interface);
  return [...snapshot.links.values()].map((link) => ({
    name: link.name,
    ifindex: link.ifindex,
    isUp: link.isUp && link.hasCarrier,
    isLoopback: link.isLoopback,
    ...(link.hardwareType === hardwareEthernet || link.isLoopback
      ? {}
      : { layer3: link.kind === '' ? `type ${link.hardwareType}` : link.kind }),
    mac: macBytes(link.mac),
    mtu: link.mtu,
    vrfDevice: link.vrfDevice,
    addresses: (addresses.get(link.name) ?? []).map((row) => ({
      address: row.address,
      length: row.prefixLength,
      broadcast: row.broadcast,
    })),
  }));
}

const macBytes = (text: string): Uint8Array => {
  const bytes = new Uint8Array(6);
  text.split(':').forEach((part, i) => {
    if (i < 6) bytes[i] = Number.parseInt(part, 16) || 0;
  });
  return bytes;
};

/** The ports that this Model needs on this host. */
export function portsOf(model: Model, snapshot: HostSnapshot): PortChoice[] {
  const chosen = choosePorts(model, hostLinks(snapshot), snapshot.mainRoutes);
  return chosen.map((port) =>
    isGuardable(port.name) ? port : { ...port, fault: 'nftables cannot name it' },
  );
}

/** Routes of the main table with a gateway. */
function gatewayRoutes(snapshot: HostSnapshot): HostRoute[] {
  return snapshot.mainRoutes
    .filter((route) => route.nextHops.some((hop) => hop.address !== 0))
    .map(({ prefix, nextHops }) => ({ prefix, nextHops }));
}

/** How the host fits the Model. @param foreign - what is wrong with tables of networks */
export function verdictOn(
  model: Model,
  snapshot: HostSnapshot,
  ports: readonly PortChoice[],
  foreign: HostFacts['foreign'],
): HostVerdict {
  const links = hostLinks(snapshot);
  return judgeHost(model, { links, gatewayRoutes: gatewayRoutes(snapshot), ports, foreign });
}

/** A network's routes without a neighbor: its interfaces' prefixes, static ones, reachableBy. */
export function networkRoutes(
  model: Model,
  network: Network,
  interfaces: readonly string[],
  snapshot: HostSnapshot,
): LocalRoute[] {
  const reachable = model.neighbors
    .filter((row) => row.network === network.name && row.reachableBy !== undefined)
    .map((row) => staticRoute({ address: row.address, length: 32 }, row.reachableBy!));
  // Without a carrier nothing is reached there; another path may, and the kernel's table is to say so.
  const { links } = snapshot;
  const carriers = interfaces.filter((name) => links.get(name)?.hasCarrier);
  return [
    ...connected(snapshot, carriers),
    ...network.staticRoutes.map((row) => staticRoute(row.destination, row.nextHop)),
    ...reachable,
  ];
}

/**
 * The main table's, those by a network's interface too: the data plane drops what they lead to
 * (network_exit), and what is less specific must not catch it.
 */
export function mainRoutes(model: Model, snapshot: HostSnapshot): LocalRoute[] {
  const names = [...snapshot.links.values()]
    .filter((link) => !link.isLoopback)
    .map((link) => link.name);
  const fromKernel = gatewayRoutes(snapshot).flatMap(({ prefix, nextHops }) =>
    nextHops.map(
      (hop): LocalRoute => ({
        kind: 'static',
        prefix,
        interface: hop.interface,
        nextHop: hop.address,
      }),
    ),
  );
  return [
    ...connected(snapshot, names),
    ...fromKernel,
    ...model.appliance.staticRoutes.map((row) => staticRoute(row.destination, row.nextHop)),
  ];
}

/** Next hops and directly connected clients, for the kernel to keep resolved. */
export function neighborsToKeep(
  model: Model,
  interfacesByNetwork: InterfacesOf,
  snapshot: HostSnapshot,
): { interface: string; address: number }[] {
  const targets: { network: string | undefined; address: number }[] = [
    ...model.neighbors.map((row) => ({
      network: row.network,
      address: row.reachableBy ?? row.address,
    })),
    ...model.networks.flatMap((network) =>
      network.staticRoutes.map((row) => ({ network: network.name, address: row.nextHop })),
    ),
    ...model.appliance.staticRoutes.map((row) => ({ network: undefined, address: row.nextHop })),
    ...gatewayRoutes(snapshot).flatMap((route) =>
      route.nextHops.map((hop) => ({ network: undefined, address: hop.address })),
    ),
    ...model.clients.flatMap((client) =>
      client.prefixes
        .filter((prefix) => client.policy !== undefined && prefix.length === 32)
        .map((prefix) => ({ network: undefined, address: prefix.address })),
    ),
  ];
  const links = new Map(
    [...interfacesByNetwork].map(([network, names]) => [
      network,
      connectedRoutes(snapshot, names).filter(({ prefix }) => prefix.length < 32),
    ]),
  );
  const found = new Map<string, Set<number>>();
  for (const { network, address } of targets) {
    for (const { prefix, interface: name } of links.get(network) ?? []) {
      if (address === 0 || !prefixHolds(prefix, address)) continue;
      const addresses = found.get(name) ?? new Set<number>();
      found.set(name, addresses.add(address));
    }
  }
  return [...found].flatMap(([name, addresses]) =>
    [...addresses].map((address) => ({ interface: name, address })),
  );
}

/**
 * Guard, marks, rules and private tables for these ports; the guard also for those that cannot be one.
 *
 * @param isHostManaged - egretd sets up the host (`egret run --manage-host`)
 */
export function plumbingWanted(
  model: Model,
  ports: readonly PortChoice[],
  snapshot: HostSnapshot,
  isHostManaged: boolean,
): PlumbingWanted {
  const tables = new Map(model.networks.map((row) => [row.name, row.routeTableIndex]));
  const interfaces = interfacesOf(ports);
  return {
    ports: ports
      .filter(({ name }) => isGuardable(name))
      .map((port) => ({
        name: port.name,
        marks: port.networks.map((network) => tables.get(network)!),
        vrfDevice: snapshot.links.get(port.name)?.vrfDevice,
      })),
    input: guardInput(model, ports, snapshot, isHostManaged),
    networks: model.networks.map((network) => ({
      routeTableIndex: network.routeTableIndex,
      interfaces: interfaces.get(network.name) ?? [],
      reachable: model.neighbors.flatMap((row) =>
        row.network === network.name && row.reachableBy !== undefined
          ? [{ neighbor: row.address, gateway: row.reachableBy }]
          : [],
      ),
    })),
    rulePriority: model.features.externalNetworkRulePriority,
  };
}

const sshPort = 22;

/** What may reach the box's own addresses by these ports and by the management plane. */
function guardInput(
  model: Model,
  ports: readonly PortChoice[],
  snapshot: HostSnapshot,
  isHostManaged: boolean,
): GuardInput {
  const { host, interfaces, metricsListen } = model.appliance;
  const byNetwork = interfacesOf(ports);
  const management = interfaces.filter(({ role }) => role === 'Management');
  const metricsPort = metricsListen === undefined ? [] : [Number(metricsListen.split(':').at(-1))];
  return {
    bgpPort: model.bgp.listenPort,
    neighbors: model.neighbors.map(({ network, address }) => ({
      address,
      ports: byNetwork.get(network) ?? [],
    })),
    isClosed: isHostManaged || management.length > 0,
    dhcpPorts: host.interfaces.filter(({ isDhcp }) => isDhcp).map(({ name }) => name),
    management: management.map(({ name, allowFrom }) => ({
      name,
      vrfDevice: isHostManaged ? managementVrf.device : snapshot.links.get(name)?.vrfDevice,
      allowFrom,
    })),
    managementTcpPorts: [sshPort, ...metricsPort],
  };
}

const connected = (snapshot: HostSnapshot, interfaces: readonly string[]): LocalRoute[] =>
  connectedRoutes(snapshot, interfaces).map((row) => ({
    kind: 'connected',
    prefix: row.prefix,
    interface: row.interface,
    nextHop: 0,
  }));

const staticRoute = (prefix: LocalRoute['prefix'], nextHop: number): LocalRoute => ({
  kind: 'static',
  prefix,
  interface: undefined,
  nextHop,
});
