// SPDX-License-Identifier: Apache-2.0
/**
 * Picks the best of several paths to one prefix, and says of every other why it lost.
 *
 * RFC 4271 §9.1.2.2, as steps that each remove from what the step before left. Before them stand our
 * own: connected before static before BGP, the operator's priority, and LOCAL_PREF (§9.1.1). After
 * them, RFC 4456 §9: ORIGINATOR_ID takes the place of the BGP Identifier, then CLUSTER_LIST.
 *
 *   1 source-kind      5 origin            9 router-id
 *   2 priority         6 med              10 cluster-list
 *   3 local-pref       7 ebgp-over-ibgp   11 neighbor-address
 *   4 as-path-length   8 igp-metric       12 source-name
 *
 * MED is compared only between paths by the same neighboring AS; a missing one is 0, the best. Since
 * every step compares all paths that are left, the outcome does not depend on the order in which
 * they arrived (which it does where paths are compared two by two). There is no step "oldest".
 *
 * What is left after step 8 is equally good: with multipath, those of distinct next hops share the
 * traffic. Connected routes never do, since a host is on one link only.
 */
import { assert } from '../lib/assert.ts';
import type { Ipv4 } from '../net/ipv4.ts';
import type { DecisionFields } from './attributes.ts';
import type { RouteSource } from './route.ts';

/** EGRET_GROUP_PATHS_MAX. */
export const multipathMax = 16;

/** Why a path takes no part (RFC 4271 §9.1.2). */
export type IneligibleReason =
  /** It has no next hop. */
  | 'no-next-hop'
  /** No route leads to its next hop. */
  | 'next-hop-unreachable'
  /** Its next hop is reached by the prefix itself. */
  | 'next-hop-in-prefix';

export type LostReason = (typeof steps)[number]['reason'];

/** What the process compares; fields of kind bgp are 0 for others. */
export interface Candidate extends Readonly<DecisionFields> {
  readonly ineligible: IneligibleReason | undefined;
  readonly kind: RouteSource['kind'];
  readonly isExternal: boolean;
  /** Recursions to the next hop. */
  readonly metric: number;
  /** BGP Identifier of the neighbor. */
  readonly remoteId: Ipv4;
  readonly remoteAddress: Ipv4;
  readonly name: string;
  /** Number of the next hop. */
  readonly nextHop: number;
}

export interface Decision {
  /** Index of the best candidate; -1: none is eligible. */
  readonly best: number;
  /** Indexes of those that share the traffic, the best first. */
  readonly multipath: readonly number[];
  /** For each candidate: why not the best; undefined: it is the best or shares. */
  readonly reasons: readonly (IneligibleReason | LostReason | undefined)[];
}

const kinds: readonly RouteSource['kind'][] = ['connected', 'static', 'bgp'];

// Lower is better in every step.
const steps = [
  { reason: 'source-kind', rank: (c: Candidate) => kinds.indexOf(c.kind) },
  { reason: 'priority', rank: (c: Candidate) => c.priority },
  { reason: 'local-pref', rank: (c: Candidate) => -c.localPref },
  { reason: 'as-path-length', rank: (c: Candidate) => c.asPathLength },
  { reason: 'origin', rank: (c: Candidate) => c.origin },
  { reason: 'med', rank: undefined },
  { reason: 'ebgp-over-ibgp', rank: (c: Candidate) => (c.isExternal ? 0 : 1) },
  { reason: 'igp-metric', rank: (c: Candidate) => c.metric },
  { reason: 'router-id', rank: (c: Candidate) => c.originatorId || c.remoteId },
  { reason: 'cluster-list', rank: (c: Candidate) => c.clusterCount },
  { reason: 'neighbor-address', rank: (c: Candidate) => c.remoteAddress },
  { reason: 'source-name', rank: undefined },
] as const satisfies readonly {
  reason: string;
  rank: ((c: Candidate) => number) | undefined;
}[];

const equalAfter = steps.findIndex((step) => step.reason === 'igp-metric');

/**
 * @param candidates - the first `count` of them are paths to one prefix; the rest is not read
 * @param isMultipath - whether equally good paths share the traffic
 */
export function decide(
  candidates: readonly Candidate[],
  count: number,
  isMultipath: boolean,
): Decision {
  const reasons: (IneligibleReason | LostReason | undefined)[] = [];
  let left: number[] = [];
  for (let i = 0; i < count; i += 1) {
    reasons.push(candidates[i]!.ineligible);
    if (candidates[i]!.ineligible === undefined) left.push(i);
  }
  if (left.length === 0) return { best: -1, multipath: [], reasons };
  let equal = left;
  for (let number = 0; number < steps.length && left.length > 1; number += 1) {
    const step = steps[number]!;
    const stays =
      step.reason === 'med'
        ? keepLowestMed(candidates, left)
        : step.reason === 'source-name'
          ? keepFirstName(candidates, left)
          : keepLowest(candidates, left, step.rank);
    if (stays.length < left.length) {
      for (const i of left) if (!stays.includes(i)) reasons[i] = step.reason;
      left = stays;
    }
    if (number <= equalAfter) equal = left;
  }
  assert(left.length === 1, 'the last step leaves one');
  const best = left[0]!;
  if (equal.length === 1 || !isMultipath || candidates[best]!.kind === 'connected') {
    return { best, multipath: [best], reasons };
  }
  const multipath = chooseShares(candidates, equal);
  for (const i of multipath) reasons[i] = undefined;
  return { best, multipath, reasons };
}

function keepLowest(
  candidates: readonly Candidate[],
  left: number[],
  rank: (candidate: Candidate) => number,
): number[] {
  let lowest = Number.POSITIVE_INFINITY;
  let isSame = true;
  for (const i of left) {
    const value = rank(candidates[i]!);
    if (lowest !== Number.POSITIVE_INFINITY && value !== lowest) isSame = false;
    if (value < lowest) lowest = value;
  }
  return isSame ? left : left.filter((i) => rank(candidates[i]!) === lowest);
}

/** RFC 4271 §9.1.2.2 c: a path falls to a lower MED by the same neighboring AS. */
function keepLowestMed(candidates: readonly Candidate[], left: number[]): number[] {
  return left.filter((i) => {
    const { neighborAs, med } = candidates[i]!;
    return !left.some((j) => candidates[j]!.neighborAs === neighborAs && candidates[j]!.med < med);
  });
}

function keepFirstName(candidates: readonly Candidate[], left: number[]): number[] {
  let first = left[0]!;
  for (const i of left) if (candidates[i]!.name < candidates[first]!.name) first = i;
  return [first];
}

/** The best of the equally good by steps 9 to 12, one of each next hop, at most `multipathMax`. */
function chooseShares(candidates: readonly Candidate[], equal: readonly number[]): number[] {
  const shares: number[] = [];
  for (const i of equal.toSorted((a, b) => compareTies(candidates[a]!, candidates[b]!))) {
    if (shares.some((j) => candidates[j]!.nextHop === candidates[i]!.nextHop)) continue;
    shares.push(i);
    if (shares.length === multipathMax) break;
  }
  return shares;
}

function compareTies(a: Candidate, b: Candidate): number {
  for (const step of steps.slice(equalAfter + 1)) {
    const difference =
      step.rank === undefined ? compareNames(a.name, b.name) : step.rank(a) - step.rank(b);
    if (difference !== 0) return difference;
  }
  return 0;
}

const compareNames = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
