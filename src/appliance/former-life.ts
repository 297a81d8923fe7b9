/** What the last life of egretd left in the state file, as this one reads it. */
import type { AddressAssignment } from '../egress/addresses.ts';
import { parseIpv4 } from '../net/ipv4.ts';
import type { Exports } from './publication.ts';
import type { State } from './run-dir.ts';

const addressesOf = (rows: readonly string[]): number[] =>
  rows.flatMap((text) => parseIpv4(text) ?? []);

/** Which addresses each gateway had. */
export function formerAssignment(state: State): AddressAssignment {
  return new Map(Object.entries(state.addresses).map(([key, rows]) => [key, addressesOf(rows)]));
}

/** What was announced, of addresses that some gateway still has. */
export function formerExports(state: State, assignment: AddressAssignment): Exports {
  const ours = new Set([...assignment.values()].flat());
  return new Map(
    Object.entries(state.announced).map(([network, rows]) => [
      network || undefined,
      addressesOf(rows).filter((address) => ours.has(address)),
    ]),
  );
}

/** Gateways that had an address announced: clients could use them. */
export function formerGateways(state: State, assignment: AddressAssignment): string[] {
  const announced = new Set([...formerExports(state, assignment).values()].flat());
  return [...assignment].flatMap(([key, addresses]) =>
    addresses.some((address) => announced.has(address)) ? [key] : [],
  );
}
