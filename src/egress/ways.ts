// SPDX-License-Identifier: Apache-2.0
/**
 * By which links a network may reach its next hops. Pure.
 *
 * A network with `interfaces` uses those, one with a VRF device what belongs to it. Without, it is any link that has the next hop, but never one
 * that another network names: networks may use the same addresses, and what is not clear must not be
 * guessed. It is not clear when several links have the next hop, or when two networks have the same one
 * on a link and neither names an interface: one of them may be waiting for its own.
 */
import type { Model, Network } from '../model/model.ts';
import { type Ipv4, type Ipv4Prefix, maskOf, prefixHolds } from '../net/ipv4.ts';

/** What is asked of an interface. */
interface Link {
  readonly name: string;
  readonly isLoopback: boolean;
  readonly vrfDevice?: string | undefined;
  readonly addresses: readonly { readonly address: Ipv4; readonly length: number }[];
}

export interface Way {
  /** Those that have the address on their link. */
  readonly links: readonly Link[];
  /** Which of them is meant, or whose it is, is not clear. */
  readonly isUnclear: boolean;
  /** Names of the networks that have the same next hop, if that is why. */
  readonly rivals: readonly string[];
}

/** @param network - undefined: the main table @returns the look-up of a next hop */
export function waysOf(
  model: Model,
  network: Network | undefined,
  links: readonly Link[],
): (nextHop: Ipv4) => Way {
  const usable = usableLinks(model, network, links);
  const isNamed = network !== undefined && namesLinks(network);
  const others = isNamed ? [] : model.networks.filter((one) => !namesLinks(one));
  return (nextHop) => {
    const found = usable.filter((link) => isBehind(link, nextHop));
    const rivals = others
      .filter((one) => network && one !== network && nextHopsOf(model, one).has(nextHop))
      .map(({ name }) => name);
    const isUnclear = !isNamed && (found.length > 1 || (found.length > 0 && rivals.length > 0));
    return { links: found, isUnclear, rivals: isUnclear && found.length === 1 ? rivals : [] };
  };
}

/** Whether the configuration says which interfaces are a network's. */
const namesLinks = ({ interfaces, vrfDevice }: Network): boolean =>
  interfaces.length > 0 || vrfDevice !== undefined;

function usableLinks(
  model: Model,
  network: Network | undefined,
  links: readonly Link[],
): readonly Link[] {
  if (network && network.interfaces.length > 0) {
    return links.filter(({ name }) => network.interfaces.includes(name));
  }
  if (network?.vrfDevice !== undefined) {
    return links.filter(({ vrfDevice }) => vrfDevice === network.vrfDevice);
  }
  const named = new Set(model.networks.flatMap((one) => one.interfaces));
  const devices = new Set(model.networks.map((one) => one.vrfDevice));
  const managed = new Set(
    model.appliance.interfaces.filter(({ role }) => role === 'Management').map(({ name }) => name),
  );
  return links.filter(
    ({ name, isLoopback, vrfDevice }) =>
      !isLoopback &&
      !named.has(name) &&
      !(vrfDevice !== undefined && devices.has(vrfDevice)) &&
      !(network !== undefined && managed.has(name)),
  );
}

/** What must be on a link of a network: its neighbors, and the next hops of its static routes. */
export function nextHopsOf(model: Model, network: Network): ReadonlySet<Ipv4> {
  const neighbors = model.neighbors.filter((row) => row.network === network.name);
  return new Set([
    ...neighbors.map((row) => row.reachableBy ?? row.address),
    ...network.staticRoutes.map((row) => row.nextHop),
  ]);
}

/** On the link, and not the box itself. */
const isBehind = (link: Link, address: Ipv4): boolean =>
  isOnLink(link, address) && !link.addresses.some((own) => own.address === address);

/** Whether an address is directly reachable on a link. */
export function isOnLink(link: Link, address: Ipv4): boolean {
  return link.addresses.some((own) => own.length < 32 && prefixHolds(prefixOf(own), address));
}

/** The prefix that an interface's address is in. */
export const prefixOf = (own: { address: Ipv4; length: number }): Ipv4Prefix => ({
  address: (own.address & maskOf(own.length)) >>> 0,
  length: own.length,
});
