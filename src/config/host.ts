// SPDX-License-Identifier: Apache-2.0
/**
 * What only the kernel knows: whether each neighbor and static next hop can be reached, and by which
 * interface. Pure; the daemon hands the kernel's facts in, at start and before it takes a new Model.
 *
 * A neighbor of a network must be on a link of it, or behind one of its static routes: sockets of a
 * network are bound to its interfaces and never use the main table. A network whose named interfaces
 * are not there now is not checked: they may come back.
 */
import type { Location, Model, Neighbor, Network, StaticRoute } from '../model/model.ts';
import { formatIpv4, type Ipv4, type Ipv4Prefix, maskOf, prefixHolds } from '../net/ipv4.ts';
import type { LocatedError } from './yaml/located.ts';
import { makeReport, sortErrors } from './yaml/located.ts';

export interface HostInterface {
  readonly name: string;
  /** The box's own addresses, host bits included. */
  readonly addresses: readonly { readonly address: Ipv4; readonly length: number }[];
  readonly isUp: boolean;
  /** The VRF device that it belongs to, if there is one. */
  readonly vrfDevice?: string | undefined;
}

/** A route of the main table that is not connected. */
export interface HostRoute {
  readonly destination: Ipv4Prefix;
  readonly interface: string;
}

export function checkAgainstHost(
  model: Model,
  interfaces: readonly HostInterface[],
  mainRoutes: readonly HostRoute[],
): LocatedError[] {
  const report = makeReport();
  const networks = new Map(model.networks.map((network) => [network.name, network]));
  for (const neighbor of model.neighbors) {
    const network = neighbor.network === undefined ? undefined : networks.get(neighbor.network);
    const ports = portsOf(model, network, interfaces);
    if (ports === undefined) continue;
    const problem = neighborProblem(model, neighbor, network, ports, mainRoutes);
    if (problem) {
      report.error({ at: neighbor.at ?? nowhere, path: 'spec.peerIP' }, problem.text, problem.hint);
    }
  }
  for (const network of [undefined, ...model.networks]) {
    const ports = portsOf(model, network, interfaces);
    if (ports === undefined) continue;
    for (const { nextHop, at } of network?.staticRoutes ?? model.appliance.staticRoutes) {
      if (linksTo(nextHop, ports).length > 0) continue;
      report.error(
        { at: at ?? nowhere, path: 'nextHop' },
        `no interface${ofNetwork(network)} has the next hop ${formatIpv4(nextHop)} on its link`,
        'Compare it with ip address show.',
      );
    }
  }
  return sortErrors(report.errors);
}

const nowhere: Location = { file: '', line: 1, column: 1 };

function ofNetwork(network: Network | undefined): string {
  return network === undefined ? '' : ` of network ${network.name}`;
}

/** Interfaces that may lead there; undefined: some that are named are not there now. */
function portsOf(
  model: Model,
  network: Network | undefined,
  interfaces: readonly HostInterface[],
): readonly HostInterface[] | undefined {
  if (network && network.interfaces.length > 0) {
    const named = interfaces.filter(({ name }) => network.interfaces.includes(name));
    const areThere =
      named.length === network.interfaces.length &&
      named.every(({ addresses, isUp }) => isUp && addresses.length > 0);
    return areThere ? named : undefined;
  }
  if (network?.vrfDevice !== undefined) {
    const enslaved = interfaces.filter(({ vrfDevice }) => vrfDevice === network.vrfDevice);
    const areThere = enslaved.some(({ addresses, isUp }) => isUp && addresses.length > 0);
    return areThere ? enslaved : undefined;
  }
  const claimed = new Set(network ? [] : model.networks.flatMap((one) => one.interfaces));
  const managed = new Set(
    model.appliance.interfaces.filter(({ role }) => role === 'Management').map(({ name }) => name),
  );
  return interfaces.filter(({ name }) => {
    if (name === 'lo' || claimed.has(name)) return false;
    return network === undefined || !managed.has(name);
  });
}

function linksTo(address: Ipv4, interfaces: readonly HostInterface[]): readonly HostInterface[] {
  return interfaces.filter(({ addresses }) =>
    addresses.some((own) => {
      const prefix = { address: (own.address & maskOf(own.length)) >>> 0, length: own.length };
      return own.length < 32 && prefixHolds(prefix, address) && own.address !== address;
    }),
  );
}

function neighborProblem(
  model: Model,
  neighbor: Neighbor,
  network: Network | undefined,
  ports: readonly HostInterface[],
  mainRoutes: readonly HostRoute[],
): { readonly text: string; readonly hint: string } | undefined {
  const target = neighbor.reachableBy ?? neighbor.address;
  const links = linksTo(target, ports);
  const text = formatIpv4(target);
  if (links.length > 1 && (network === undefined || network.interfaces.length === 0)) {
    const names = links.map(({ name }) => name).join(' and ');
    return {
      text: `${text} is on the link of ${names}`,
      hint:
        network === undefined
          ? 'Give each network its interfaces: Appliance networks[].interfaces.'
          : `Appliance networks: [{ name: ${network.name}, interfaces: [${links[0]?.name}] }] decides.`,
    };
  }
  if (links.length > 0) return undefined;
  const isRouted = (routes: readonly Pick<StaticRoute, 'destination'>[]) =>
    routes.some(({ destination }) => prefixHolds(destination, target));
  const isReached = network
    ? isRouted(network.staticRoutes)
    : isRouted(model.appliance.staticRoutes) || isRouted(mainRoutes);
  if (isReached) return undefined;
  return {
    text: `no interface${ofNetwork(network)} has ${text} on its link, and no route leads there`,
    hint: network
      ? 'Give the box an address in its prefix, or a static route in Appliance networks[].'
      : 'Give the box an address in its prefix, or a route.',
  };
}
