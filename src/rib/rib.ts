// SPDX-License-Identifier: Apache-2.0
/**
 * The RIB of one VRF, or of the main table: routes of every source in, outcomes out.
 *
 *   sources ─put, drop─▶ RouteStore ─▶ undecided ─▶ decision ─▶ outcome ─▶ consumers' queues
 *                            ▲                          │
 *                            └── next hops resolve by ──┘
 *
 * Producers' calls only note what changed. The work follows in steps, as a customer of the work queue:
 * removing the routes of closed sources and stale ones, deciding, notifying consumers, and giving memory
 * back when a table has become sparse. Producers are not held up: however far they are ahead, each
 * prefix is queued once, and its newest state is decided. Everything is kept in typed arrays
 * (prefix-table.ts, path-table.ts); a route takes some 50 bytes in addition to its attributes.
 *
 * adj-RIB-out is absent: what Egret announces does not come from here.
 */
import { assert } from '../lib/assert.ts';
import type { Clock } from '../lib/clock.ts';
import type { Worker, WorkQueue } from '../lib/work-queue.ts';
import type { Ipv4 } from '../net/ipv4.ts';
import type { InternedAttributes } from './attributes.ts';
import type { IneligibleReason, LostReason } from './decision.ts';
import { Lap } from './lap.ts';
import { sourcesMax } from './path-table.ts';
import { rowKinds } from './prefix-table.ts';
import { type ConsumerOptions, consumersMax, RibConsumer } from './rib-consumer.ts';
import { RibSource } from './rib-source.ts';
import type {
  AdjRibIn,
  LocalRoutes,
  NextHop,
  NextHopSetId,
  PathAttributes,
  RibInput,
  RouteSource,
} from './route.ts';
import { RouteListing } from './route-listing.ts';
import { mustDelete, RouteStore, type SourceState } from './route-store.ts';

const rowsPerStep = 256;
const pathsPerStep = 512;
const rowsPerSweep = 512;

export interface RibOptions {
  readonly name: string;
  readonly clock: Clock;
  readonly queue: WorkQueue;
  /** One for all RIBs of the process. */
  readonly attributes: InternedAttributes;
  /** Whether equally good paths share the traffic; default true. */
  readonly isMultipath?: boolean;
  /** Of the hash of prefixes: neighbors must not know it. */
  readonly seed?: number;
  /** All work is done, but for what consumers have yet to take. */
  readonly onIdle?: () => void;
}

/** A path of a prefix, for status. */
export interface PathView {
  readonly source: RouteSource;
  readonly attributes: PathAttributes | undefined;
  /** As announced; 0 for a connected route. */
  readonly nextHop: Ipv4;
  /** Where it leads now. */
  readonly members: readonly NextHop[];
  readonly isBest: boolean;
  /** Carries traffic: the best, or one that shares with it. */
  readonly isUsed: boolean;
  readonly isStale: boolean;
  /** Why it carries none. */
  readonly reason: IneligibleReason | LostReason | undefined;
}

export interface RouteView {
  readonly address: Ipv4;
  readonly length: number;
  readonly kind: RouteSource['kind'];
  readonly nextHops: readonly NextHop[];
}

export class Rib implements RibInput, Worker {
  readonly name: string;
  readonly seed: number;
  readonly attributes: InternedAttributes;
  readonly #queue: WorkQueue;
  readonly #onIdle: () => void;
  readonly #store: RouteStore;
  readonly #consumers: (RibConsumer | undefined)[] = new Array(consumersMax).fill(undefined);
  readonly #freeSources: number[] = [];
  /** Sets whose members changed, for consumers that want each prefix again. */
  #expanding = new Set<NextHopSetId>();
  readonly #expandLap = new Lap();
  /** Over the paths, when some are to be removed or decided again. */
  readonly #scanLap = new Lap();
  #collecting = 0;

