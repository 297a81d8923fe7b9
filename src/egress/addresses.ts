// SPDX-License-Identifier: Apache-2.0
/**
 * Which addresses each gateway has.
 *
 * A gateway takes `replicas` addresses out of its pools, lowest first, first and last of a pool too,
 * in order of namespace, name and replica. What a gateway already has it keeps, so that a new gateway
 * never moves another's address; the assignment is kept in the state file across restarts.
 */
import { gatewayKey } from '../model/gateway-key.ts';
import type { Gateway, Model } from '../model/model.ts';
import { type Ipv4, prefixHolds, prefixSize } from '../net/ipv4.ts';

/** "namespace/name" → its addresses, by replica. */
export type AddressAssignment = ReadonlyMap<string, readonly Ipv4[]>;

export type IsReserved = (gateway: Gateway, address: Ipv4) => boolean;

/**
 * @param before - the assignment so far, whatever configuration it was made for
 * @param isReserved - whether an address belongs to the host, whatever the gateway's pools say
 * @returns a new assignment for exactly these gateways; a gateway whose pools are exhausted gets fewer
 */
export function assignAddresses(
  gateways: readonly Gateway[],
  before: AddressAssignment,
  isReserved: IsReserved = () => false,
): AddressAssignment {
  const ordered = [...gateways].sort((a, b) => compareText(gatewayKey(a), gatewayKey(b)));
  const taken = new Set<Ipv4>();
  const kept = new Map<string, Ipv4[]>();
  for (const gateway of ordered) {
    const mine = (before.get(gatewayKey(gateway)) ?? [])
      .filter((address) => gateway.pools.some((pool) => prefixHolds(pool.prefix, address)))
      .filter((address) => !taken.has(address) && !isReserved(gateway, address))
      .slice(0, gateway.replicas);
    for (const address of mine) taken.add(address);
    kept.set(gatewayKey(gateway), mine);
  }
  for (const gateway of ordered) {
    const mine = kept.get(gatewayKey(gateway))!;
    for (const { prefix } of gateway.pools) {
      for (let i = 0; i < prefixSize(prefix) && mine.length < gateway.replicas; i++) {
        const address = prefix.address + i;
        if (taken.has(address) || isReserved(gateway, address)) continue;
        taken.add(address);
        mine.push(address);
      }
    }
  }
  return kept;
}

/**
 * The box itself, clients, and neighbors in the gateway's networks may stand in a pool; their addresses
 * are never given away. Another network's neighbors may well have the same addresses.
 */
export function reservedAddresses(model: Model, own: readonly Ipv4[]): IsReserved {
  const clients = model.clients.flatMap((client) => client.prefixes);
  const everywhere = new Set([
    ...own,
    ...clients.filter((prefix) => prefix.length === 32).map((prefix) => prefix.address),
  ]);
  return (gateway, address) =>
    everywhere.has(address) ||
    model.neighbors.some(
      (neighbor) =>
        neighbor.address === address &&
        (neighbor.network === undefined
          ? gateway.networks.length === 0
          : gateway.networks.includes(neighbor.network)),
    );
}

const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
