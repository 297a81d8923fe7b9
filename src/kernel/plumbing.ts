// SPDX-License-Identifier: Apache-2.0
/**
 * Everything that egretd configures in the kernel so that the networks' packets stay separate, in the
 * order that this needs: settings, guard, rules, connected routes, neighbors. The guard is installed
 * before any port opens, and removed last.
 */
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import type { WorkQueue } from '../lib/work-queue.ts';
import type { Ipv4 } from '../net/ipv4.ts';
import { type ConnectedNetwork, plumbingRoutes, setPlumbingRoutes } from './connected.ts';
import { type Guard, makeGuard } from './guard.ts';
import type { GuardInput, GuardPort } from './guard-script.ts';
import { watchGuard } from './guard-watch.ts';
import type { HostSnapshot } from './host-snapshot.ts';
import type { NetlinkSockets } from './native.ts';
import { setNeighbors } from './neighbors.ts';
import type { Rtnetlink } from './rtnetlink.ts';
import { rulesFor, setRules } from './rules.ts';
import { makeSysctls, type SysctlRecord, type Sysctls } from './sysctl.ts';

/** What the kernel should do for one Model on one host. */
export interface PlumbingWanted {
  readonly ports: readonly GuardPort[];
  readonly input: GuardInput;
  readonly networks: readonly ConnectedNetwork[];
  /** FelixConfiguration.externalNetworkRoutingRulePriority. */
  readonly rulePriority: number;
}

/** A next hop or client that the kernel keeps resolved. */
export interface WantedNeighbor {
  readonly interface: string;
  readonly address: Ipv4;
}

export class Plumbing {
  readonly #rtnetlink: Rtnetlink;
  readonly #log: Log;
  readonly #guard: Guard;
  readonly #sysctls: Sysctls;
  /** Private tables to be emptied: of a previous instance, of networks that were removed. */
  readonly #previousTables = new Set<number>();
  #watch: { close(): void } | undefined;
  #lastNeighbors = '';

  /** @param found - settings as they were before the previous instance changed them (state.json) */
  constructor(rtnetlink: Rtnetlink, runDir: string, found: SysctlRecord, log: Log) {
    this.#rtnetlink = rtnetlink;
    this.#log = log;
    this.#guard = makeGuard(runDir);
    this.#sysctls = makeSysctls(found);
  }

  /** @throws EgretError NFT_FAILED, NETLINK_REFUSED; the guard that was installed before stays */
  async apply(wanted: PlumbingWanted, snapshot: HostSnapshot): Promise<void> {
    this.#sysctls.apply(wanted.ports.map((port) => port.name));
    await this.#guard.set(wanted.ports, wanted.input, snapshot);
    const indexes = wanted.networks.flatMap((network) => network.routeTableIndex ?? []);
    await setRules(this.#rtnetlink, rulesFor(wanted.rulePriority, indexes), this.#previousTables);
    const refused = await setPlumbingRoutes(
      this.#rtnetlink,
      plumbingRoutes(snapshot, wanted.networks),
      [...this.#previousTables],
    );
    if (refused.length === 0) this.#previousTables.clear();
    for (const { route, fault } of refused) this.#log.warn({ route, fault }, 'route refused');
  }

  /** Makes exactly these the managed neighbors. @throws EgretError NETLINK_REFUSED */
  async keepResolved(wanted: readonly WantedNeighbor[], snapshot: HostSnapshot): Promise<void> {
    const rows = wanted.flatMap((neighbor) => {
      const link = snapshot.links.get(neighbor.interface);
      return link?.isUp && link.hasCarrier
        ? [{ ifindex: link.ifindex, address: neighbor.address }]
        : [];
    });
    // Carrier and address changes make the kernel forget neighbors, so the snapshot is part of the key.
    const text = `${snapshot.generation} ${rows.map((row) => `${row.ifindex}:${row.address}`)}`;
    if (text === this.#lastNeighbors) return;
    // The kernel's table has room for net.ipv4.neigh.default.gc_thresh3 of them, 1024 by default.
    const refused = await setNeighbors(this.#rtnetlink, rows);
    this.#lastNeighbors = text;
    const [first] = refused;
    if (first) this.#log.warn({ count: refused.length, ...first }, 'managed neighbors refused');
  }

  /** rp_filter as the kernel combines it, by interface. */
  rpFilter(interfaceName: string): number | null {
    const path = `net/ipv4/conf/${interfaceName}/rp_filter`;
    const found = this.#sysctls.show([interfaceName]).find((row) => row.path === path);
    return found?.effective === undefined ? null : Number(found.effective);
  }

  sysctlRecord(): SysctlRecord {
    return this.#sysctls.record();
  }

  /** The orderly stop, all but the guard. */
  async remove(): Promise<void> {
    await setNeighbors(this.#rtnetlink, []);
    await setRules(this.#rtnetlink, [], this.#previousTables);
    await setPlumbingRoutes(this.#rtnetlink, [], [...this.#previousTables]);
    this.#sysctls.restore();
  }

  /** Whether a previous instance left its guard. To be asked before `apply`. */
  hasGuard(): Promise<boolean> {
    return this.#guard.stands();
  }

  /**
   * Has the guard watched: another program may remove it (`nft flush ruleset`).
   *
   * @param onLost - `apply` installs it again
   */
  watchGuard(sockets: NetlinkSockets, clock: Clock, queue: WorkQueue, onLost: () => void): void {
    this.#watch = watchGuard({ guard: this.#guard, sockets, clock, queue, log: this.#log, onLost });
  }

  /** The last step of the orderly stop. */
  async removeGuard(): Promise<void> {
    this.#watch?.close();
    await this.#guard.remove();
  }
}
