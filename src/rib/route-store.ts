/**
 * What a RIB holds, and the two things that happen to it: a path changes, a prefix is decided.
 *
 *   PrefixTable ──▶ PathTable ──▶ NextHopTable
 *        │              └───────▶ InternedAttributes
 *        └──▶ NextHopSets (the outcome: what the best paths lead to)
 *
 * A changed path only puts its prefix into the queue of the undecided; rib.ts decides them in slices.
 * An outcome is a set of next hops and the kind of the best path; consumers are told when it changes.
 */
import { assert } from '../lib/assert.ts';
import type { Clock } from '../lib/clock.ts';
import { type Ipv4, maskOf } from '../net/ipv4.ts';
import type { DecisionFields, InternedAttributes } from './attributes.ts';
import { type Candidate, type Decision, decide, type IneligibleReason } from './decision.ts';
import { type NextHopListener, NextHopTable, prefixKey } from './next-hop.ts';
import { NextHopSets } from './next-hop-set.ts';
import {
  epochOf,
  originOf,
  PathTable,
  pathAttributes,
  pathNext,
  pathNextHop,
  pathOrigin,
  pathRow,
  pathWords,
  sourceOf,
} from './path-table.ts';
import {
  metaDirty,
  metaKind,
  metaKindShift,
  metaLength,
  metaUndecided,
  PrefixTable,
  rowAddress,
  rowDelivered,
  rowMeta,
  rowPaths,
  rowSet,
  rowWords,
} from './prefix-table.ts';
import type { AttributesId, NextHopSetId, RouteSource } from './route.ts';
import { RowQueue } from './row-queue.ts';

