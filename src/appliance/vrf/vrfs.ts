// SPDX-License-Identifier: Apache-2.0
/** The VRFs of a Model: one for each network and one for the main table, with their local routes. */
import type { InterfacesOf } from '../../egress/ports.ts';
import { GroupNumbers } from '../../fib/group-numbers.ts';
import { OverlapMonitor } from '../../fib/overlaps.ts';
import type { FibTarget } from '../../fib/target.ts';
import type { HostSnapshot } from '../../kernel/host-snapshot.ts';
import { assert } from '../../lib/assert.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import type { Random } from '../../lib/random.ts';
import type { WorkQueue } from '../../lib/work-queue.ts';
import type { Model } from '../../model/model.ts';
import { formatIpv4Prefix } from '../../net/ipv4.ts';
import { InternedAttributes } from '../../rib/attributes.ts';
import type { Rib } from '../../rib/rib.ts';
import { mainRoutes, networkRoutes } from '../host/host-view.ts';
import { Vrf } from './vrf.ts';

export interface VrfsOptions {
  readonly clock: Clock;
  readonly queue: WorkQueue;
  readonly random: Random;
  readonly log: Log;
  readonly target: FibTarget;
  /** limits.groups of the target. */
  readonly groupsMax: number;
  /** Routes of some VRF have settled. */
  readonly onIdle: () => void;
}

export class Vrfs {
  readonly #options: VrfsOptions;
  /** One table of attributes and one pool of groups for all of them. */
  readonly #attributes: InternedAttributes;
  readonly #groups: GroupNumbers;
  readonly #vrfs = new Map<string | undefined, Vrf>();
  /** Networks with routes that the FIB has no room for. */
  readonly #full = new Set<string | undefined>();
  /** Prefixes that two networks of one gateway have. */
  readonly overlaps: OverlapMonitor;

  constructor(options: VrfsOptions) {
    this.#options = options;
    const { clock, queue, target, groupsMax } = options;
    this.#attributes = new InternedAttributes({ queue, seed: this.#seed() });
    this.#groups = new GroupNumbers({ clock, target, groupsMax });
    this.overlaps = new OverlapMonitor(queue, () => this.#reportOverlaps());
  }

  /** @param network - a name of the Model; undefined: the main table */
  get(network: string | undefined): Vrf {
    const vrf = this.#vrfs.get(network);
    assert(vrf, 'a network of the Model has a VRF');
    return vrf;
  }

  /** @returns undefined until the VRFs follow a Model that has the network */
  find(network: string | undefined): Vrf | undefined {
    return this.#vrfs.get(network);
  }

  all(): Vrf[] {
    return [...this.#vrfs.values()];
  }

  /** Whether the data plane holds what the neighbors have announced. */
  get isSettled(): boolean {
    return this.all().every(({ fib }) => fib.isConverged);
  }

  /** Calls when each of the VRFs that there are now has given its routes to the data plane. */
  whenConverged(run: () => void): void {
    const vrfs = this.all();
    let waiting = vrfs.length;
    for (const { fib } of vrfs) {
      fib.whenConverged(() => {
        waiting -= 1;
        if (waiting === 0) run();
      });
    }
  }

  /** Bytes in the tables of all RIBs. */
  get tableBytes(): number {
    return this.all().reduce((sum, { rib }) => sum + rib.usage.bytes, 0);
  }

  get attributeCount(): number {
    return this.#attributes.count;
  }

  ribs(): Map<string | undefined, Rib> {
    return new Map([...this.#vrfs].map(([name, vrf]) => [name, vrf.rib]));
  }

  /**
   * Makes the VRFs those of the Model, and their local routes those of the host.
   *
   * @param cutOff - networks that have none: nothing resolves in them, so that nothing is forwarded
   */
  follow(
    model: Model,
    interfacesOf: InterfacesOf,
    snapshot: HostSnapshot,
    cutOff: ReadonlySet<string>,
  ): void {
    const tables = new Map<string | undefined, number | undefined>([[undefined, undefined]]);
    for (const network of model.networks) tables.set(network.name, network.routeTableIndex);
    for (const [name, vrf] of this.#vrfs) {
      if (tables.has(name) && tables.get(name) === vrf.routeTableIndex) continue;
      this.#full.delete(name);
      vrf.close();
      this.#vrfs.delete(name);
    }
    for (const [name, routeTableIndex] of tables) {
      if (!this.#vrfs.has(name)) this.#vrfs.set(name, this.#make(name, routeTableIndex));
    }
    this.get(undefined).setLocalRoutes(mainRoutes(model, snapshot));
    for (const network of model.networks) {
      const interfaces = interfacesOf.get(network.name) ?? [];
      const routes = networkRoutes(model, network, interfaces, snapshot);
      this.get(network.name).setLocalRoutes(cutOff.has(network.name) ? [] : routes);
    }
    this.overlaps.watch(
      model.gateways.map((gateway) => gateway.networks.map((name) => this.get(name).rib)),
    );
  }

  #make(name: string | undefined, routeTableIndex: number | undefined): Vrf {
    const { clock, queue, target, onIdle } = this.#options;
    return new Vrf({
      clock,
      queue,
      target,
      onIdle,
      attributes: this.#attributes,
      groups: this.#groups,
      name,
      routeTableIndex,
      seed: this.#seed(),
      onRefused: (refused) => this.#refused(name, refused),
    });
  }

  #refused(network: string | undefined, refused: number): void {
    const { log, onIdle } = this.#options;
    const isNew = !this.#full.has(network);
    if (refused === 0) {
      this.#full.delete(network);
      log.info({ network }, 'the FIB has room for all routes again');
    } else if (isNew) {
      this.#full.add(network);
      log.error({ network, refused }, 'the FIB has no room for routes: limits.routes');
    }
    onIdle();
  }

  /** A client reaches one of them only, by the order of its gateway's networks. */
  #reportOverlaps(): void {
    const { log } = this.#options;
    const [first] = this.overlaps.overlaps();
    if (!first) {
      log.info('no prefix is in several networks of one gateway any more');
      return;
    }
    const { pairCount } = this.overlaps;
    log.warn(
      { pairCount, prefix: formatIpv4Prefix(first), networks: first.networks },
      'prefixes are in several networks of one gateway',
    );
  }

  #seed(): number {
    return Math.floor(this.#options.random.next() * 0x1_0000_0000);
  }
}
