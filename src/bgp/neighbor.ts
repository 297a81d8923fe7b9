// SPDX-License-Identifier: Apache-2.0
/** What a session must know of its neighbor: model.Neighbor with every name resolved. */
import type { Ipv4 } from '../net/ipv4.ts';
import type { TtlPolicy } from './connection/transport.ts';

export interface SpeakerNeighbor {
  /** metadata.name of the BGPPeer. */
  readonly name: string;
  /** undefined: the main table. */
  readonly network: string | undefined;
  readonly address: Ipv4;
  readonly port: number;
  /**
   * Interfaces by which the neighbor may connect; the first one is used to connect to it. Empty in
   * the main table when nothing need be bound.
   */
  readonly interfaces: readonly string[];
  /** SO_MARK: the network's routeTableIndex. */
  readonly mark: number | undefined;
  readonly remoteAs: number;
  readonly localAs: number;
  readonly routerId: Ipv4;
  /** undefined: the kernel chooses (sourceAddress: None). */
  readonly sourceAddress: Ipv4 | undefined;
  readonly password: string | undefined;
  readonly ttlSecurityHops: number | undefined;
  readonly holdTimeMs: number;
  /** undefined: a third of the negotiated hold time. */
  readonly keepaliveTimeMs: number | undefined;
  /** How long the neighbor keeps our routes while we restart. */
  readonly maxRestartTimeMs: number;
  readonly allowedLocalAsCount: number;
  readonly maximumPrefixes: number;
  /** What happens above: prefixes are refused, or the session ends for restartTimeMs. */
  readonly maximumPrefixesAction: 'Drop' | 'Idle';
  readonly restartTimeMs: number;
  /** AS_PATH of an external neighbor begins with its AS (RFC 4271 §6.3). */
  readonly isFirstAsEnforced: boolean;
  /** MULTI_EXIT_DISC of what is announced to it; undefined: none. */
  readonly med: number | undefined;
  /** Names of BGPFilters, in order. */
  readonly filters: readonly string[];
}

export function isExternal(neighbor: SpeakerNeighbor): boolean {
  return neighbor.localAs !== neighbor.remoteAs;
}

/** Whether both limit the neighbor's prefixes alike. */
export function hasSameLimit(a: SpeakerNeighbor, b: SpeakerNeighbor): boolean {
  return (
    a.maximumPrefixes === b.maximumPrefixes &&
    a.maximumPrefixesAction === b.maximumPrefixesAction &&
    a.restartTimeMs === b.restartTimeMs
  );
}

/** GTSM (RFC 5082 §3): 255 is sent, 256 - hops and more is taken. */
export function ttlOf(neighbor: SpeakerNeighbor): TtlPolicy {
  const hops = neighbor.ttlSecurityHops;
  return hops === undefined ? { ttl: 64, minTtl: 0 } : { ttl: 255, minTtl: 256 - hops };
}
