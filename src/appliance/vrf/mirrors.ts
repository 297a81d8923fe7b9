// SPDX-License-Identifier: Apache-2.0
/**
 * The mirror, following the Model: one kernel table for each network, or none when it is off.
 *
 *   another program's route in a table ─▶ `foreign`: its network is not ready, and the table is read
 *   again when routes of others change there, and after a while, until they are removed
 */
import type { HostState } from '../../kernel/host.ts';
import type { Mirror } from '../../kernel/mirror.ts';
import { type Foreign, isForeignProtocol } from '../../kernel/mirror-read.ts';
import type { MirrorNextHop, MirrorSource } from '../../kernel/mirror-table.ts';
import type { Clock, Timer } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import type { Model, Network } from '../../model/model.ts';
import type { Rib } from '../../rib/rib.ts';
import type { RibConsumer } from '../../rib/rib-consumer.ts';
import type { State } from '../restart/run-dir.ts';
import type { Vrfs } from './vrfs.ts';

export interface MirrorsOptions {
  readonly mirror: Mirror;
  readonly host: Pick<HostState, 'onOtherRoute'>;
  readonly clock: Clock;
  /** rtm_protocol of its routes; it is the same as long as this egretd runs. */
  readonly protocol: number;
  readonly log: Log;
  /** What the previous instance left in the kernel. */
  readonly state: State;
  /** Writes `tables` to the state file, for the next instance: a table is named there before its first route. */
  readonly remember: () => void;
  /** Routes of others may have come or been removed: `open` is to be called. */
  readonly foreignChanged: () => void;
}

/** Until a table with routes of others is read again: so long, and a millisecond for each of them. */
const rereadMs = 2_000;
const rereadMaxMs = 60_000;
/** After a notification: others follow it. */
const settleMs = 200;

export class Mirrors {
  readonly protocol: number;
  readonly #options: MirrorsOptions;
  readonly #mirror: Mirror;
  readonly #sources = new Map<number, NetworkSource>();
  /** Tables of the previous instance that were not read yet. */
  readonly #previousTables: Set<number>;
  readonly #foreign = new Map<number, Foreign>();
  /** Tables in which routes of others changed since they were read. */
  readonly #changed = new Set<number>();
  #reread: { readonly atMs: number; readonly timer: Timer } | undefined;

  constructor(options: MirrorsOptions) {
    this.#options = options;
    this.#mirror = options.mirror;
    this.protocol = options.protocol;
    this.#previousTables = new Set(options.state.mirroredTables);
    options.host.onOtherRoute((table, protocol) => {
      if (!isForeignProtocol(protocol)) return;
      if (!this.#sources.has(table) && !this.#foreign.has(table)) return;
      this.#changed.add(table);
      this.#readSoon(settleMs);
    });
  }

  /** What is wrong with tables of networks, by table. */
  get foreign(): ReadonlyMap<number, Foreign> {
    return this.#foreign;
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
   * Takes over the tables of this Model that are not ours yet, before there is a route for them, unless
   * routes of others are there; and empties those that only the previous instance had. What could not be
   * read is tried again, like what holds routes of others.
   */
  async open(model: Model): Promise<void> {
    const networks = model.appliance.mirror.isOn ? model.networks : [];
    const wanted = new Set(networks.map((network) => network.routeTableIndex));
    for (const table of this.#foreign.keys()) if (!wanted.has(table)) this.#foreign.delete(table);
    for (const table of wanted) {
      const isChanged = this.#changed.delete(table) || this.#foreign.has(table);
      if (!this.#sources.has(table)) await this.#read(table, () => this.#add(table));
      else if (isChanged) await this.#read(table, () => this.#mirror.readForeign(table));
    }
    for (const table of this.#previousTables) if (!wanted.has(table)) await this.#empty(table);
    const counts = [...this.#foreign.values()].map(({ count }) => count);
    if (counts.length > 0) this.#readSoon(Math.min(rereadMaxMs, rereadMs + Math.max(...counts)));
  }

  /** Gives back tables of removed networks, and reads from the RIBs. */
  async follow(model: Model, vrfs: Vrfs): Promise<void> {
    const wanted = new Map<number, Rib>();
    for (const network of model.appliance.mirror.isOn ? model.networks : []) {
      // One with routes of others was not opened.
      if (this.#sources.has(network.routeTableIndex))
        wanted.set(network.routeTableIndex, vrfs.get(network.name).rib);
    }
    for (const [table, source] of this.#sources) {
      if (wanted.has(table)) continue;
      source.detach();
      // The table stays ours until it is empty: after a crash, the next instance removes the rest.
      await this.#mirror.remove(table);
      this.#sources.delete(table);
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
    this.#reread?.timer.clear();
    for (const table of this.#previousTables) await this.#empty(table);
    await this.#mirror.removeAll();
    this.#mirror.close();
  }

  async #read(table: number, read: () => Promise<Foreign | undefined>): Promise<void> {
    const found = await read().catch(({ message }: Error): Foreign => {
      return { count: 0, text: `table ${table} cannot be read`, more: message };
    });
    if (found) this.#foreign.set(table, found);
    else this.#foreign.delete(table);
  }

  #readSoon(delayMs: number): void {
    const { clock, foreignChanged } = this.#options;
    const atMs = clock.nowMs() + delayMs;
    if (this.#reread && this.#reread.atMs <= atMs) return;
    this.#reread?.timer.clear();
    const timer = clock.after(delayMs, () => {
      this.#reread = undefined;
      foreignChanged();
    });
    this.#reread = { atMs, timer };
  }

  /** Removes what the previous instance left in a table that is not wanted. */
  async #empty(table: number): Promise<void> {
    try {
      await this.#add(table, true);
      this.#sources.delete(table);
      await this.#mirror.remove(table);
    } catch (error) {
      this.#options.log.warn({ error, table }, 'mirror: the previous routes could not be removed');
    }
  }

  /** @returns routes of others that are in the way */
  async #add(table: number, isShared = false): Promise<Foreign | undefined> {
    const { mirrorProtocol } = this.#options.state;
    const source = new NetworkSource();
    const isNew = !this.#previousTables.has(table);
    const hasChangedProtocol = !isNew && mirrorProtocol !== this.protocol;
    const previousProtocols = hasChangedProtocol ? [mirrorProtocol] : [];
    const refused = await this.#mirror.open(table, source, { isShared, isNew, previousProtocols });
    if (refused) return refused;
    this.#previousTables.delete(table);
    this.#sources.set(table, source);
    return undefined;
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
