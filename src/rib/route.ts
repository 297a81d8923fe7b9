// SPDX-License-Identifier: Apache-2.0
/**
 * Path attributes and the facade between the RIB and its producers and consumers.
 *
 * A route is a prefix and a path; a path is a source, interned attributes and a next hop. Producers
 * (BGP sessions, static and connected routes) are RouteSources; consumers (FIB, mirror, status) are
 * notified which prefixes changed and read them when they are ready.
 */
import type { Ipv4 } from '../net/ipv4.ts';

/** RFC 4271 §4.3, §5.1. Community values as RFC 1997 (u32) and RFC 8092 (three u32). */
export interface PathAttributes {
  readonly origin: 'IGP' | 'EGP' | 'INCOMPLETE';
  readonly asPath: readonly AsPathSegment[];
  readonly nextHop: Ipv4 | undefined;
  readonly med: number | undefined;
  readonly localPref: number | undefined;
  readonly isAtomicAggregate: boolean;
  readonly aggregator: { readonly as: number; readonly address: Ipv4 } | undefined;
  readonly communities: readonly number[];
  readonly largeCommunities: readonly (readonly [number, number, number])[];
  readonly extendedCommunities: readonly bigint[];
  readonly originatorId: Ipv4 | undefined;
  readonly clusterList: readonly number[];
  /** BGPFilter's setPriority: lower is preferred, before LOCAL_PREF; undefined: 1024. */
  readonly priority?: number | undefined;
  /** Optional transitive attributes that we do not know (RFC 4271 §5). */
  readonly unknown: readonly {
    readonly flags: number;
    readonly type: number;
    readonly value: Uint8Array;
  }[];
}

/** A route that was originated here and says nothing more. */
export const noAttributes: PathAttributes = {
  origin: 'IGP',
  asPath: [],
  nextHop: undefined,
  med: undefined,
  localPref: undefined,
  isAtomicAggregate: false,
  aggregator: undefined,
  communities: [],
  largeCommunities: [],
  extendedCommunities: [],
  originatorId: undefined,
  clusterList: [],
  unknown: [],
};

export interface AsPathSegment {
  readonly kind: 'AS_SEQUENCE' | 'AS_SET' | 'AS_CONFED_SEQUENCE' | 'AS_CONFED_SET';
  readonly asNumbers: readonly number[];
}

/** What the decision process must know of a producer. */
export interface RouteSource {
  readonly kind: 'connected' | 'static' | 'bgp';
  /** Where it was learned, for status: neighbor address or interface. */
  readonly name: string;
  /** kind bgp only. */
  readonly bgp:
    | {
        readonly isExternal: boolean;
        readonly remoteAs: number;
        readonly localAs: number;
        readonly remoteId: Ipv4;
        readonly remoteAddress: Ipv4;
      }
    | undefined;
}

/** Where a packet for a route is sent: an interface and the address to resolve on it. */
export interface NextHop {
  readonly interface: string;
  /** 0: the destination itself is on the link (a connected route). */
  readonly address: Ipv4;
}

/** Number of an interned set of path attributes; 0 is never used. */
export type AttributesId = number;

/** Number of an interned set of next hops (next-hop-set.ts); 0: no route. */
export type NextHopSetId = number;

/** Interned attribute sets: equal raw bytes are one set, decoded once. */
export interface AttributeTable {
  /**
   * @param key - the attributes' raw bytes, as received; copied when they are new
   * @param decode - called only when they are new
   * @returns a number that stays valid while a route holds it
   */
  intern(key: Uint8Array, decode: () => PathAttributes): AttributesId;
  get(id: AttributesId): PathAttributes;
  /** What all of them take in memory, roughly. */
  readonly weightBytes: number;
}

/**
 * The routes of one producer in one VRF (adj-RIB-in after policy, RFC 4271 §3.2). Calls are cheap:
 * decision and propagation happen later, in bounded slices.
 */
export interface AdjRibIn {
  /** Adds or replaces the route to a prefix. */
  announce(address: Ipv4, length: number, attributes: AttributesId): void;
  withdraw(address: Ipv4, length: number): void;
  /** Every route is stale until it is announced again (RFC 4724 §4.2, RFC 7313 §4). */
  markStale(): void;
  /** Removes what is still stale, in slices. */
  sweepStale(): void;
  /** Removes everything, in slices; the source is not used afterwards. */
  close(): void;
  readonly routeCount: number;
}

/**
 * The routes of a connected or static source. A source has one path to a prefix, so each interface
 * (connected) and each next hop (static) is a source of its own.
 */
export interface LocalRoutes extends AdjRibIn {
  /** A route by an interface; address 0: the destination itself is on the link. */
  announceDirect(address: Ipv4, length: number, nextHop: NextHop): void;
  /** A route by a next hop that is looked up in the same RIB. */
  announceVia(address: Ipv4, length: number, nextHop: Ipv4): void;
}

/** One VRF's RIB, as producers see it. */
export interface RibInput {
  /** Of hashes of prefixes: who announces them must not know it. */
  readonly seed: number;
  readonly attributes: AttributeTable;
  openSource(source: RouteSource): AdjRibIn;
  openLocal(source: RouteSource & { readonly kind: 'connected' | 'static' }): LocalRoutes;
}
