/**
 * What the kernel knows of this box: links, IPv4 addresses, routes of the main table. Live, by
 * rtnetlink notifications; read again in full when the kernel could not keep up.
 *
 *   notifications ──▶ maps by ifindex ──▶ (coalesced) changed ──▶ snapshot(): pure, frozen data
 *
 * Egret only reads here (design: it never changes addresses). The main table serves the reverse path
 * to clients; routes in other tables are the mirror's business. IPv6 is left out.
 */
import type { Clock, Timer } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import { comparePrefixes, type Ipv4, type Ipv4Prefix, maskOf } from '../net/ipv4.ts';
import type { NetlinkSockets } from './native.ts';
import type { MessageHeader } from './netlink-codec.ts';
import {
  decodeRoute,
  encodeRouteDump,
  type RouteMessage,
  routeUnicast,
  rtmDelRoute,
  rtmNewRoute,
  tableMain,
} from './route-codec.ts';
import { openNotifications, type Rtnetlink } from './rtnetlink.ts';
import {
  type AddressMessage,
  decodeAddress,
  decodeLink,
  encodeAddressDump,
  encodeLinkDump,
  groupIpv4Address,
  groupIpv4Route,
  groupLink,
  type LinkMessage,
  rtmDelAddress,
  rtmDelLink,
  rtmNewAddress,
  rtmNewLink,
} from './rtnetlink-codec.ts';

const rereadDelayMs = 20;
/** After a read that failed. */
const rereadRetryMs = 1_000;

export interface HostLink extends LinkMessage {
  /** How often it went down or away since egretd started: a flap is seen even between snapshots. */
  readonly downCount: number;
}

export interface HostAddress extends AddressMessage {
  readonly interface: string;
}

export interface HostRoute {
  readonly prefix: Ipv4Prefix;
  readonly protocol: number;
  readonly scope: number;
  readonly metric: number;
  readonly source: Ipv4 | undefined;
  readonly nextHops: readonly { readonly interface: string; readonly address: Ipv4 }[];
}

/** A prefix that is reachable on a link without a gateway. */
export interface ConnectedRoute {
  readonly prefix: Ipv4Prefix;
  readonly interface: string;
  readonly ifindex: number;
  /** The box's own address in it. */
  readonly source: Ipv4 | undefined;
}

export interface HostSnapshot {
  /** Ascending; equal numbers are equal snapshots. */
  readonly generation: number;
  readonly links: ReadonlyMap<string, HostLink>;
  readonly addresses: readonly HostAddress[];
  /** Unicast routes of the main table, by prefix, then metric: the first of a prefix is used. */
  readonly mainRoutes: readonly HostRoute[];
}

export interface HostState {
  snapshot(): HostSnapshot;
  /** Told after changes, once for many. @returns how to stop listening */
  onChanged(listener: (snapshot: HostSnapshot) => void): () => void;
  /** Times that notifications were lost and everything was read again. */
  readonly overrunCount: number;
  close(): void;
}

/**
 * Subscribes, then reads everything.
 *
 * @param mirrorProtocol - routes.protocol: changes of such routes are filtered in the kernel, so that
 *   a full table does not wake this thread a million times. In the main table they are read, but not
 *   followed.
 * @throws EgretError NETLINK_REFUSED
 */
