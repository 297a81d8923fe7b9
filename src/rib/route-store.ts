// SPDX-License-Identifier: Apache-2.0
/**
 * What a RIB holds, and the two things that happen to it: a path changes, a prefix is decided.
 *
 *   PrefixTable ──▶ PathTable ──▶ NextHopTable
 *        │              └───────▶ InternedAttributes
 *        └──▶ NextHopSets (the outcome: what the best paths lead to)
 *
 * A changed path only puts its prefix into the queue of the undecided; rib.ts decides them in slices.
 * An outcome is a set of next hops and the kind of the best path; consumers are notified when it changes.
 */
import { assert } from '../lib/assert.ts';
import type { Clock } from '../lib/clock.ts';
import { type Ipv4, maskOf } from '../net/ipv4.ts';
import type { DecisionFields, InternedAttributes } from './attributes.ts';
import { type Candidate, type Decision, decide, type IneligibleReason } from './decision.ts';
import { type NextHopListener, NextHopTable, prefixKey } from './next-hop.ts';
import { NextHopSets } from './next-hop-set.ts';
import { PathTable } from './path-table.ts';
import { dirtyForAny, PrefixTable, rowKinds, undecided } from './prefix-table.ts';
import type { AttributesId, NextHopSetId, RouteSource } from './route.ts';
import { RowQueue } from './row-queue.ts';

/** One producer. */
export interface SourceState {
  readonly number: number;
  readonly source: RouteSource;
  /** Rises when all its routes become stale. */
  epoch: number;
  /** Paths of an earlier epoch are to be removed; undefined: none are. */
  deleteBefore: number | undefined;
  isClosing: boolean;
  routeCount: number;
  staleCount: number;
}

/** Whether a path of an epoch is to be removed. */
export function mustDelete(state: SourceState, epoch: number): boolean {
  if (state.isClosing) return true;
  if (state.deleteBefore === undefined) return false;
  return ((state.epoch - epoch) & 0xffff) > ((state.epoch - state.deleteBefore) & 0xffff);
}

type MutableCandidate = { -readonly [Key in keyof Candidate]: Candidate[Key] };

const noFields: DecisionFields = {
  localPref: 0,
  asPathLength: 0,
  origin: 0,
  med: 0,
  neighborAs: 0,
  originatorId: 0,
  clusterCount: 0,
  priority: 0,
};

export class RouteStore {
  readonly prefixes: PrefixTable;
  readonly paths = new PathTable();
  readonly nextHops: NextHopTable;
  readonly sets: NextHopSets;
  readonly attributes: InternedAttributes;
  readonly undecided = new RowQueue();
  /** By number. */
  readonly sources: (SourceState | undefined)[] = [undefined];
  /** Prefixes whose best path is of each kind. */
  readonly kindCounts = new Int32Array(rowKinds.length);
  readonly #isMultipath: boolean;
  readonly #onUndecided: () => void;
  readonly #onOutcome: (row: number) => void;
  // Reused from decision to decision.
  readonly #candidates: MutableCandidate[] = [];

  constructor(options: {
    readonly clock: Clock;
    readonly attributes: InternedAttributes;
    readonly isMultipath: boolean;
    readonly seed: number;
    readonly onUndecided: () => void;
    readonly onOutcome: (row: number) => void;
    readonly listener: Omit<NextHopListener, 'mustDecide'>;
  }) {
    this.attributes = options.attributes;
    this.#isMultipath = options.isMultipath;
    this.#onUndecided = options.onUndecided;
    this.#onOutcome = options.onOutcome;
    this.prefixes = new PrefixTable(options.seed);
    const nextHopsOf = (set: NextHopSetId) => this.sets.nextHopsOf(set);
    this.nextHops = new NextHopTable(options.clock, this.prefixes, nextHopsOf, {
      ...options.listener,
      mustDecide: (key) => {
        const row = this.prefixes.find(Math.floor(key / 64), key % 64);
        if (row !== 0) this.markUndecided(row);
      },
      membersChanged: (sets) => {
        this.sets.forgetMembers(sets);
        options.listener.membersChanged(sets);
      },
    });
    this.sets = new NextHopSets(this.nextHops);
  }

