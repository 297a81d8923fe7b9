// SPDX-License-Identifier: Apache-2.0
/**
 * The seam to the forwarder, as the rest of egretd sees it. native.ts implements it over libegret;
 * nothing else loads the library.
 */
import type { EgressPlan } from '../egress/plan.ts';
import type { FibTarget } from '../fib/target.ts';
import type { Ipv4 } from '../net/ipv4.ts';
import type { Drop, PortCounter, SessionState, WorkerCounter } from './abi.gen.ts';

export interface DataPlane extends FibTarget {
  /**
   * Makes a plan current.
   *
   * @returns its number, for planAcknowledged; undefined while the forwarder still processes a batch by
   *   the plan before the current one, whose buffer is therefore in use: to be tried again
   */
  publishPlan(plan: EgressPlan): number | undefined;
  /** Number of the newest plan that the forwarder has taken up. */
  planAcknowledged(): number;
  portSlot(interfaceName: string): number;
  addressSlot(address: Ipv4): number;
  /** Whether the arena already forwarded when this egretd opened it. */
  readonly hasPreviousGeneration: boolean;
  /** Makes the generation that this egretd wrote into the FIB the one that forwards. */
  commitGeneration(): void;

  portCounter(slot: number, counter: PortCounter): number;
  dropCounter(slot: number, drop: Drop): number;
  workerCounter(counter: WorkerCounter): number;
  /** Copies sessions from a cursor (0 first) on; a call may read records and find no session. */
  readSessions(
    cursor: number,
    rowsMax: number,
  ): { rows: NatSession[]; cursor: number; isLast: boolean };
  readPool(address: Ipv4): PoolUse | undefined;
  why(client: Ipv4, destination: Ipv4): Decision;
  /** Next hops and hosts on links, as the forwarder knows them. */
  readNeighbors(): LinkNeighbor[];
}

export interface LinkNeighbor {
  readonly address: Ipv4;
  readonly portSlot: number;
  readonly state: 'resolving' | 'reachable' | 'failed';
  readonly mac: readonly number[];
  /** How long it is in this state; undefined: longer than the forwarder runs. */
  readonly ageMs: number | undefined;
}

/** A NAT session as the forwarder keeps it. */
export interface NatSession {
  readonly protocol: number;
  readonly inside: { readonly address: Ipv4; readonly port: number };
  readonly outside: { readonly address: Ipv4; readonly port: number };
  readonly remote: { readonly address: Ipv4; readonly port: number };
  /** Network slot; 0 is the main table. */
  readonly network: number;
  readonly state: SessionState;
  readonly idleMs: number;
}

export interface PoolUse {
  readonly tcpUsed: number;
  readonly udpUsed: number;
  readonly icmpUsed: number;
  readonly quarantined: number;
}

/** What a client's first packet would meet (egret why). */
export interface Decision {
  readonly client: number | undefined;
  readonly rule: number | undefined;
  readonly outsideAddress: Ipv4 | undefined;
  readonly network: number;
  readonly group: number;
  readonly nextHop: Ipv4 | undefined;
  readonly portSlot: number | undefined;
  readonly drop: Drop | undefined;
}
