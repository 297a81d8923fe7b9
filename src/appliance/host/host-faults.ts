// SPDX-License-Identifier: Apache-2.0
/**
 * What of a Model this host does not fit now, and which networks are not ready because of it. Pure.
 *
 * A fact of the host refuses no configuration and ends no start: it is a reason, judged again whenever
 * the Model or the host changes. egretd and `egret check --on-box` ask this one function.
 *
 * | fact                                                  | what follows                             |
 * |-------------------------------------------------------|------------------------------------------|
 * | an interface is missing, down, without address, or    | not ready, when the network has no other |
 * | cannot be a port                                      |                                          |
 * | a neighbor is on no link and behind no static route   | not ready, when there is no other way    |
 * | the next hop of a static route is on no link          | cut off: a less specific route must not  |
 * |                                                       | take its packets                         |
 * | a next hop is on several links, or is also that of    | cut off: it may be another network's     |
 * | another network, and no interface is named            |                                          |
 * | the network's table holds routes of another program   | cut off                                  |
 *
 * A network that is cut off has neither routes nor sessions. Sockets of a network are bound to its
 * interfaces and never use the main table, so a neighbor must be on a link, or behind a static route, of
 * its own network.
 */
import type { HostLink, HostRoute, PortChoice } from '../../egress/ports.ts';
import { type Way, waysOf } from '../../egress/ways.ts';
import type { Location, Model, Neighbor, Network } from '../../model/model.ts';
import { formatIpv4, type Ipv4, prefixHolds } from '../../net/ipv4.ts';

export interface HostFault {
  /** undefined: of the main table. */
  readonly network: string | undefined;
  /** The neighbor that it is about. */
  readonly neighbor?: Ipv4;
  /** What stands there in the configuration does not fit. */
  readonly at: Location | undefined;
  readonly text: string;
  /** Of the text: what may change while it lasts. */
  readonly more?: string;
  readonly hint: string;
  /** Nothing of the network is used while it lasts; of the main table's, nothing of the neighbor. */
  readonly cutsOff: boolean;
}

export interface HostVerdict {
  /** In the order of the configuration. */
  readonly faults: readonly HostFault[];
  /** Networks that cannot be ready, whatever their neighbors do; undefined: the main table. */
  readonly notReady: ReadonlySet<string | undefined>;
  readonly cutOff: ReadonlySet<string>;
}

/** What the kernel says. */
export interface HostFacts {
  readonly links: readonly HostLink[];
  /** Routes of the main table with a gateway. */
  readonly gatewayRoutes: readonly HostRoute[];
  readonly ports: readonly PortChoice[];
  /** Tables of networks that are not ours alone: what is wrong with them. */
  readonly foreign: ReadonlyMap<number, TableFault>;
}

export type TableFault = Pick<HostFault, 'text' | 'more'>;

/** Every fault in words; docs/troubleshooting.md has a section for each. */
const says = {
  absent: (name: string) => `interface ${name} does not exist`,
  down: (name: string) => `interface ${name} is down`,
  bare: (name: string) => `interface ${name} has no address`,
  noPort: (name: string, why: string) => `interface ${name} cannot be a port: ${why}`,
  emptyVrf: (device: string) => `no interface belongs to VRF device ${device}`,
  unclear: (address: string, names: string) => `${address} is on the link of ${names}`,
  shared: (address: string, name: string, networks: string) =>
    `${address} is on the link of ${name}, and network ${networks} has the same next hop`,
  noLink: (address: string, network: string | undefined) =>
    network === undefined
      ? `no interface has ${address} on its link, and no route leads there`
      : `no interface of network ${network} has ${address} on its link, and no route leads there`,
  noNextHop: (address: string, network: string | undefined) =>
    network === undefined
      ? `no interface has the next hop ${address} on its link`
      : `no interface of network ${network} has the next hop ${address} on its link`,
};

