// SPDX-License-Identifier: Apache-2.0
/**
 * One VRF: a network's RIB and FIB, and the local routes that the appliance puts into it (connected
 * prefixes, static routes, and for the main table the kernel's own routes).
 */
import { Fib } from '../../fib/fib.ts';
import type { GroupNumbers } from '../../fib/group-numbers.ts';
import type { FibTarget } from '../../fib/target.ts';
import type { Clock } from '../../lib/clock.ts';
import type { WorkQueue } from '../../lib/work-queue.ts';
import type { Ipv4, Ipv4Prefix } from '../../net/ipv4.ts';
import type { InternedAttributes } from '../../rib/attributes.ts';
import { Rib } from '../../rib/rib.ts';
import type { LocalRoutes } from '../../rib/route.ts';

/** A route that needs no neighbor. */
export interface LocalRoute {
  readonly kind: 'connected' | 'static';
  readonly prefix: Ipv4Prefix;
  /** With an interface: directly by it. Without: the address is looked up in the same RIB. */
  readonly interface: string | undefined;
  /** 0 with an interface: the destination itself is on the link. */
  readonly nextHop: Ipv4;
}

export interface VrfOptions {
  /** undefined: the main table. */
  readonly name: string | undefined;
  readonly routeTableIndex: number | undefined;
  readonly clock: Clock;
  readonly queue: WorkQueue;
  readonly attributes: InternedAttributes;
  readonly groups: GroupNumbers;
  readonly target: FibTarget;
  /** Of the hash of prefixes: neighbors must not know it. */
  readonly seed: number;
  /** How many prefixes the data plane has no room for. */
  readonly onRefused: (refusedCount: number) => void;
  /** Routes have settled after changes. */
  readonly onIdle: () => void;
}

interface LocalSource {
  readonly routes: LocalRoutes;
  /** Text of each prefix that it announced. */
  readonly announced: Map<string, Ipv4Prefix>;
}

export class Vrf {
  readonly name: string | undefined;
  readonly routeTableIndex: number | undefined;
  readonly rib: Rib;
  readonly fib: Fib;
  /** A source has one path to a prefix: each interface and each next hop is one of its own. */
  readonly #sources = new Map<string, LocalSource>();

  constructor(options: VrfOptions) {
    this.name = options.name;
    this.routeTableIndex = options.routeTableIndex;
    this.rib = new Rib({
      name: options.name ?? 'main',
      clock: options.clock,
      queue: options.queue,
      attributes: options.attributes,
      seed: options.seed,
      onIdle: options.onIdle,
    });
    this.fib = new Fib({
      clock: options.clock,
      queue: options.queue,
      rib: this.rib,
      target: options.target,
      groups: options.groups,
      routeTableIndex: options.routeTableIndex,
      onRefused: options.onRefused,
    });
  }

  /** Makes exactly these the local routes. */
  setLocalRoutes(routes: readonly LocalRoute[]): void {
    const wanted = Map.groupBy(routes, sourceKey);
    for (const [key, source] of this.#sources) {
      if (wanted.has(key)) continue;
      source.routes.close();
      this.#sources.delete(key);
    }
    for (const [key, rows] of wanted) {
      const source = this.#sources.get(key) ?? this.#open(key, rows[0]!);
      const prefixes = new Map(rows.map((row) => [prefixKey(row.prefix), row.prefix]));
      for (const [text, prefix] of source.announced) {
        if (prefixes.has(text)) continue;
        source.routes.withdraw(prefix.address, prefix.length);
        source.announced.delete(text);
      }
      for (const row of rows) {
        const text = prefixKey(row.prefix);
        if (source.announced.has(text)) continue;
        announce(source.routes, row);
        source.announced.set(text, row.prefix);
      }
    }
  }

  close(): void {
    for (const source of this.#sources.values()) source.routes.close();
    this.#sources.clear();
    this.fib.close();
  }

  #open(key: string, row: LocalRoute): LocalSource {
    const routes = this.rib.openLocal({ kind: row.kind, name: sourceName(row), bgp: undefined });
    const source = { routes, announced: new Map<string, Ipv4Prefix>() };
    this.#sources.set(key, source);
    return source;
  }
}

const prefixKey = (prefix: Ipv4Prefix): string => `${prefix.address}/${prefix.length}`;
const sourceName = (row: LocalRoute): string => row.interface ?? 'static';
const sourceKey = (row: LocalRoute): string => `${row.kind} ${row.interface ?? ''} ${row.nextHop}`;

function announce(routes: LocalRoutes, row: LocalRoute): void {
  const { address, length } = row.prefix;
  if (row.interface === undefined) routes.announceVia(address, length, row.nextHop);
  else routes.announceDirect(address, length, { interface: row.interface, address: row.nextHop });
}
