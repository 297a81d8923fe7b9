// SPDX-License-Identifier: Apache-2.0
/** Reads a kernel table for the mirror, in slices, and knows ours from others' routes. */
import type { HostSnapshot } from './host-snapshot.ts';
import { plumbingProtocol } from './identity.ts';
import type { MirrorTable, PathSets } from './mirror-table.ts';
import {
  decodeRoute,
  encodeRouteDump,
  protocolKernel,
  type RouteMessage,
  routeUnicast,
} from './route-codec.ts';
import { formatIpRoute } from './route-format.ts';
import type { Rtnetlink } from './rtnetlink.ts';

const routesShownMax = 5;

/**
 * Marks in `table.installed` what the kernel holds for us.
 *
 * @param protocol - of our routes; undefined: none that is there can be ours
 * @param visitOther - a route of another protocol, or of a shape that the mirror never writes
 */
export async function readMirrorTable(
  rtnetlink: Pick<Rtnetlink, 'dumpEach'>,
  table: MirrorTable,
  protocol: number | undefined,
  pathSets: PathSets,
  visitOther: (route: RouteMessage) => void,
): Promise<void> {
  await rtnetlink.dumpEach(
    `the routes of table ${table.table}`,
    encodeRouteDump(table.table),
    () => table.beginMark(),
    (_type, bytes, start, end) => {
      const route = decodeRoute(bytes, start, end);
      if (!route || route.table !== table.table) return;
      if (!isMirrored(route, protocol)) visitOther(route);
      else table.seen(route.prefix, route.prefixLength, pathSets.numberOf(route.nextHops));
    },
  );
}

/** Routes of other programs in a table. */
export interface Foreign {
  readonly count: number;
  /** That they are there. */
  readonly text: string;
  /** Some of them, as `ip route` prints them. */
  readonly more: string;
}

/**
 * Reads which routes of a table are not ours.
 *
 * @param ours - protocols of routes that this or a previous instance mirrored there
 * @returns undefined: there are none
 * @throws EgretError NETLINK_REFUSED
 */
export async function readForeignRoutes(
  rtnetlink: Pick<Rtnetlink, 'dumpEach'>,
  table: number,
  ours: readonly number[],
  snapshot: HostSnapshot,
): Promise<Foreign | undefined> {
  const foreign = new ForeignRoutes(table, snapshot);
  await rtnetlink.dumpEach(
    `the routes of table ${table}`,
    encodeRouteDump(table),
    () => foreign.clear(),
    (_type, bytes, start, end) => {
      const route = decodeRoute(bytes, start, end);
      if (route?.table === table && !ours.some((protocol) => isMirrored(route, protocol)))
        foreign.add(route);
    },
  );
  return foreign.found();
}

/** Whether a route is of the shape that the mirror writes. */
const isMirrored = (route: RouteMessage, protocol: number | undefined): boolean =>
  route.protocol === protocol && route.metric === 0 && route.type === routeUnicast;

/** Whether a route in a network's table is no mirrored one, nor the kernel's own or our plumbing's. */
export const isForeignProtocol = (protocol: number): boolean =>
  protocol !== protocolKernel && protocol !== plumbingProtocol;

/** Counts the routes of other daemons, and keeps a few to show. */
export class ForeignRoutes {
  readonly #table: number;
  readonly #snapshot: HostSnapshot;
  readonly #shown = new Set<string>();
  #count = 0;

  constructor(table: number, snapshot: HostSnapshot) {
    this.#table = table;
    this.#snapshot = snapshot;
  }

  /** Counts a route, unless it is the kernel's own (a VRF device adds some) or our plumbing's. */
  add(route: RouteMessage): void {
    if (!isForeignProtocol(route.protocol)) return;
    this.#count += 1;
    if (this.#shown.size < routesShownMax) this.#shown.add(this.#describe(route));
  }

  /** @returns undefined when there are none */
  found(): Foreign | undefined {
    if (this.#count === 0) return undefined;
    const more = this.#count - this.#shown.size;
    const routes = [...this.#shown, ...(more > 0 ? [`and ${more} more`] : [])].join('; ');
    const text = `table ${this.#table} holds routes that are not ours`;
    return { count: this.#count, text, more: routes };
  }

  /** A dump starts over. */
  clear(): void {
    this.#count = 0;
    this.#shown.clear();
  }

  #describe({ prefix, prefixLength, nextHops, ...route }: RouteMessage): string {
    const links = [...this.#snapshot.links.values()];
    const nameOf = (ifindex: number): string =>
      links.find((link) => link.ifindex === ifindex)?.name ?? `#${ifindex}`;
    return formatIpRoute({
      ...route,
      prefix: { address: prefix, length: prefixLength },
      nextHops: nextHops.map((hop) => ({ ...hop, interface: nameOf(hop.ifindex) })),
    })
      .replaceAll('\n\t', '')
      .trim();
  }
}