export async function openHostState(
  sockets: NetlinkSockets,
  rtnetlink: Rtnetlink,
  clock: Clock,
  log: Log,
  mirrorProtocol: number,
): Promise<HostState> {
  let links = new Map<number, LinkMessage>();
  let addresses = new Map<string, AddressMessage>();
  let routes = new Map<string, RouteMessage>();
  const downCounts = new Map<string, number>();
  const listeners = new Set<(snapshot: HostSnapshot) => void>();
  let generation = 0;
  let current: HostSnapshot | undefined;
  let overrunCount = 0;
  let isTellingSoon = false;
  let isClosed = false;
  let isStale = false;
  let reread: Timer | undefined;
  /** Notifications that came while everything was being read: they are newer than what is read. */
  let waiting: (() => void)[] | undefined;

  const countDown = (name: string): void => {
    downCounts.set(name, (downCounts.get(name) ?? 0) + 1);
  };

  function changed(): void {
    generation += 1;
    current = undefined;
    if (isTellingSoon) return;
    isTellingSoon = true;
    clock.soon(() => {
      isTellingSoon = false;
      if (isClosed) return;
      const snapshot = takeSnapshot();
      for (const listener of [...listeners]) listener(snapshot);
    });
  }

  function takeSnapshot(): HostSnapshot {
    current ??= makeSnapshot(generation, links, addresses, routes, downCounts);
    return current;
  }

  function applyLink(isRemoval: boolean, link: LinkMessage): void {
    const before = links.get(link.ifindex);
    if (isRemoval) links.delete(link.ifindex);
    else links.set(link.ifindex, link);
    if (before?.isUp && (isRemoval || !link.isUp)) {
      countDown(before.name);
      routes = withoutInterface(routes, link.ifindex);
      rereadSoon();
    }
    if (isRemoval) {
      for (const [key, address] of addresses)
        if (address.ifindex === link.ifindex) addresses.delete(key);
    }
    if (isRemoval || !before || !isSameLink(before, link)) changed();
  }

  function applyRoute(isRemoval: boolean, flags: number, route: RouteMessage): void {
    if (route.table !== tableMain || route.type !== routeUnicast) return;
    const key = routeKey(route);
    if (isRemoval) routes.delete(key);
    else {
      // NLM_F_REPLACE: whatever had this prefix and metric is gone.
      if (flags & 0x100) {
        for (const [other, { prefix, prefixLength, metric }] of routes)
          if (
            prefix === route.prefix &&
            prefixLength === route.prefixLength &&
            metric === route.metric
          )
            routes.delete(other);
      }
      routes.set(key, route);
    }
    changed();
  }

  function apply(header: MessageHeader, bytes: Buffer, start: number, end: number): void {
    const { type, flags } = header;
    if (type === rtmNewLink || type === rtmDelLink) {
      const link = decodeLink(bytes, start, end);
      // Bridges announce their ports' changes in their own family: not a link that comes or goes.
      if (link && bytes[start] === 0) applyLink(type === rtmDelLink, link);
    } else if (type === rtmNewAddress || type === rtmDelAddress) {
      const address = decodeAddress(bytes, start, end);
      if (!address) return;
      if (type === rtmNewAddress) addresses.set(addressKey(address), address);
      else {
        addresses.delete(addressKey(address));
        rereadSoon();
      }
      changed();
    } else if (type === rtmNewRoute || type === rtmDelRoute) {
      const route = decodeRoute(bytes, start, end);
      if (route) applyRoute(type === rtmDelRoute, flags, route);
    }
  }

  /**
   * The kernel says nothing of the routes that go with a link or an address: those through it, and
   * those that name it as source.
   */
  function rereadSoon(): void {
    reread?.clear();
    reread = clock.after(rereadDelayMs, () => reading('a link or an address went away'));
  }

  function reading(why: string): void {
    if (waiting) {
      isStale = true; // the read that is under way starts over
      return;
    }
    log.debug({ why }, 'host state: reading everything again');
    readAll().catch((error: unknown) => {
      waiting = undefined;
      if (isClosed) return;
      log.error({ error }, 'host state: reading everything failed; it is tried again');
      // What came meanwhile is lost with it.
      reread?.clear();
      reread = clock.after(rereadRetryMs, () => reading('the last time it failed'));
    });
  }

  async function readAll(): Promise<void> {
    do {
      waiting = [];
      isStale = false;
      const newLinks = await rtnetlink.dump('links', encodeLinkDump(), decodeLink);
      const newAddresses = await rtnetlink.dump('addresses', encodeAddressDump(), decodeAddress);
      const newRoutes = await rtnetlink.dump(
        'the main table',
        encodeRouteDump(tableMain),
        decodeRoute,
      );
      const after = new Map(newLinks.map((link) => [link.ifindex, link]));
      for (const before of links.values())
        if (before.isUp && !after.get(before.ifindex)?.isUp) countDown(before.name);
      links = after;
      addresses = new Map(newAddresses.map((address) => [addressKey(address), address]));
      routes = new Map(
        newRoutes
          .filter((route) => route.table === tableMain && route.type === routeUnicast)
          .map((route) => [routeKey(route), route]),
      );
      const late = waiting;
      waiting = undefined;
      for (const run of late) run();
    } while (isStale && !isClosed);
    changed();
  }

  const notifications = openNotifications(
    sockets,
    clock,
    [groupLink, groupIpv4Address, groupIpv4Route],
    mirrorProtocol,
    {
      message(header, bytes, start, end) {
        if (!waiting) return apply(header, bytes, start, end);
        const copy = Buffer.from(bytes.subarray(start, end));
        waiting.push(() => apply(header, copy, 0, copy.length));
      },
      overrun() {
        overrunCount += 1;
        reading('notifications were lost');
      },
    },
  );
  await readAll();

  return {
    snapshot: takeSnapshot,
    onChanged(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    get overrunCount() {
      return overrunCount;
    },
    close() {
      isClosed = true;
      reread?.clear();
      notifications.close();
    },
  };
}

const addressKey = ({ ifindex, address, prefixLength, peer }: AddressMessage): string =>
  `${ifindex} ${address}/${prefixLength} ${peer}`;

const routeKey = ({ prefix, prefixLength, metric, nextHops }: RouteMessage): string =>
  `${prefix}/${prefixLength} ${metric} ${nextHops.map((hop) => `${hop.ifindex}:${hop.address}`)}`;

function withoutInterface(
  routes: ReadonlyMap<string, RouteMessage>,
  ifindex: number,
): Map<string, RouteMessage> {
  return new Map(
    [...routes].filter(([, { nextHops }]) => !nextHops.every((hop) => hop.ifindex === ifindex)),
  );
}

function isSameLink(a: LinkMessage, b: LinkMessage): boolean {
  return (
    a.name === b.name &&
    a.mac === b.mac &&
    a.mtu === b.mtu &&
    a.isUp === b.isUp &&
    a.hasCarrier === b.hasCarrier &&
    a.masterIfindex === b.masterIfindex &&
    a.kind === b.kind
  );
}

function makeSnapshot(
  generation: number,
  links: ReadonlyMap<number, LinkMessage>,
  addresses: ReadonlyMap<string, AddressMessage>,
  routes: ReadonlyMap<string, RouteMessage>,
  downCounts: ReadonlyMap<string, number>,
): HostSnapshot {
  const nameOf = (ifindex: number): string => links.get(ifindex)?.name ?? '';
  const mainRoutes = [...routes.values()]
    .map((route) => ({
      prefix: { address: route.prefix, length: route.prefixLength },
      protocol: route.protocol,
      scope: route.scope,
      metric: route.metric,
      source: route.source,
      nextHops: route.nextHops
        .filter((hop) => links.get(hop.ifindex)?.isUp)
        .map((hop) => ({ interface: nameOf(hop.ifindex), address: hop.address })),
    }))
    .filter((route) => route.nextHops.length > 0)
    .sort((a, b) => comparePrefixes(a.prefix, b.prefix) || a.metric - b.metric);
  return Object.freeze({
    generation,
    links: new Map(
      [...links.values()].map((link) => [
        link.name,
        { ...link, downCount: downCounts.get(link.name) ?? 0 },
      ]),
    ),
    addresses: [...addresses.values()]
      .filter((address) => links.has(address.ifindex))
      .map((address) => ({ ...address, interface: nameOf(address.ifindex) })),
    mainRoutes,
  });
}

/**
 * The connected routes of some interfaces: what their addresses imply while the link is up, and
 * what the main table sends out of them without a gateway.
 */
export function connectedRoutes(
  snapshot: HostSnapshot,
  interfaces: readonly string[],
): ConnectedRoute[] {
  const found = new Map<string, ConnectedRoute>();
  const add = (name: string, prefix: Ipv4Prefix, source: Ipv4 | undefined): void => {
    const link = snapshot.links.get(name);
    if (!link?.isUp || !interfaces.includes(name)) return;
    const key = `${name} ${prefix.address}/${prefix.length}`;
    if (!found.has(key)) found.set(key, { prefix, interface: name, ifindex: link.ifindex, source });
  };
  for (const { interface: name, address, prefixLength, peer, ...flags } of snapshot.addresses) {
    const isOwnHostAddress = prefixLength === 32 && peer === address;
    if (flags.hasNoPrefixRoute || isOwnHostAddress || flags.isSecondary) continue;
    const prefix = { address: (peer & maskOf(prefixLength)) >>> 0, length: prefixLength };
    add(name, prefix, address);
  }
  for (const { prefix, source, nextHops } of snapshot.mainRoutes)
    for (const hop of nextHops) if (hop.address === 0) add(hop.interface, prefix, source);
  return [...found.values()].sort(
    (a, b) => comparePrefixes(a.prefix, b.prefix) || (a.interface < b.interface ? -1 : 1),
  );
}