export function judgeHost(model: Model, facts: HostFacts): HostVerdict {
  const verdicts = [undefined, ...model.networks].map((network) => {
    const one = judgeNetwork(model, network, facts);
    return { name: network?.name, ...one };
  });
  return {
    faults: verdicts.flatMap(({ faults }) => faults),
    notReady: new Set(verdicts.filter((one) => one.isNotReady).map(({ name }) => name)),
    cutOff: new Set(
      verdicts.flatMap(({ name, faults }) =>
        name !== undefined && faults.some(({ cutsOff }) => cutsOff) ? [name] : [],
      ),
    ),
  };
}

/** Whether a neighbor's session is not to be. */
export function isCutOff(verdict: HostVerdict, { network, address }: Neighbor): boolean {
  if (network !== undefined) return verdict.cutOff.has(network);
  return verdict.faults.some(
    (fault) => fault.cutsOff && fault.network === undefined && fault.neighbor === address,
  );
}

/** Why a neighbor's session cannot be: its own faults, or else those of its network. */
export function faultsOf(
  { faults, notReady }: HostVerdict,
  { network, address }: Pick<Neighbor, 'network' | 'address'>,
): readonly HostFault[] {
  const all = faults.filter((fault) => fault.network === network);
  const own = all.filter((fault) => fault.neighbor === address);
  if (own.length > 0) return own;
  return network !== undefined && notReady.has(network) ? all : [];
}

/** All reasons in one line. */
export const textOf = (faults: readonly HostFault[]): string =>
  [...new Set(faults.map(lineOf))].join('; ');

export const lineOf = ({ text, more }: TableFault): string =>
  more === undefined ? text : `${text}: ${more}`;

interface NetworkVerdict {
  readonly faults: readonly HostFault[];
  readonly isNotReady: boolean;
}

function judgeNetwork(
  model: Model,
  network: Network | undefined,
  facts: HostFacts,
): NetworkVerdict {
  const around = { model, network, facts, wayTo: waysOf(model, network, facts.links) };
  const foreign = network ? tableFaults(network, facts.foreign) : [];
  const { faults: unusable, areAllUsable, hasUsable } = judgeInterfaces(around);
  const fixed = judgeStaticRoutes(around, areAllUsable);
  const mine = model.neighbors.filter((row) => row.network === network?.name);
  const neighbors = mine.flatMap((row) => neighborFaults(around, row));
  const faults = [...foreign, ...unusable, ...neighbors, ...fixed.faults];
  if (!network) return { faults, isNotReady: fixed.faults.some(({ cutsOff }) => cutsOff) };
  const hasWay = neighbors.length < mine.length || fixed.hasWay;
  const asksForWay = mine.length > 0 || network.staticRoutes.length > 0;
  const isNotReady = faults.some(({ cutsOff }) => cutsOff) || !hasUsable || (asksForWay && !hasWay);
  return { faults, isNotReady: isNotReady && faults.length > 0 };
}

interface Around {
  readonly model: Model;
  readonly network: Network | undefined;
  readonly facts: HostFacts;
  readonly wayTo: (nextHop: Ipv4) => Way;
}

// -- The table ------------------------------------------------------------------------------------

function tableFaults(network: Network, foreign: HostFacts['foreign']): HostFault[] {
  const problem = foreign.get(network.routeTableIndex);
  if (problem === undefined) return [];
  return [
    {
      network: network.name,
      at: network.at,
      ...problem,
      hint: 'Remove them, choose another routeTableIndex, or set routes.mirror: false.',
      cutsOff: true,
    },
  ];
}

// -- Interfaces -----------------------------------------------------------------------------------