  /** Adds or replaces the path of a source. @param attributes - 0: none (a local route) */
  put(
    source: SourceState,
    address: Ipv4,
    length: number,
    attributes: AttributesId,
    nextHop: number,
  ): void {
    assert((address & maskOf(length)) >>> 0 === address, 'a prefix has no host bits');
    const { paths, prefixes } = this;
    const row = prefixes.find(address, length) || prefixes.add(address, length);
    let path = this.#pathBy(row, source.number);
    if (path !== 0) {
      if (paths.epochOf(path) !== source.epoch) {
        source.staleCount -= 1;
        paths.putOrigin(path, source.number, source.epoch);
      }
      if (paths.attributesOf(path) === attributes && paths.nextHopOf(path) === nextHop) return;
    }
    this.nextHops.retain(nextHop);
    if (attributes !== 0) this.attributes.retain(attributes);
    if (path !== 0) {
      this.#dropReferences(path);
    } else {
      path = paths.allocate();
      paths.putRow(path, row);
      paths.putNext(path, prefixes.pathOf(row));
      paths.putOrigin(path, source.number, source.epoch);
      prefixes.putPath(row, path);
      source.routeCount += 1;
    }
    paths.putRoute(path, attributes, nextHop);
    this.markUndecided(row);
  }

  drop(source: SourceState, address: Ipv4, length: number): void {
    const row = this.prefixes.find(address, length);
    const path = row === 0 ? 0 : this.#pathBy(row, source.number);
    if (path !== 0) this.removePath(path);
  }

  removePath(path: number): void {
    const { paths } = this;
    const row = paths.rowOf(path);
    const source = this.sources[paths.sourceOf(path)]!;
    source.routeCount -= 1;
    if (paths.epochOf(path) !== source.epoch) source.staleCount -= 1;
    this.#relink(row, path, paths.nextOf(path));
    this.#dropReferences(path);
    paths.release(path);
    this.markUndecided(row);
  }

  markUndecided(row: number): void {
    if (this.prefixes.has(row, undecided)) return;
    this.prefixes.raise(row, undecided);
    this.undecided.push(row);
    if (this.undecided.count === 1) this.#onUndecided();
  }

