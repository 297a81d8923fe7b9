// SPDX-License-Identifier: Apache-2.0
/**
 * The plan for a first packet: who is a client, which policy, which gateway address, which ports.
 *
 * Pure data in the shape of native/abi.h (struct egret_plan and its rows); egress/planner.ts makes it
 * from the Model, dataplane/plan-codec.ts encodes it.
 */
import type { Ipv4, Ipv4Prefix } from '../net/ipv4.ts';

export interface EgressPlan {
  readonly ports: readonly PlanPort[];
  /** Addresses of the box and broadcast addresses: left to the kernel, and no host's in their network. */
  readonly localAddresses: readonly PlanLocal[];
  readonly addresses: readonly PlanAddress[];
  readonly policies: readonly PlanPolicy[];
  readonly clients: readonly PlanClient[];
  readonly nat: {
    readonly udpTimeoutMs: number;
    readonly tcpEstablishedTimeoutMs: number;
    readonly tcpTransitoryTimeoutMs: number;
    readonly icmpTimeoutMs: number;
    readonly portQuarantineMs: number;
    readonly clientSessionsMax: number;
    readonly icmpErrorsPerSecond: number;
    readonly filtering: 'EndpointIndependent' | 'AddressDependent' | 'AddressAndPortDependent';
    readonly mapping: 'EndpointIndependent' | 'AddressAndPortDependent';
  };
}

export interface PlanLocal {
  readonly address: Ipv4;
  /** Route table index of the network whose port has it; undefined: the main table. */
  readonly network: number | undefined;
}

export interface PlanPort {
  readonly name: string;
  /** 0: the interface does not exist now. */
  readonly ifindex: number;
  readonly isUp: boolean;
  readonly mac: Uint8Array;
  readonly mtu: number;
  /** Source of ICMP errors that leave by it; 0: none. */
  readonly address: Ipv4;
  readonly role: 'Clients' | 'Networks' | 'Any';
  /** Route table index when it belongs to exactly one network. */
  readonly network: number | undefined;
}

export interface PlanAddress {
  readonly address: Ipv4;
  readonly isReady: boolean;
  /** Route table indexes, in the gateway's order; empty: the main table. */
  readonly networks: readonly number[];
}

export interface PlanPolicy {
  /** Longest prefix first. */
  readonly rules: readonly PlanRule[];
}

export interface PlanRule {
  readonly destination: Ipv4Prefix;
  readonly action: 'gateway' | 'main';
  /** Indexes into EgressPlan.addresses. */
  readonly addresses: readonly number[];
  /** 0: all. */
  readonly maxNextHops: number;
}

export interface PlanClient {
  readonly prefix: Ipv4Prefix;
  /** Index into policies; undefined: the policy does not exist, everything is dropped. */
  readonly policy: number | undefined;
  /** Number of the client in Model.clients; undefined: none, a hole in a shorter prefix. */
  readonly identity: number | undefined;
}