  constructor(options: RibOptions) {
    this.name = options.name;
    this.seed = options.seed ?? 0;
    this.attributes = options.attributes;
    this.#queue = options.queue;
    this.#onIdle = options.onIdle ?? (() => {});
    this.#store = new RouteStore({
      clock: options.clock,
      attributes: options.attributes,
      isMultipath: options.isMultipath ?? true,
      seed: this.seed,
      onUndecided: () => this.#schedule(),
      onOutcome: (row) => {
        for (const consumer of this.#consumers) consumer?.mark(row);
      },
      listener: {
        mustDecideAll: (entry) => {
          entry.mustScan = true;
          this.#mustScan();
        },
        membersChanged: (sets) => this.#membersChanged(sets),
        mustResolve: () => this.#schedule(),
      },
    });
    this.#store.sets.onFreed = (set) => {
      this.#expanding.delete(set);
      for (const consumer of this.#consumers) consumer?.options.onSetFreed?.(set);
    };
  }

  // -- Producers --------------------------------------------------------------------------------

  openSource(source: RouteSource): AdjRibIn & { readonly staleCount: number } {
    return this.#open(source);
  }

  openLocal(source: RouteSource & { readonly kind: 'connected' | 'static' }): LocalRoutes {
    return this.#open(source);
  }

  #open(source: RouteSource): RibSource {
    const { sources } = this.#store;
    const number = this.#freeSources.pop() ?? sources.length;
    assert(number <= sourcesMax, 'a RIB has at most 65,535 sources');
    const state: SourceState = {
      number,
      source,
      epoch: 0,
      deleteBefore: undefined,
      isClosing: false,
      routeCount: 0,
      staleCount: 0,
    };
    sources[number] = state;
    return new RibSource(this.#store, state, () => this.#mustScan());
  }

  // -- Consumers --------------------------------------------------------------------------------

  /** A new consumer first receives every existing route, in slices. */
  openConsumer(options: ConsumerOptions): RibConsumer {
    const number = this.#consumers.indexOf(undefined);
    assert(number >= 0, 'a RIB has at most eight consumers');
    assert(
      !options.remembers || !this.#consumers.some((other) => other?.options.remembers),
      'one consumer of a RIB remembers',
    );
    const consumer = new RibConsumer(this.#store, number, options, {
      onSweep: () => this.#schedule(),
      onDrained: () => {
        if (this.#isSparse) this.#schedule();
      },
      onClosed: () => {
        this.#consumers[number] = undefined;
      },
    });
    this.#consumers[number] = consumer;
    consumer.refresh();
    return consumer;
  }

  /** Members of a set that a change named. */
  members(set: NextHopSetId): readonly NextHop[] {
    return this.#store.sets.members(set);
  }

  // -- Status -----------------------------------------------------------------------------------

  /** Prefixes with a route in use. */
  get routeCount(): number {
    return this.#store.kindCounts[1]! + this.learnedCount;
  }

  /** Those of static and BGP routes: what a mirror holds. */
  get learnedCount(): number {
    return this.#store.kindCounts[2]! + this.#store.kindCounts[3]!;
  }

  /** Rows, paths, next hops and sets in memory: all 0 when everything has closed. */
  get usage(): { prefixes: number; paths: number; nextHops: number; sets: number; bytes: number } {
    const { prefixes, paths, nextHops, sets, undecided } = this.#store;
    return {
      prefixes: prefixes.count,
      paths: paths.count,
      nextHops: nextHops.count,
      sets: sets.count,
      bytes: prefixes.bytes + paths.bytes + undecided.bytes,
    };
  }

  /** Whether outcomes may still change without anything new coming in. */
  get isPending(): boolean {
    if (this.#consumers.some((consumer) => consumer?.isSweeping)) return true;
    const { undecided, nextHops } = this.#store;
    const isBusy = undecided.count > 0 || nextHops.unresolvedCount > 0;
    return isBusy || !this.#scanLap.isDone || this.#expanding.size > 0;
  }

  lookup(address: Ipv4, length: number): RouteView | undefined {
    const row = this.#store.prefixes.find(address, length);
    return row === 0 ? undefined : this.#view(row);
  }

  /** @param accept - others are passed over for the next shorter one; default: all will do */
  longestMatch(address: Ipv4, accept?: (route: RouteView) => boolean): RouteView | undefined {
    const row = this.#store.prefixes.longestMatch(address, (found) => {
      const route = this.#view(found);
      return route !== undefined && (accept === undefined || accept(route));
    });
    return row === 0 ? undefined : this.#view(row);
  }

  /** Every path to a prefix, with why it lost. */
  candidates(address: Ipv4, length: number): readonly PathView[] {
    const row = this.#store.prefixes.find(address, length);
    if (row === 0) return [];
    const { paths, sources, nextHops } = this.#store;
    const { paths: candidates, decision } = this.#store.decisionOf(row);
    return candidates.map((path, i) => {
      const state = sources[paths.sourceOf(path)]!;
      const nextHop = nextHops.get(paths.nextHopOf(path));
      const attributes = paths.attributesOf(path);
      return {
        source: state.source,
        attributes: attributes === 0 ? undefined : this.attributes.get(attributes),
        nextHop: nextHop.address,
        members: nextHop.members,
        isBest: decision.best === i,
        isUsed: decision.multipath.includes(i),
        isStale: paths.epochOf(path) !== state.epoch,
        reason: decision.reasons[i],
      };
    });
  }

  /** All prefixes with a route, in printing order, a slice at a time. Close it. */
  openListing(): RouteListing {
    this.#collecting += 1;
    return new RouteListing(this.#store.prefixes, () => {
      this.#collecting -= 1;
      if (this.#isSparse) this.#schedule();
    });
  }

  #view(row: number): RouteView | undefined {
    const { prefixes } = this.#store;
    const kind = rowKinds[prefixes.kindOf(row)];
    if (kind === undefined) return undefined;
    return {
      address: prefixes.addressOf(row),
      length: prefixes.lengthOf(row),
      kind,
      nextHops: this.members(prefixes.setOf(row)),
    };
  }

  // -- Work -------------------------------------------------------------------------------------

  get #isSparse(): boolean {
    return this.#store.prefixes.isSparse || this.#store.paths.isSparse;
  }

  #schedule(): void {
    this.#queue.add(this);
  }

  /** A step of each kind of work that there is. */
  work(): boolean {
    this.#scan();
    this.#decide();
    this.#store.nextHops.resolveSome();
    this.#expand();
    for (const consumer of this.#consumers) {
      if (consumer?.isSweeping) consumer.sweep(rowsPerSweep);
    }
    for (const consumer of this.#consumers) consumer?.signal();
    if (this.isPending || !this.#compact()) return true;
    for (const consumer of this.#consumers) consumer?.options.onIdle?.();
    this.#onIdle();
    return false;
  }

  #decide(): void {
    const { undecided } = this.#store;
    for (let i = 0; i < rowsPerStep && undecided.count > 0; i += 1) {
      this.#store.decideRow(undecided.shift());
    }
  }

  /** Starts a scan of all paths, or extends the one under way so that it visits each path once more. */
  #mustScan(): void {
    this.#scanLap.begin();
    this.#schedule();
  }

  #scan(): void {
    if (this.#scanLap.isDone) return;
    const { paths, nextHops, sources } = this.#store;
    this.#scanLap.run(paths, pathsPerStep, (path) => {
      const source = sources[paths.sourceOf(path)]!;
      if (mustDelete(source, paths.epochOf(path))) this.#store.removePath(path);
      else if (nextHops.get(paths.nextHopOf(path)).mustScan) {
        this.#store.markUndecided(paths.rowOf(path));
      }
    });
    if (this.#scanLap.isDone) this.#endScan();
  }

  #endScan(): void {
    const { sources, nextHops } = this.#store;
    nextHops.endScan();
    for (const state of sources) {
      if (state === undefined) continue;
      state.deleteBefore = undefined;
      if (!state.isClosing) continue;
      assert(state.routeCount === 0, 'a closed source keeps no route');
      sources[state.number] = undefined;
      this.#freeSources.push(state.number);
    }
  }

  #membersChanged(sets: ReadonlySet<NextHopSetId>): void {
    for (const consumer of this.#consumers) {
      if (consumer === undefined) continue;
      for (const set of sets) consumer.options.onSetChanged?.(set, this.members(set));
      if (!consumer.options.isExpanded) continue;
      for (const set of sets) this.#expanding.add(set);
      this.#expandLap.begin();
      this.#schedule();
    }
  }

  #expand(): void {
    if (this.#expanding.size === 0) return;
    const { prefixes } = this.#store;
    this.#expandLap.run(prefixes, rowsPerSweep, (row) => {
      if (!this.#expanding.has(prefixes.setOf(row))) return;
      for (const consumer of this.#consumers) if (consumer?.options.isExpanded) consumer.mark(row);
    });
    if (this.#expandLap.isDone) this.#expanding.clear();
  }

  /** @returns true when there is nothing to do, or when it must wait for those who hold rows */
  #compact(): boolean {
    if (!this.#isSparse || this.#collecting > 0) return true;
    if (this.#consumers.some((consumer) => consumer && consumer.pendingCount > 0)) return true;
    return this.#store.compact(rowsPerStep);
  }
}