  /** Decides a row that was shifted from `undecided`. */
  decideRow(row: number): void {
    const { paths, prefixes } = this;
    prefixes.lower(row, undecided);
    const path = prefixes.pathOf(row);
    if (path === 0) {
      this.#setOutcome(row, 0, 0);
    } else if (paths.nextOf(path) === 0) {
      const nextHop = paths.nextHopOf(path);
      if (this.#ineligible(row, nextHop) !== undefined) this.#setOutcome(row, 0, 0);
      else this.#setOutcome(row, this.sets.intern([nextHop]), this.#kindOf(path));
    } else {
      const { best, multipath } = this.decisionOf(row).decision;
      const candidates = this.#candidates;
      if (best < 0) this.#setOutcome(row, 0, 0);
      else {
        const nextHops = multipath.map((i) => candidates[i]!.nextHop).sort((a, b) => a - b);
        this.#setOutcome(row, this.sets.intern(nextHops), rowKinds.indexOf(candidates[best]!.kind));
      }
    }
    this.releaseIfEmpty(row);
  }

  /** The decision with its reasons, and the paths in the order of the candidates. */
  decisionOf(row: number): { paths: number[]; decision: Decision } {
    const paths: number[] = [];
    let path = this.prefixes.pathOf(row);
    for (; path !== 0; path = this.paths.nextOf(path)) {
      this.#fillCandidate(paths.length, row, path);
      paths.push(path);
    }
    return { paths, decision: decide(this.#candidates, paths.length, this.#isMultipath) };
  }

  /** Gives a row back that holds nothing and that no queue names. */
  releaseIfEmpty(row: number): void {
    const { prefixes } = this;
    if (prefixes.pathOf(row) !== 0 || prefixes.setOf(row) !== 0) return;
    if (prefixes.deliveredOf(row) !== 0) return;
    if (prefixes.has(row, undecided | dirtyForAny)) return;
    prefixes.remove(row);
  }

  /** Moves records towards the front of their tables. @returns true when nothing is left to do */
  compact(movesMax: number): boolean {
    const { paths, prefixes } = this;
    const arePathsDone = paths.compact(movesMax, (from, to) => {
      this.#relink(paths.rowOf(to), from, to);
    });
    const arePrefixesDone = prefixes.compact(movesMax, (from, to) => {
      prefixes.moved(from, to);
      let path = prefixes.pathOf(to);
      for (; path !== 0; path = paths.nextOf(path)) paths.putRow(path, to);
    });
    return arePathsDone && arePrefixesDone;
  }

  #setOutcome(row: number, set: NextHopSetId, kind: number): void {
    const { prefixes } = this;
    const before = prefixes.setOf(row);
    const kindBefore = prefixes.kindOf(row);
    if (set === before && kind === kindBefore) return;
    if (set !== 0) this.sets.retain(set);
    prefixes.putOutcome(row, set, kind);
    this.kindCounts[kindBefore]! -= 1;
    this.kindCounts[kind]! += 1;
    if (before !== 0) this.sets.release(before);
    this.#onOutcome(row);
    this.nextHops.prefixChanged(prefixes.addressOf(row), prefixes.lengthOf(row));
  }

  #pathBy(row: number, source: number): number {
    const { paths } = this;
    let path = this.prefixes.pathOf(row);
    while (path !== 0 && paths.sourceOf(path) !== source) path = paths.nextOf(path);
    return path;
  }

  /** Makes whatever names `path` in a row's list name `other` instead. */
  #relink(row: number, path: number, other: number): void {
    const { paths, prefixes } = this;
    let before = prefixes.pathOf(row);
    if (before === path) {
      prefixes.putPath(row, other);
      return;
    }
    while (paths.nextOf(before) !== path) before = paths.nextOf(before);
    paths.putNext(before, other);
  }

  #dropReferences(path: number): void {
    const attributes = this.paths.attributesOf(path);
    this.nextHops.release(this.paths.nextHopOf(path));
    if (attributes !== 0) this.attributes.release(attributes);
  }

  #kindOf(path: number): number {
    return rowKinds.indexOf(this.sources[this.paths.sourceOf(path)]!.source.kind);
  }

  #ineligible(row: number, nextHop: number): IneligibleReason | undefined {
    const entry = this.nextHops.get(nextHop);
    if (entry.members.length === 0) {
      return entry.interface === undefined && entry.address === 0
        ? 'no-next-hop'
        : 'next-hop-unreachable';
    }
    if (entry.chain.length === 0) return undefined;
    const key = prefixKey(this.prefixes.addressOf(row), this.prefixes.lengthOf(row));
    return entry.chain.includes(key) ? 'next-hop-in-prefix' : undefined;
  }

  #fillCandidate(index: number, row: number, path: number): void {
    const { source } = this.sources[this.paths.sourceOf(path)]!;
    const nextHop = this.paths.nextHopOf(path);
    this.#candidates[index] ??= { ...noFields } as MutableCandidate;
    const candidate = this.#candidates[index];
    const attributes = this.paths.attributesOf(path);
    if (attributes === 0) Object.assign(candidate, noFields);
    else this.attributes.read(attributes, candidate);
    candidate.ineligible = this.#ineligible(row, nextHop);
    candidate.kind = source.kind;
    candidate.isExternal = source.bgp?.isExternal ?? false;
    candidate.metric = this.nextHops.get(nextHop).metric;
    candidate.remoteId = source.bgp?.remoteId ?? 0;
    candidate.remoteAddress = source.bgp?.remoteAddress ?? 0;
    candidate.name = source.name;
    candidate.nextHop = nextHop;
  }
}