/** Index is the kind as a row keeps it. */
export const rowKinds = [undefined, 'connected', 'static', 'bgp'] as const;

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
    const row = this.prefixes.find(address, length) || this.prefixes.add(address, length);
    const origin = originOf(source.number, source.epoch);
    const found = this.#pathBy(row, source.number);
    if (found !== 0) {
      const { words } = this.paths;
      const at = found * pathWords;
      if (words[at + pathOrigin] !== origin) {
        if (epochOf(words[at + pathOrigin]!) !== source.epoch) source.staleCount -= 1;
        words[at + pathOrigin] = origin;
      }
      if (words[at + pathAttributes] === attributes && words[at + pathNextHop] === nextHop) return;
      this.nextHops.retain(nextHop);
      if (attributes !== 0) this.attributes.retain(attributes);
      this.#dropReferences(found);
      words[at + pathAttributes] = attributes;
      words[at + pathNextHop] = nextHop;
    } else {
      const path = this.paths.allocate();
      const at = path * pathWords;
      const { words } = this.paths;
      const head = row * rowWords + rowPaths;
      words[at + pathRow] = row;
      words[at + pathNext] = this.prefixes.words[head]!;
      words[at + pathOrigin] = origin;
      words[at + pathAttributes] = attributes;
      words[at + pathNextHop] = nextHop;
      this.prefixes.words[head] = path;
      this.nextHops.retain(nextHop);
      if (attributes !== 0) this.attributes.retain(attributes);
      source.routeCount += 1;
    }
    this.markUndecided(row);
  }

  drop(source: SourceState, address: Ipv4, length: number): void {
    const row = this.prefixes.find(address, length);
    const path = row === 0 ? 0 : this.#pathBy(row, source.number);
    if (path !== 0) this.removePath(path);
  }

  removePath(path: number): void {
    const { words } = this.paths;
    const at = path * pathWords;
    const row = words[at + pathRow]!;
    const source = this.sources[sourceOf(words[at + pathOrigin]!)]!;
    source.routeCount -= 1;
    if (epochOf(words[at + pathOrigin]!) !== source.epoch) source.staleCount -= 1;
    this.#relink(row, path, words[at + pathNext]!);
    this.#dropReferences(path);
    this.paths.release(path);
    this.markUndecided(row);
  }

  markUndecided(row: number): void {
    const at = row * rowWords + rowMeta;
    const { words } = this.prefixes;
    if ((words[at]! & metaUndecided) !== 0) return;
    words[at]! |= metaUndecided;
    this.undecided.push(row);
    if (this.undecided.count === 1) this.#onUndecided();
  }

  /** Decides a row that was shifted from `undecided`. */
  decideRow(row: number): void {
    const { words } = this.prefixes;
    const at = row * rowWords;
    words[at + rowMeta]! &= ~metaUndecided;
    const path = words[at + rowPaths]!;
    if (path === 0) {
      this.#setOutcome(row, 0, 0);
    } else if (this.paths.words[path * pathWords + pathNext] === 0) {
      const nextHop = this.paths.words[path * pathWords + pathNextHop]!;
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
    const { words } = this.paths;
    let path = this.prefixes.words[row * rowWords + rowPaths]!;
    for (; path !== 0; path = words[path * pathWords + pathNext]!) {
      this.#fillCandidate(paths.length, row, path);
      paths.push(path);
    }
    return { paths, decision: decide(this.#candidates, paths.length, this.#isMultipath) };
  }

  /** Gives a row back that holds nothing and that no queue names. */
  releaseIfEmpty(row: number): void {
    const { words } = this.prefixes;
    const at = row * rowWords;
    if (words[at + rowPaths] !== 0 || words[at + rowSet] !== 0) return;
    if (words[at + rowDelivered] !== 0) return;
    if ((words[at + rowMeta]! & (metaUndecided | metaDirty)) !== 0) return;
    this.prefixes.remove(row);
  }

  /** Moves records towards the front of their tables. @returns true when nothing is left to do */
  compact(movesMax: number): boolean {
    const arePathsDone = this.paths.compact(movesMax, (from, to) => {
      this.#relink(this.paths.words[to * pathWords + pathRow]!, from, to);
    });
    const arePrefixesDone = this.prefixes.compact(movesMax, (from, to) => {
      this.prefixes.moved(from, to);
      const { words } = this.paths;
      let path = this.prefixes.words[to * rowWords + rowPaths]!;
      for (; path !== 0; path = words[path * pathWords + pathNext]!) {
        words[path * pathWords + pathRow] = to;
      }
    });
    return arePathsDone && arePrefixesDone;
  }

  #setOutcome(row: number, set: NextHopSetId, kind: number): void {
    const { words } = this.prefixes;
    const at = row * rowWords;
    const before = words[at + rowSet]!;
    const meta = words[at + rowMeta]!;
    const kindBefore = (meta & metaKind) >> metaKindShift;
    if (set === before && kind === kindBefore) return;
    if (set !== 0) this.sets.retain(set);
    words[at + rowSet] = set;
    words[at + rowMeta] = (meta & ~metaKind) | (kind << metaKindShift);
    this.kindCounts[kindBefore]! -= 1;
    this.kindCounts[kind]! += 1;
    if (before !== 0) this.sets.release(before);
    this.#onOutcome(row);
    this.nextHops.prefixChanged(words[at + rowAddress]! >>> 0, meta & metaLength);
  }

  #pathBy(row: number, source: number): number {
    const { words } = this.paths;
    let path = this.prefixes.words[row * rowWords + rowPaths]!;
    while (path !== 0 && sourceOf(words[path * pathWords + pathOrigin]!) !== source) {
      path = words[path * pathWords + pathNext]!;
    }
    return path;
  }

  /** Makes whatever names `path` in a row's list name `other` instead. */
  #relink(row: number, path: number, other: number): void {
    const head = row * rowWords + rowPaths;
    if (this.prefixes.words[head] === path) {
      this.prefixes.words[head] = other;
      return;
    }
    const { words } = this.paths;
    let before = this.prefixes.words[head]!;
    while (words[before * pathWords + pathNext] !== path) {
      before = words[before * pathWords + pathNext]!;
    }
    words[before * pathWords + pathNext] = other;
  }

  #dropReferences(path: number): void {
    const at = path * pathWords;
    const attributes = this.paths.words[at + pathAttributes]!;
    this.nextHops.release(this.paths.words[at + pathNextHop]!);
    if (attributes !== 0) this.attributes.release(attributes);
  }

  #kindOf(path: number): number {
    const source = this.sources[sourceOf(this.paths.words[path * pathWords + pathOrigin]!)]!;
    return rowKinds.indexOf(source.source.kind);
  }

  #ineligible(row: number, nextHop: number): IneligibleReason | undefined {
    const entry = this.nextHops.get(nextHop);
    if (entry.members.length === 0) {
      return entry.interface === undefined && entry.address === 0
        ? 'no-next-hop'
        : 'next-hop-unreachable';
    }
    if (entry.chain.length === 0) return undefined;
    const { words } = this.prefixes;
    const at = row * rowWords;
    const key = prefixKey(words[at + rowAddress]! >>> 0, words[at + rowMeta]! & metaLength);
    return entry.chain.includes(key) ? 'next-hop-in-prefix' : undefined;
  }

  #fillCandidate(index: number, row: number, path: number): void {
    const { words } = this.paths;
    const at = path * pathWords;
    const { source } = this.sources[sourceOf(words[at + pathOrigin]!)]!;
    const nextHop = words[at + pathNextHop]!;
    this.#candidates[index] ??= { ...noFields } as MutableCandidate;
    const candidate = this.#candidates[index];
    const attributes = words[at + pathAttributes]!;
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
