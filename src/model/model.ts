// SPDX-License-Identifier: Apache-2.0
/**
 * What the operator wants: the configuration after every reference is resolved and every rule
 * checked, for this box alone. Frozen data; config/resolve/resolve.ts makes it, everybody else reads it.
 *
 * Names are those of the resources (docs/resources.md). Durations are milliseconds, addresses
 * numbers in host order (net/ipv4.ts). IPv6 is accepted where Calico accepts it and kept as text.
 */
import type { Ipv4, Ipv4Prefix } from '../net/ipv4.ts';

export interface Model {
  readonly features: Features;
  readonly bgp: BgpSettings;
  /** ExternalNetworks, by name. */
  readonly networks: readonly Network[];
  /** BGP neighbors of this box, by network and address. */
  readonly neighbors: readonly Neighbor[];
  readonly filters: readonly BgpFilter[];
  readonly gateways: readonly Gateway[];
  /** EgressGatewayPolicies that a client names, and one unnamed policy for each distinct selector. */
  readonly policies: readonly Policy[];
  readonly clients: readonly Client[];
  readonly appliance: Appliance;
  /** Accepted, but the operator should know. */
  readonly notes: readonly Note[];
  /** Resources whose nodeSelector does not match this box. */
  readonly elsewhere: readonly ResourceName[];
}

export interface ResourceName {
  readonly kind: string;
  readonly namespace: string | undefined;
  readonly name: string;
}

