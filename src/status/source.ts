/**
 * What can be asked of a running egretd: rows of each view, in the shape that `--json` promises.
 *
 * The appliance implements StatusSource; views.ts prints what comes from it. Long views come in
 * chunks, so that a full table is read in slices and never built whole.
 */

export interface NetworkRow {
  readonly name: string;
  readonly table: number;
  readonly ready: boolean;
  readonly reason: string;
  readonly routes: number;
  readonly mirrored: number;
  readonly interfaces: readonly string[];
}

export interface GatewayRow {
  readonly namespace: string;
  readonly name: string;
  readonly ready: boolean;
  readonly reason: string;
  readonly addresses: readonly string[];
  readonly networks: readonly string[];
}

export interface ClientRow {
  readonly kind: string;
  readonly namespace: string | null;
  readonly name: string;
  readonly prefixes: readonly string[];
  readonly policy: string | null;
  readonly gateways: readonly string[];
}

export interface NeighborRow {
  readonly network: string | null;
  readonly address: string;
  readonly remoteAs: number;
  readonly state: string;
  readonly sinceMs: number;
  readonly received: number;
  readonly accepted: number;
  readonly announced: number;
  readonly lastError: string | null;
  /** Everything else that the speaker knows of it; named like the fields of FRR and BIRD. */
  readonly detail: Readonly<Record<string, unknown>>;
}

export interface RouteRow {
  readonly network: string | null;
  readonly prefix: string;
  readonly nextHops: readonly { readonly address: string | null; readonly interface: string }[];
  readonly protocol: string;
  readonly isBest: boolean;
  readonly reason: string;
  readonly source: string;
  readonly asPath: string | null;
}

export interface SessionRow {
  readonly protocol: string;
  readonly inside: string;
  readonly outside: string;
  readonly remote: string;
  readonly network: string | null;
  readonly state: string;
  readonly idleMs: number;
}

export interface PoolRow {
  readonly address: string;
  readonly gateway: string;
  readonly portsUsed: number;
  readonly portsTotal: number;
  readonly portsQuarantined: number;
  readonly tcpUsed: number;
  readonly udpUsed: number;
  readonly icmpUsed: number;
}

export interface InterfaceRow {
  readonly name: string;
  readonly role: string;
  readonly driver: string;
  readonly reason: string;
  readonly up: boolean;
  readonly mtu: number;
  readonly networks: readonly string[];
  readonly addresses: readonly string[];
  /** What the kernel effectively uses for source validation: 0, 1 or 2. */
  readonly rpFilter: number | null;
}

export interface CounterRow {
  readonly name: string;
  readonly interface: string | null;
  readonly network: string | null;
  readonly value: number;
}

export interface RouteQuery {
  /** Only this network; null: the main table. undefined: all. */
  readonly network?: string | null | undefined;
  /** Only the table as the kernel has it: best routes, learned and static. */
  readonly isTable: boolean;
  readonly table?: number | undefined;
  /** An address (longest match) or a prefix (exact). */
  readonly prefix?: string | undefined;
}

export interface WhyStep {
  readonly step: string;
  readonly found: string;
}

export interface WhyReport {
  readonly client: string;
  readonly destination: string;
  /** `kernel`: not Egret's to decide, the destination is this box, a broadcast or a group. */
  readonly verdict: 'forwarded' | 'dropped' | 'kernel';
  /** Name of the counter, when it is dropped. */
  readonly drop: string | null;
  readonly outside: string | null;
  readonly network: string | null;
  readonly steps: readonly WhyStep[];
  /** Routes to the destination in the gateway's networks, each loser with the step that lost. */
  readonly routes: readonly RouteRow[];
}

export type Chunks<Row> = AsyncIterable<readonly Row[]>;

export interface StatusSource {
  /** Ascends with every configuration that was taken. */
  readonly generation: number;
  networks(): readonly NetworkRow[];
  gateways(): readonly GatewayRow[];
  clients(): Chunks<ClientRow>;
  neighbors(): readonly NeighborRow[];
  /** @throws NOT_FOUND for a network, table or prefix that does not exist */
  routes(query: RouteQuery): Chunks<RouteRow>;
  /** Lines as `ip route show table N` prints them. @throws NOT_FOUND */
  routeLines(query: RouteQuery): Chunks<string>;
  sessions(): Chunks<SessionRow>;
  pools(): readonly PoolRow[];
  interfaces(): readonly InterfaceRow[];
  counters(): readonly CounterRow[];
  /** @throws NOT_FOUND, USAGE */
  why(client: string, destination: string): WhyReport;
  /** Whether the last SIGHUP was refused, and why. */
  configState(): { readonly isCurrent: boolean; readonly errors: readonly string[] };
}