function judgeInterfaces({ network, facts }: Around): {
  readonly faults: HostFault[];
  readonly areAllUsable: boolean;
  readonly hasUsable: boolean;
} {
  const ports = network ? facts.ports.filter((row) => row.networks.includes(network.name)) : [];
  const faults = ports.flatMap((port): HostFault[] => {
    const link = facts.links.find(({ name }) => name === port.name);
    const problem = interfaceProblem(port, link);
    if (problem === undefined) return [];
    return [{ network: network?.name, at: network?.at, ...problem, cutsOff: false }];
  });
  if (network?.vrfDevice !== undefined && ports.length === 0) {
    faults.push({
      ...{ network: network.name, at: network.at, cutsOff: false },
      text: says.emptyVrf(network.vrfDevice),
      hint: 'ip link set NAME master VRF, or egret run --manage-host.',
    });
  }
  return {
    faults,
    areAllUsable: faults.length === 0,
    hasUsable: network === undefined || ports.length > faults.length,
  };
}

function interfaceProblem(
  port: PortChoice,
  link: HostLink | undefined,
): { readonly text: string; readonly hint: string } | undefined {
  const { name, fault } = port;
  if (!link) return { text: says.absent(name), hint: 'Compare the name with ip link show.' };
  if (fault !== undefined) return { text: says.noPort(name, fault), hint: 'Choose another one.' };
  if (!link.isUp) return { text: says.down(name), hint: 'ip link show has its state and carrier.' };
  if (link.addresses.length > 0) return undefined;
  return { text: says.bare(name), hint: 'Give it one, or wait until DHCP does.' };
}

// -- Neighbors ------------------------------------------------------------------------------------

function neighborFaults(around: Around, neighbor: Neighbor): HostFault[] {
  const { network, model, facts } = around;
  const target = neighbor.reachableBy ?? neighbor.address;
  const about = { network: network?.name, neighbor: neighbor.address, at: neighbor.at };
  const way = around.wayTo(target);
  if (way.isUnclear) return [{ ...about, ...unclearWay(network, target, way), cutsOff: true }];
  if (way.links.length > 0) return [];
  const routes = network
    ? network.staticRoutes.map(({ destination }) => destination)
    : [
        ...model.appliance.staticRoutes.map(({ destination }) => destination),
        ...facts.gatewayRoutes.map(({ prefix }) => prefix),
      ];
  if (routes.some((destination) => prefixHolds(destination, target))) return [];
  return [
    {
      ...about,
      text: says.noLink(formatIpv4(target), network?.name),
      hint: network
        ? 'Give the box an address in its prefix, or a static route in Appliance networks[].'
        : 'Give the box an address in its prefix, or a route.',
      cutsOff: false,
    },
  ];
}

function unclearWay(
  network: Network | undefined,
  target: Ipv4,
  { links, rivals }: Way,
): { readonly text: string; readonly hint: string } {
  const sorted = links.map(({ name }) => name).sort();
  const names = sorted.join(' and ');
  const address = formatIpv4(target);
  return {
    text:
      rivals.length === 0
        ? says.unclear(address, names)
        : says.shared(address, names, rivals.join(' and ')),
    hint:
      network === undefined
        ? 'Give each network its interfaces: Appliance networks[].interfaces.'
        : `Appliance networks: [{ name: ${network.name}, interfaces: [${sorted[0]}] }] decides.`,
  };
}

// -- Static routes --------------------------------------------------------------------------------

/** @param areAllUsable - otherwise a missing next hop may be on the link of an interface that is not there */
function judgeStaticRoutes(
  around: Around,
  areAllUsable: boolean,
): { readonly faults: HostFault[]; readonly hasWay: boolean } {
  const { network, model, wayTo } = around;
  const routes = network?.staticRoutes ?? model.appliance.staticRoutes;
  const faults = routes.flatMap(({ nextHop, at }): HostFault[] => {
    const way = wayTo(nextHop);
    if (network && way.isUnclear) {
      const problem = unclearWay(network, nextHop, way);
      return [{ network: network.name, at, ...problem, cutsOff: true }];
    }
    if (way.links.length > 0) return [];
    return [
      {
        network: network?.name,
        at,
        text: says.noNextHop(formatIpv4(nextHop), network?.name),
        hint: 'Compare it with ip address show.',
        cutsOff: areAllUsable,
      },
    ];
  });
  return { faults, hasWay: faults.length < routes.length };
}
