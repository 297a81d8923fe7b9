// SPDX-License-Identifier: Apache-2.0
/** What an egretd leaves in the state file, and what the next one reads from it. */
import type { AddressAssignment } from '../../egress/addresses.ts';
import { formatIpv4, type Ipv4, parseIpv4 } from '../../net/ipv4.ts';
import type { Exports } from '../egress/publication.ts';
import type { Parts } from '../parts.ts';
import { emptyState, type State } from './run-dir.ts';

/**
 * @param waiting - neighbors whose End-of-RIB is still waited for
 * @returns the state file of an egretd that keeps running, or stops alone
 */
export function stateOf(
  { egress, mirrors, neighbors, plumbing, publication, speaker }: Parts,
  addresses: AddressAssignment,
  waiting: readonly string[],
): State {
  const text = (rows: readonly Ipv4[]): string[] => rows.map(formatIpv4);
  const { routerId } = neighbors;
  return {
    version: emptyState.version,
    addresses: Object.fromEntries([...addresses].map(([key, rows]) => [key, text(rows)])),
    announced: Object.fromEntries(
      [...publication.announced].map(([network, rows]) => [network ?? '', text(rows)]),
    ),
    mirroredTables: mirrors.tables,
    mirrorProtocol: mirrors.protocol,
    neighborsUp: [...new Set([...waiting, ...egress.readinesses.neighborsUp()])],
    sysctls: plumbing.sysctlRecord(),
    neighborsDown: Object.fromEntries(speaker.down),
    routerId: routerId === undefined ? '' : formatIpv4(routerId),
  };
}

const addressesOf = (rows: readonly string[]): number[] =>
  rows.flatMap((text) => parseIpv4(text) ?? []);

/** Which addresses each gateway had. */
export function previousAssignment(state: State): AddressAssignment {
  return new Map(Object.entries(state.addresses).map(([key, rows]) => [key, addressesOf(rows)]));
}

/** What was announced, of addresses that some gateway still has. */
export function previousExports(state: State, assignment: AddressAssignment): Exports {
  const ours = new Set([...assignment.values()].flat());
  return new Map(
    Object.entries(state.announced).map(([network, rows]) => [
      network || undefined,
      addressesOf(rows).filter((address) => ours.has(address)),
    ]),
  );
}

/** Gateways that had an address announced: clients could use them. */
export function previousGateways(state: State, assignment: AddressAssignment): string[] {
  const announced = new Set([...previousExports(state, assignment).values()].flat());
  return [...assignment].flatMap(([key, addresses]) =>
    addresses.some((address) => announced.has(address)) ? [key] : [],
  );
}

/** What an orderly stop leaves: the addresses of each gateway, and what an operator has set by hand. */
export function stateAfterStop({ addresses, mirrorProtocol, neighborsDown }: State): State {
  return { ...emptyState, addresses, mirrorProtocol, neighborsDown };
}
