/** The mirror, following the Model: one kernel table for each network, or none when it is off. */
import type { HostState } from '../kernel/host.ts';
import { type Mirror, openMirror } from '../kernel/mirror.ts';
import type { MirrorNextHop, MirrorSource } from '../kernel/mirror-table.ts';
import type { Rtnetlink } from '../kernel/rtnetlink.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import type { Model, Network } from '../model/model.ts';
import type { Rib } from '../rib/rib.ts';
import type { RibConsumer } from '../rib/rib-consumer.ts';
import { mirrorNative } from './native-sockets.ts';
import type { State } from './run-dir.ts';
import type { Vrfs } from './vrfs.ts';

export interface MirrorsOptions {
  readonly rtnetlink: Rtnetlink;
  readonly host: HostState;
  readonly clock: Clock;
  readonly log: Log;
  readonly model: Model;
  /** What an earlier life left in the kernel. */
  readonly state: State;
  /** Writes `tables` down for the next life: a table is named there before its first route. */
  readonly remember: () => void;
}

export class Mirrors {
  /** rtm_protocol; it is the same for the life of this egretd. */
  readonly protocol: number;
  readonly #options: MirrorsOptions;
  readonly #mirror: Mirror;
  readonly #sources = new Map<number, NetworkSource>();
  /** Tables of an earlier life that were not looked at yet. */
  readonly #former: Set<number>;

  constructor(options: MirrorsOptions) {
    const { rtnetlink, host, clock, log } = options;
    this.#options = options;
    this.#former = new Set(options.state.mirroredTables);
    this.protocol = options.model.appliance.mirror.protocol;
    this.#mirror = openMirror({
      native: mirrorNative,
      rtnetlink,
      host,
      clock,
      log,
      protocol: this.protocol,
    });
  }

  /** Tables that hold routes of ours. */
  get tables(): number[] {
    return [...new Set([...this.#former, ...this.#sources.keys()])];
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
   * an earlier life had.
   *
   * @throws EgretError MIRROR_TABLE_FOREIGN
   */
  async open(model: Model): Promise<void> {
    const networks = model.appliance.mirror.isOn ? model.networks : [];
    for (const network of networks) await this.#add(network.routeTableIndex);
    for (const table of this.#former) {
      await this.#add(table, true);
      this.#sources.delete(table);
      await this.#mirror.remove(table);
    }
  }

  /** Opens tables of new networks, gives back those of removed ones, and reads from the RIBs. */
  async follow(model: Model, vrfs: Vrfs): Promise<void> {
    const wanted = new Map<number, Rib>();
    for (const network of model.appliance.mirror.isOn ? model.networks : []) {
      wanted.set(network.routeTableIndex, vrfs.get(network.name).rib);
    }
    for (const [table, source] of this.#sources) {
      if (wanted.has(table)) continue;
      this.#sources.delete(table);
      source.detach();
      await this.#mirror.remove(table);
    }
    for (const table of wanted.keys()) {
      if (!this.#sources.has(table)) await this.#add(table);
    }
    this.#options.remember();
    for (const [table, rib] of wanted) {
      this.#sources.get(table)!.attach(rib, () => this.#mirror.wake(table));
      this.#mirror.wake(table);
    }
  }

  /** Routes of an earlier life that this one did not learn go. */
  reconcileAll(): void {
    for (const table of this.#sources.keys()) {
      this.#mirror.reconcile(table).catch((error) => {
        this.#options.log.error({ error, table }, 'mirror: reconciliation failed');
      });
    }
  }

  async removeAll(): Promise<void> {
    await this.#mirror.removeAll();
    this.#mirror.close();
  }

  async #add(table: number, isShared = false): Promise<void> {
    const { mirrorProtocol } = this.#options.state;
    const source = new NetworkSource();
    const isNew = !this.#former.has(table);
    const isFormer = !isNew && mirrorProtocol !== this.protocol;
    const formerProtocols = isFormer ? [mirrorProtocol] : [];
    await this.#mirror.open(table, source, { isShared, isNew, formerProtocols });
    this.#former.delete(table);
    this.#sources.set(table, source);
  }
}

/** A RIB as the mirror reads it: learned and static routes; connected ones are the kernel's own. */
class NetworkSource implements MirrorSource {
  #rib: Rib | undefined;
  #consumer: RibConsumer | undefined;

  attach(rib: Rib, onDirty: () => void): void {
    if (this.#rib === rib) return;
    this.detach();
    this.#rib = rib;
    this.#consumer = rib.openConsumer({ onDirty, isExpanded: true, isLearnedOnly: true });
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
