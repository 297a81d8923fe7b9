// SPDX-License-Identifier: Apache-2.0
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
import type { WorkQueue } from '../lib/work-queue.ts';
import { type HostSnapshot, makeSnapshot } from './host-snapshot.ts';
import type { NetlinkSockets } from './native.ts';
import { flagReplace, type MessageHeader } from './netlink-codec.ts';
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

export interface HostStateOptions {
  readonly netlinkSockets: NetlinkSockets;
  readonly rtnetlink: Pick<Rtnetlink, 'dump'>;
  readonly clock: Clock;
  readonly queue: WorkQueue;
  readonly log: Log;
  /**
   * routes.protocol: changes of such routes are filtered in the kernel, so that a full table does not
   * wake this thread a million times. In the main table they are read, but not followed.
   */
  readonly mirrorProtocol: number;
}

export class HostState {
  readonly #rtnetlink: Pick<Rtnetlink, 'dump'>;
  readonly #clock: Clock;
  readonly #queue: WorkQueue;
  readonly #log: Log;
  readonly #notifications: { close(): void };
  #links = new Map<number, LinkMessage>();
  #addresses = new Map<string, AddressMessage>();
  #routes = new Map<string, RouteMessage>();
  readonly #downCounts = new Map<string, number>();
  readonly #listeners = new Set<(snapshot: HostSnapshot) => void>();
  /** Of routes in other tables than main. */
  readonly #routeListeners = new Set<(table: number, protocol: number) => void>();
  #generation = 0;
  #current: HostSnapshot | undefined;
  #overrunCount = 0;
  #isTellingSoon = false;
  #isClosed = false;
  /** The read that is under way starts over. */
  #isStale = false;
  #reread: Timer | undefined;
  /** Notifications that came while everything was being read: they are newer than what is read. */
  #waiting: (() => void)[] | undefined;

