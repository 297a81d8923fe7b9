/**
 * Which addresses each gateway has.
 *
 * A gateway takes `replicas` addresses out of its pools, lowest first, first and last of a pool too,
 * in order of namespace, name and replica. What a gateway already has it keeps, so that a new gateway
 * never moves another's address; the assignment is kept in the state file across restarts.
 */
import { gatewayKey } from '../model/gateway-key.ts';
import type { Gateway } from '../model/model.ts';
import { type Ipv4, prefixHolds, prefixSize } from '../net/ipv4.ts';

/** "namespace/name" → its addresses, by replica. */
export type AddressAssignment = ReadonlyMap<string, readonly Ipv4[]>;

/**
 * @param before - the assignment so far, whatever configuration it was made for
 * @returns a new assignment for exactly these gateways; a gateway whose pools are exhausted gets fewer
 */
export function assignAddresses(
  gateways: readonly Gateway[],
  before: AddressAssignment,
): AddressAssignment {
  const ordered = [...gateways].sort((a, b) => compareText(gatewayKey(a), gatewayKey(b)));
  const taken = new Set<Ipv4>();
  const kept = new Map<string, Ipv4[]>();
  for (const gateway of ordered) {
    const mine = (before.get(gatewayKey(gateway)) ?? [])
      .filter((address) => gateway.pools.some((pool) => prefixHolds(pool.prefix, address)))
      .filter((address) => !taken.has(address))
      .slice(0, gateway.replicas);
    for (const address of mine) taken.add(address);
    kept.set(gatewayKey(gateway), mine);
  }
  for (const gateway of ordered) {
    const mine = kept.get(gatewayKey(gateway))!;
    for (const { prefix } of gateway.pools) {
      for (let i = 0; i < prefixSize(prefix) && mine.length < gateway.replicas; i++) {
        const address = prefix.address + i;
        if (taken.has(address)) continue;
        taken.add(address);
        mine.push(address);
      }
    }
  }
  return kept;
}

const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
