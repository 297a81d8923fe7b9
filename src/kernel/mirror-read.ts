// SPDX-License-Identifier: Apache-2.0
/** Reads a kernel table for the mirror, in slices, and knows ours from others' routes. */
import { EgretError } from '../lib/errors.ts';
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
      if (route.protocol !== protocol || route.metric !== 0 || route.type !== routeUnicast)
        visitOther(route);
      else table.seen(route.prefix, route.prefixLength, pathSets.numberOf(route.nextHops));
    },
  );
}

/** Counts the routes of other daemons, and keeps a few to show. */
export class ForeignRoutes {
  readonly #snapshot: HostSnapshot;
  readonly #shown = new Set<string>();
  #count = 0;

  constructor(snapshot: HostSnapshot) {
    this.#snapshot = snapshot;
  }

  /** Counts a route, unless it is the kernel's own (a VRF device adds some) or our plumbing's. */
  add(route: RouteMessage): void {
    if (route.protocol === protocolKernel || route.protocol === plumbingProtocol) return;
    this.#count += 1;
    if (this.#shown.size < routesShownMax) this.#shown.add(this.#describe(route));
  }

  /** @throws EgretError MIRROR_TABLE_FOREIGN when there are any */
  refuse(table: number): void {
    if (this.#count === 0) return;
    const more = this.#count - this.#shown.size;
    const routes = [...this.#shown, ...(more > 0 ? [`and ${more} more`] : [])].join('; ');
    throw new EgretError('MIRROR_TABLE_FOREIGN', { table, routes });
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
