// SPDX-License-Identifier: Apache-2.0
/** The mirror, following the Model: one kernel table for each network, or none when it is off. */
import type { Mirror } from '../../kernel/mirror.ts';
import type { MirrorNextHop, MirrorSource } from '../../kernel/mirror-table.ts';
import type { Log } from '../../lib/log.ts';
import type { Model, Network } from '../../model/model.ts';
import type { Rib } from '../../rib/rib.ts';
import type { RibConsumer } from '../../rib/rib-consumer.ts';
import type { State } from '../restart/run-dir.ts';
import type { Vrfs } from './vrfs.ts';

export interface MirrorsOptions {
  readonly mirror: Mirror;
  /** rtm_protocol of its routes; it is the same as long as this egretd runs. */
  readonly protocol: number;
  readonly log: Log;
  /** What the previous instance left in the kernel. */
  readonly state: State;
  /** Writes `tables` to the state file, for the next instance: a table is named there before its first route. */
  readonly remember: () => void;
}

export class Mirrors {
  readonly protocol: number;
  readonly #options: MirrorsOptions;
  readonly #mirror: Mirror;
  readonly #sources = new Map<number, NetworkSource>();
  /** Tables of the previous instance that were not read yet. */
  readonly #previousTables: Set<number>;

  constructor(options: MirrorsOptions) {
    this.#options = options;
    this.#mirror = options.mirror;
    this.protocol = options.protocol;
    this.#previousTables = new Set(options.state.mirroredTables);
  }

  /** Tables that hold routes of ours. */
  get tables(): number[] {
    return [...new Set([...this.#previousTables, ...this.#sources.keys()])];
  }

  mirroredCount(network: Network): number {
    return this.#mirror.status(network.routeTableIndex)?.mirrored ?? 0;
  }

  /** Whether the kernel holds what the RIBs have, as far as it takes it. */
  get isSettled(): boolean {
    return this.tables.every((table) => {
      const status = this.#mirror.status(table);
      return !status || (status.pending === 0 && !status.isBehind && !status.isReconciling);
    });
  }

  /**
   * Takes over the tables of this Model, before there is a route for them, and empties those that only
   * the previous instance had.
   *
   * @throws EgretError MIRROR_TABLE_FOREIGN
   */
  async open(model: Model): Promise<void> {
    const networks = model.appliance.mirror.isOn ? model.networks : [];
    for (const network of networks) await this.#add(network.routeTableIndex);
    for (const table of this.#previousTables) {
      await this.#add(table, true);
      this.#sources.delete(table);
      await this.#mirror.remove(table);
    }
  }

  /**
   * Opens tables of new networks, gives back those of removed ones, and reads from the RIBs.
   *
   * @throws EgretError MIRROR_TABLE_FOREIGN
   */
  async follow(model: Model, vrfs: Vrfs): Promise<void> {
    const wanted = new Map<number, Rib>();
    for (const network of model.appliance.mirror.isOn ? model.networks : []) {
      wanted.set(network.routeTableIndex, vrfs.get(network.name).rib);
    }
    for (const [table, source] of this.#sources) {
      if (wanted.has(table)) continue;
      source.detach();
      // The table stays ours until it is empty: after a crash, the next instance removes the rest.
      await this.#mirror.remove(table);
      this.#sources.delete(table);
    }
    for (const table of wanted.keys()) {
      if (!this.#sources.has(table)) await this.#add(table);
    }
    this.#options.remember();
    for (const [table, rib] of wanted) {
      const isAnother = this.#sources.get(table)!.attach(rib, () => this.#mirror.wake(table));
      this.#mirror.wake(table);
      // A network of another name, or the table of another network: what only it had is removed.
      if (isAnother) this.#reconcile(table);
    }
  }

  /** Removes routes of the previous instance that this one did not learn. */
  reconcileAll(): void {
    for (const table of this.#sources.keys()) this.#reconcile(table);
  }

  #reconcile(table: number): void {
    this.#mirror.reconcile(table).catch((error) => {
      this.#options.log.error({ error, table }, 'mirror: reconciliation failed');
    });
  }

  async removeAll(): Promise<void> {
    await this.#mirror.removeAll();
    this.#mirror.close();
  }

  async #add(table: number, isShared = false): Promise<void> {
    const { mirrorProtocol } = this.#options.state;
    const source = new NetworkSource();
    const isNew = !this.#previousTables.has(table);
    const hasChangedProtocol = !isNew && mirrorProtocol !== this.protocol;
    const previousProtocols = hasChangedProtocol ? [mirrorProtocol] : [];
    await this.#mirror.open(table, source, { isShared, isNew, previousProtocols });
    this.#previousTables.delete(table);
    this.#sources.set(table, source);
  }
}

/** A RIB as the mirror reads it: learned and static routes; connected ones are the kernel's own. */
class NetworkSource implements MirrorSource {
  #rib: Rib | undefined;
  #consumer: RibConsumer | undefined;

  /** @returns whether it read another RIB before */
  attach(rib: Rib, onDirty: () => void): boolean {
    if (this.#rib === rib) return false;
    const wasAttached = this.#rib !== undefined;
    this.detach();
    this.#rib = rib;
    this.#consumer = rib.openConsumer({ onDirty, isExpanded: true, isLearnedOnly: true });
    return wasAttached;
  }

  detach(): void {
    this.#consumer?.close();
    this.#consumer = undefined;
    this.#rib = undefined;
  }

  takeChanges(
    changesMax: number,
    visit: (address: number, length: number, nextHops: readonly MirrorNextHop[]) => void,
  ): number {
    if (!this.#consumer) return 0;
    return this.#consumer.take(changesMax, ({ address, length, set }) => {
      visit(address, length, set === 0 ? [] : this.#rib!.members(set));
    });
  }

  lookup(address: number, length: number): readonly MirrorNextHop[] {
    const route = this.#rib?.lookup(address, length);
    return route && route.kind !== 'connected' ? route.nextHops : [];
  }

  refresh(): void {
    this.#consumer?.refresh();
  }

  get pendingCount(): number {
    return this.#consumer?.pendingCount ?? 0;
  }

  get routeCount(): number {
    return this.#rib?.learnedCount ?? 0;
  }
}