  private constructor(options: HostStateOptions) {
    this.#rtnetlink = options.rtnetlink;
    this.#clock = options.clock;
    this.#queue = options.queue;
    this.#log = options.log;
    const groups = [groupLink, groupIpv4Address, groupIpv4Route];
    this.#notifications = openNotifications(
      options.netlinkSockets,
      options.queue,
      groups,
      options.mirrorProtocol,
      {
        message: (header, bytes, start, end) => this.#notified(header, bytes, start, end),
        overrun: () => {
          this.#overrunCount += 1;
          this.#readAgain('notifications were lost');
        },
      },
    );
  }

  /** Subscribes, then reads everything. @throws EgretError NETLINK_REFUSED */
  static async open(options: HostStateOptions): Promise<HostState> {
    const host = new HostState(options);
    await host.#readAll();
    return host;
  }

  snapshot(): HostSnapshot {
    this.#current ??= makeSnapshot(
      this.#generation,
      this.#links,
      this.#addresses,
      this.#routes,
      this.#downCounts,
    );
    return this.#current;
  }

  /** The listener is called after changes, once for many. @returns how to stop listening */
  onChanged(listener: (snapshot: HostSnapshot) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * The listener is called for each route that another program adds to a table other than main, or
   * removes from it. The kernel does not announce what it removes itself, with a link or an address.
   */
  onOtherRoute(listener: (table: number, protocol: number) => void): void {
    this.#routeListeners.add(listener);
  }

  /** Times that notifications were lost and everything was read again. */
  get overrunCount(): number {
    return this.#overrunCount;
  }

  close(): void {
    this.#isClosed = true;
    this.#reread?.clear();
    this.#notifications.close();
  }

  #changed(): void {
    this.#generation += 1;
    this.#current = undefined;
    if (this.#isTellingSoon) return;
    this.#isTellingSoon = true;
    this.#queue.soon(() => {
      this.#isTellingSoon = false;
      if (this.#isClosed) return;
      const snapshot = this.snapshot();
      for (const listener of [...this.#listeners]) listener(snapshot);
    });
  }

  // -- Notifications -------------------------------------------------------------------------------

  #notified(header: MessageHeader, bytes: Buffer, start: number, end: number): void {
    if (!this.#waiting) {
      this.#apply(header, bytes, start, end);
      return;
    }
    const copy = Buffer.from(bytes.subarray(start, end));
    this.#waiting.push(() => this.#apply(header, copy, 0, copy.length));
  }

  #apply(header: MessageHeader, bytes: Buffer, start: number, end: number): void {
    const { type, flags } = header;
    if (type === rtmNewLink || type === rtmDelLink) {
      const link = decodeLink(bytes, start, end);
      // Bridges announce their ports' changes in their own family: no link was added or removed.
      if (link && bytes[start] === 0) this.#applyLink(type === rtmDelLink, link);
    } else if (type === rtmNewAddress || type === rtmDelAddress) {
      const address = decodeAddress(bytes, start, end);
      if (address) this.#applyAddress(type === rtmDelAddress, address);
    } else if (type === rtmNewRoute || type === rtmDelRoute) {
      const route = decodeRoute(bytes, start, end);
      if (route) this.#applyRoute(type === rtmDelRoute, flags, route);
    }
  }

  #applyLink(isRemoval: boolean, link: LinkMessage): void {
    const before = this.#links.get(link.ifindex);
    if (isRemoval) this.#links.delete(link.ifindex);
    else this.#links.set(link.ifindex, link);
    if (before?.isUp && (isRemoval || !link.isUp)) {
      this.#countDown(before.name);
      this.#routes = withoutInterface(this.#routes, link.ifindex);
      this.#readAgainSoon();
    }
    if (isRemoval) {
      for (const [key, address] of this.#addresses)
        if (address.ifindex === link.ifindex) this.#addresses.delete(key);
    }
    if (isRemoval || !before || !isSameLink(before, link)) this.#changed();
  }

  #applyAddress(isRemoval: boolean, address: AddressMessage): void {
    if (isRemoval) {
      this.#addresses.delete(addressKey(address));
      this.#readAgainSoon();
    } else {
      this.#addresses.set(addressKey(address), address);
    }
    this.#changed();
  }

  #applyRoute(isRemoval: boolean, flags: number, route: RouteMessage): void {
    if (!isInMainTable(route)) {
      for (const listener of this.#routeListeners) listener(route.table, route.protocol);
      return;
    }
    const key = routeKey(route);
    if (isRemoval) this.#routes.delete(key);
    else {
      // NLM_F_REPLACE: whatever had this prefix and metric is replaced.
      if (flags & flagReplace) {
        for (const [other, { prefix, prefixLength, metric }] of this.#routes)
          if (
            prefix === route.prefix &&
            prefixLength === route.prefixLength &&
            metric === route.metric
          )
            this.#routes.delete(other);
      }
      this.#routes.set(key, route);
    }
    this.#changed();
  }

  #countDown(name: string): void {
    this.#downCounts.set(name, (this.#downCounts.get(name) ?? 0) + 1);
  }

  // -- Reading everything --------------------------------------------------------------------------

  /**
   * The kernel does not announce the routes that it removes with a link or an address: those through
   * it, and those that name it as source.
   */
  #readAgainSoon(delayMs = rereadDelayMs, why = 'a link or an address was removed'): void {
    this.#reread?.clear();
    this.#reread = this.#clock.after(delayMs, () => this.#readAgain(why));
  }

  #readAgain(why: string): void {
    if (this.#waiting) {
      this.#isStale = true;
      return;
    }
    this.#log.debug({ why }, 'host state: reading everything again');
    this.#readAll().catch((error: unknown) => {
      // What came meanwhile is lost with it.
      this.#waiting = undefined;
      if (this.#isClosed) return;
      this.#log.error({ error }, 'host state: reading everything failed; it is tried again');
      this.#readAgainSoon(rereadRetryMs, 'the last time it failed');
    });
  }

  async #readAll(): Promise<void> {
    do {
      this.#waiting = [];
      this.#isStale = false;
      const links = await this.#rtnetlink.dump('links', encodeLinkDump(), decodeLink);
      const addresses = await this.#rtnetlink.dump('addresses', encodeAddressDump(), decodeAddress);
      const routes = await this.#rtnetlink.dump(
        'the main table',
        encodeRouteDump(tableMain),
        decodeRoute,
      );
      const after = new Map(links.map((link) => [link.ifindex, link]));
      for (const before of this.#links.values())
        if (before.isUp && !after.get(before.ifindex)?.isUp) this.#countDown(before.name);
      this.#links = after;
      this.#addresses = new Map(addresses.map((address) => [addressKey(address), address]));
      this.#routes = new Map(routes.filter(isInMainTable).map((route) => [routeKey(route), route]));
      const late = this.#waiting;
      this.#waiting = undefined;
      for (const run of late) run();
    } while (this.#isStale && !this.#isClosed);
    this.#changed();
  }
}

const isInMainTable = ({ table, type }: RouteMessage): boolean =>
  table === tableMain && type === routeUnicast;

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
