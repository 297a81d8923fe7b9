// SPDX-License-Identifier: Apache-2.0
/**
 * What a plan that is not in use yet would decide: client, rule and gateway address of a packet, as the
 * data plane does it (native/plan/plan.c, decide.c; a test compares them), and whether a session that
 * there is would be allowed to go on (native/pipeline/session_decide.c, without routes).
 *
 * For what-ifs only: an answer takes microseconds, and packets are decided elsewhere.
 */
import { type Ipv4, maskOf, prefixHolds } from '../net/ipv4.ts';
import type { EgressPlan, PlanAddress, PlanClient, PlanRule } from './plan.ts';

export interface DecidedSession {
  readonly inside: Ipv4;
  readonly outside: Ipv4;
  readonly remote: Ipv4;
  /** Route table index of its network; undefined: the main table. */
  readonly table: number | undefined;
}

/** Why a session ends; undefined: it stays. */
export type EndReason =
  | 'its client is none any more'
  | 'its policy has no rule for it'
  | 'its gateway or address is another'
  | 'its gateway leaves its network';

export class PlanDecider {
  readonly #plan: EgressPlan;
  /** By length, longest first. */
  readonly #clients: readonly (readonly [number, ReadonlyMap<Ipv4, PlanClient>])[];
  readonly #addresses: ReadonlyMap<Ipv4, PlanAddress>;
  /** Sessions of a client mostly have the same rule: the choice depends on both alone. */
  readonly #chosen = new Map<PlanRule, Map<Ipv4, PlanAddress | undefined>>();

  constructor(plan: EgressPlan) {
    this.#plan = plan;
    const byLength = Map.groupBy(plan.clients, ({ prefix }) => prefix.length);
    this.#clients = [...byLength]
      .sort(([a], [b]) => b - a)
      .map(([length, rows]) => [length, new Map(rows.map((row) => [row.prefix.address, row]))]);
    this.#addresses = new Map(plan.addresses.map((row) => [row.address, row]));
  }

  /** The most specific client that a source belongs to; a hole in a prefix is none. */
  clientOf(source: Ipv4): PlanClient | undefined {
    for (const [length, rows] of this.#clients) {
      const found = rows.get((source & maskOf(length)) >>> 0);
      if (found) return found.identity === undefined ? undefined : found;
    }
    return undefined;
  }

  /** The gateway address of a first packet. */
  addressFor(source: Ipv4, destination: Ipv4): Ipv4 | undefined {
    const client = this.clientOf(source);
    const rule = client && this.#ruleOf(client, destination);
    return rule?.action === 'gateway' ? this.#choose(client!, rule, source)?.address : undefined;
  }

  /** Whether a session ends when this plan comes into use. */
  endOf({ inside, outside, remote, table }: DecidedSession): EndReason | undefined {
    const client = this.clientOf(inside);
    if (!client) return 'its client is none any more';
    const rule = this.#ruleOf(client, remote);
    if (!rule) return 'its policy has no rule for it';
    const address = this.#addresses.get(outside);
    if (!address || rule.action !== 'gateway') return 'its gateway or address is another';
    const isHome =
      table === undefined ? address.networks.length === 0 : address.networks.includes(table);
    if (!isHome) return 'its gateway leaves its network';
    const chosen = this.#choose(client, rule, inside);
    // Without a ready address, sessions wait for the one that they have.
    const isSame = chosen ? chosen.address === outside : !address.isReady;
    return isSame ? undefined : 'its gateway or address is another';
  }

  #ruleOf(client: PlanClient, destination: Ipv4): PlanRule | undefined {
    const policy = client.policy === undefined ? undefined : this.#plan.policies[client.policy];
    return policy?.rules.find((rule) => prefixHolds(rule.destination, destination));
  }

  #choose(client: PlanClient, rule: PlanRule, source: Ipv4): PlanAddress | undefined {
    const known = this.#chosen.get(rule) ?? new Map<Ipv4, PlanAddress | undefined>();
    this.#chosen.set(rule, known);
    if (!known.has(source)) known.set(source, this.#heaviest(client, rule, source));
    return known.get(source);
  }

  /** As plan_choose: the heaviest for the source, of the heaviest for the client's prefix. */
  #heaviest({ prefix }: PlanClient, rule: PlanRule, source: Ipv4): PlanAddress | undefined {
    const ready = rule.addresses
      .map((index) => this.#plan.addresses[index]!)
      .filter(({ isReady }) => isReady);
    if (ready.length <= 1) return ready[0];
    const key = (BigInt(prefix.length) << 32n) | BigInt(prefix.address);
    const kept = rule.maxNextHops > 0 ? heaviestFirst(ready, key) : ready;
    const candidates = rule.maxNextHops > 0 ? kept.slice(0, rule.maxNextHops) : kept;
    return heaviestFirst(candidates, BigInt(source))[0];
  }
}

/** Equal weights go by address. */
function heaviestFirst(rows: readonly PlanAddress[], key: bigint): PlanAddress[] {
  const weights = new Map(rows.map((row) => [row, weightOf(key, row.address)]));
  return [...rows].sort((a, b) => {
    const [one, other] = [weights.get(a)!, weights.get(b)!];
    return one === other ? a.address - b.address : one > other ? -1 : 1;
  });
}

const mask64 = (1n << 64n) - 1n;

/** `weight` of native/plan/plan.c. */
function weightOf(key: bigint, address: Ipv4): bigint {
  const number = BigInt(address);
  let hash = ((key ^ (number << 32n)) + 0x9e3779b97f4a7c15n + number) & mask64;
  hash = ((hash ^ (hash >> 30n)) * 0xbf58476d1ce4e5b9n) & mask64;
  hash = ((hash ^ (hash >> 27n)) * 0x94d049bb133111ebn) & mask64;
  return hash ^ (hash >> 31n);
}