/** Where something stands in the configuration. */
export interface Location {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

export interface Note {
  readonly at: Location | undefined;
  readonly text: string;
  /** It is true only where egretd does not set up the host (`egret run` without --manage-host). */
  readonly isForForeignHost?: true;
}

/** FelixConfiguration. */
export interface Features {
  readonly hasExternalNetworks: boolean;
  readonly egressIpSupport: 'Disabled' | 'EnabledPerNamespace' | 'EnabledPerNamespaceOrPerPod';
  readonly egressIpRulePriority: number;
  readonly externalNetworkRulePriority: number;
}

export interface BgpSettings {
  readonly localAs: number;
  /** BGP Identifier; undefined: the highest address of the box (RFC 4271 §4.2). */
  readonly routerId: Ipv4 | undefined;
  readonly listenPort: number;
  /** Address of the Node, for sourceAddress: UseNodeIP. */
  readonly nodeAddress: Ipv4 | undefined;
  /** How long a restarted daemon waits for End-of-RIB before it forwards by its own FIB. */
  readonly restartDeferralMs: number;
}

/** ExternalNetwork, with what Appliance.spec.networks adds. */
export interface Network {
  readonly name: string;
  /** Of the ExternalNetwork. */
  readonly at?: Location;
  readonly routeTableIndex: number;
  /** Interfaces that belong to it; empty: those that lead to its neighbors and static next hops. */
  readonly interfaces: readonly string[];
  readonly vrfDevice: string | undefined;
  /** Routes that there is always room for; undefined: an equal share. */
  readonly routesReserved?: number | undefined;
  readonly staticRoutes: readonly StaticRoute[];
}

export interface StaticRoute {
  /** Of the next hop. */
  readonly at?: Location;
  readonly destination: Ipv4Prefix;
  readonly nextHop: Ipv4;
}

/** BGPPeer. Its key is (network, address). */
export interface Neighbor {
  /** metadata.name of the BGPPeer. */
  readonly name: string;
  /** Of its peerIP. */
  readonly at?: Location;
  /** undefined: the main table. */
  readonly network: string | undefined;
  readonly address: Ipv4;
  readonly port: number;
  readonly remoteAs: number;
  readonly localAs: number;
  readonly sourceAddress: 'UseNodeIP' | 'None';
  readonly password: string | undefined;
  /** GTSM: hops; undefined: off (then any distance, as Calico's multihop). */
  readonly ttlSecurityHops: number | undefined;
  readonly holdTimeMs: number;
  /** undefined: a third of the negotiated hold time. */
  readonly keepaliveTimeMs: number | undefined;
  readonly restartMode: 'GracefulRestart' | 'LongLivedGracefulRestart';
  readonly maxRestartTimeMs: number;
  readonly nextHopMode: 'Auto' | 'Self' | 'Keep';
  readonly allowedLocalAsCount: number;
  readonly maximumPrefixes: number;
  /** What happens above: prefixes are refused, or the session ends for restartTimeMs. */
  readonly maximumPrefixesAction: 'Drop' | 'Idle';
  readonly restartTimeMs: number;
  /** AS_PATH of an external neighbor begins with its AS (RFC 4271 §6.3). */
  readonly isFirstAsEnforced: boolean;
  /** MULTI_EXIT_DISC of what is announced to it; undefined: none. */
  readonly med: number | undefined;
  /** Names in Model.filters, in order. */
  readonly filters: readonly string[];
  /** Gateway to the neighbor for a /32 (BGPPeer.reachableBy). */
  readonly reachableBy: Ipv4 | undefined;
}

/** BGPFilter. Rules in order, first match wins, default Accept. */
export interface BgpFilter {
  readonly name: string;
  readonly importV4: readonly FilterRule[];
  readonly exportV4: readonly FilterRule[];
  readonly importV6: readonly FilterRule[];
  readonly exportV6: readonly FilterRule[];
}

export interface FilterRule {
  readonly action: 'Accept' | 'Reject';
  /** Undefined parts match everything. IPv6 rules keep the prefix as text. */
  readonly prefix:
    | {
        readonly cidr: string;
        readonly v4: Ipv4Prefix | undefined;
        readonly operator: 'In' | 'NotIn' | 'Equal' | 'NotEqual';
        readonly lengthMin: number;
        readonly lengthMax: number;
      }
    | undefined;
  readonly source: 'RemotePeers' | undefined;
  /** Interface name with `*` wildcards. */
  readonly interface: string | undefined;
  readonly peerType: 'eBGP' | 'iBGP' | undefined;
  /** `aa:nn` as (aa << 16 | nn), or `aa:nn:mm` as three numbers. */
  readonly community: number | readonly [number, number, number] | undefined;
  readonly asPathPrefix: readonly number[] | undefined;
  readonly priority: number | undefined;
  readonly operations: readonly FilterOperation[];
}

export type FilterOperation =
  | { readonly kind: 'addCommunity'; readonly value: number | readonly [number, number, number] }
  | { readonly kind: 'prependAsPath'; readonly asNumbers: readonly number[] }
  | { readonly kind: 'setPriority'; readonly value: number };

/** EgressGateway. egress/addresses.ts gives it `replicas` addresses. */
export interface Gateway {
  readonly namespace: string;
  readonly name: string;
  /** Of its metadata.name. */
  readonly at?: Location;
  readonly replicas: number;
  /** Pools in order; addresses are taken lowest first. */
  readonly pools: readonly { readonly name: string | undefined; readonly prefix: Ipv4Prefix }[];
  /** Names in Model.networks, in order; empty: the main table. */
  readonly networks: readonly string[];
  readonly labels: ReadonlyMap<string, string>;
  readonly logSeverity: string;
  readonly terminationGracePeriodMs: number;
  readonly failureDetection: FailureDetection | undefined;
}

export interface FailureDetection {
  readonly healthTimeoutMs: number;
  readonly icmp: Probe<Ipv4> | undefined;
  readonly http: Probe<string> | undefined;
}

export interface Probe<Target> {
  readonly targets: readonly Target[];
  readonly intervalMs: number;
  readonly timeoutMs: number;
}

/** An EgressGatewayPolicy, or what a client's selector annotation amounts to. */
export interface Policy {
  /** Name of the EgressGatewayPolicy; for a selector its text, in braces. Unique. */
  readonly name: string;
  /** Longest prefix first. */
  readonly rules: readonly PolicyRule[];
}

export interface PolicyRule {
  readonly destination: Ipv4Prefix;
  readonly description: string | undefined;
  readonly action:
    | {
        readonly kind: 'gateway';
        /** "namespace/name" of the gateways that the selectors match; may be empty: blocked. */
        readonly gateways: readonly string[];
        /** 0: no limit. */
        readonly maxNextHops: number;
      }
    | { readonly kind: 'main' };
}

/** A Pod, NetworkSet or GlobalNetworkSet that may send. */
export interface Client {
  readonly kind: 'Pod' | 'NetworkSet' | 'GlobalNetworkSet';
  /** undefined for a GlobalNetworkSet. */
  readonly namespace: string | undefined;
  readonly name: string;
  readonly prefixes: readonly Ipv4Prefix[];
  /**
   * Name in Model.policies; a name that is not there blocks everything. undefined: no annotation, so
   * that it is no client of any gateway and its packets drop as not_a_client, also where a shorter
   * prefix is another's.
   */
  readonly policy: string | undefined;
}

/** Appliance: the box itself. */
export interface Appliance {
  readonly name: string;
  readonly interfaces: readonly Interface[];
  readonly staticRoutes: readonly StaticRoute[];
  readonly mirror: { readonly isOn: boolean; readonly protocol: number };
  readonly nat: {
    readonly mapping: 'EndpointIndependent' | 'AddressAndPortDependent';
    readonly filtering: 'EndpointIndependent' | 'AddressDependent' | 'AddressAndPortDependent';
    readonly udpTimeoutMs: number;
    readonly tcpEstablishedTimeoutMs: number;
    readonly tcpTransitoryTimeoutMs: number;
    readonly icmpTimeoutMs: number;
    readonly portQuarantineMs: number;
    /** 0: no limit. */
    readonly clientSessionsMax: number;
    readonly icmpErrorsPerSecond: number;
  };
  /** undefined: as much as the machine has room for. */
  readonly limits: { readonly sessions: number | undefined; readonly routes: number | undefined };
  readonly logLevel: 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace';
  readonly metricsListen: string | undefined;
  readonly isWatchingConfig: boolean;
  readonly host: HostSettings;
}

export interface Interface {
  readonly name: string;
  readonly role: 'Clients' | 'Networks' | 'Any' | 'Management';
  readonly driver: 'auto' | 'packet' | 'xdp' | 'tun';
  readonly poll: 'Adaptive' | 'Busy';
  /** Of role Management: prefixes, of either family, from which it is reached; undefined: all. */
  readonly allowFrom: readonly string[] | undefined;
}

/** What `egret run --manage-host` makes of the box. */
export interface HostSettings {
  readonly hostname: string | undefined;
  /** Addresses of name servers, of either family. */
  readonly dns: readonly string[];
  /** Names or addresses of NTP servers. */
  readonly ntp: readonly string[];
  /** All that Appliance.spec.interfaces lists, members of bonds too. */
  readonly interfaces: readonly InterfaceSettings[];
}

export interface InterfaceSettings {
  readonly name: string;
  /** Of the interface that gets the name; lower case. undefined: the one that has the name. */
  readonly mac: string | undefined;
  readonly isManagement: boolean;
  readonly isDhcp: boolean;
  /** With prefix length, of either family. */
  readonly addresses: readonly string[];
  /** Router of the management plane's default route. */
  readonly gateway: string | undefined;
  readonly mtu: number | undefined;
  readonly vlan: { readonly parent: string; readonly id: number } | undefined;
  readonly bond: { readonly members: readonly string[]; readonly mode: string } | undefined;
}

/** VRF device and table of the management plane, where egretd sets up the host. */
export const managementVrf = { device: 'mgmt', table: 4_000_000_000 } as const;
