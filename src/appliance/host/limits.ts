// SPDX-License-Identifier: Apache-2.0
/**
 * How large the arena is made for a Model, and whether a later Model fits into it. It is made with room
 * to grow, and never larger while a forwarder has it mapped.
 */
import { isDeepStrictEqual } from 'node:util';
import { type ArenaDataPlane, arenaBytes, type Limits } from '../../dataplane/arena.ts';
import { EgretError } from '../../lib/errors.ts';
import { gatewayKey } from '../../model/gateway-key.ts';
import type { Model } from '../../model/model.ts';
import { fibShares, pliesReserved } from '../vrf/fib-shares.ts';

/**
 * A FIB ply of 1 KiB holds the prefixes of one /16 (or one /24, when longer ones exist). Real tables
 * need one for 35 prefixes; evenly scattered ones one for 16.
 */
const routesPerPly = 16;

/** Of any arena. */
export const networksMax = 256;

/** Room for what may come by SIGHUP: the plan's rows are small, some 40 bytes a client. */
const clientsMin = 65_536;
const rulesMin = 16_384;
const ruleAddressesMin = 65_536;

/** Room when the Appliance names none, on a box with memory for it. */
const sessionsDefault = 1_000_000;
const routesDefault = 2_000_000;
/** And on a box with hardly any. */
const sessionsMin = 4_096;
const routesMin = 16_384;
/** The share of the shared memory that an arena takes when the Appliance names no room. */
const sharedShare = 1 / 4;

/**
 * The limits of a new arena. What the Appliance names is reserved as it says; what it does not name
 * follows the machine.
 *
 * @param sharedBytes - size of the file system that the arena lies on
 */
export function limitsFor(model: Model, sharedBytes: number): Limits {
  const { sessions, routes } = model.appliance.limits;
  const scaled = (share: number): Limits =>
    limitsOf(
      model,
      sessions ?? Math.max(sessionsMin, Math.floor(sessionsDefault * share)),
      routes ?? Math.max(routesMin, Math.floor(routesDefault * share)),
    );
  if (sessions !== undefined && routes !== undefined) return scaled(1);
  const fitsIn = (share: number): boolean => arenaBytes(scaled(share)) <= sharedBytes * sharedShare;
  if (fitsIn(1)) return scaled(1);
  let [low, high] = [0, 1];
  for (let step = 0; step < shareSteps; step += 1) {
    const middle = (low + high) / 2;
    if (fitsIn(middle)) low = middle;
    else high = middle;
  }
  return scaled(low);
}

/** Of the search for a share that fits: to one in a thousand. */
const shareSteps = 10;

function limitsOf(model: Model, sessions: number, routes: number): Limits {
  const needs = needsOf(model);
  return {
    sessions,
    // Quarantined bindings (RFC 6888 REQ-8) outlive their sessions.
    bindings: sessions + Math.ceil(sessions / 4),
    networks: Math.min(networksMax, 2 * (needs.networks + 7)),
    plies: Math.max(1024, Math.ceil(routes / routesPerPly)) + pliesReserved(model),
    groups: 16_384,
    neighbors: 16_384,
    clients: Math.max(clientsMin, 2 * needs.clients),
    rules: Math.max(rulesMin, 2 * needs.rules),
    rule_addresses: Math.max(ruleAddressesMin, 2 * needs.rule_addresses),
  };
}

type Needs = Pick<Limits, 'networks' | 'clients' | 'rules' | 'rule_addresses'>;

/** What a Model takes of an arena. */
function needsOf(model: Model): Needs {
  const rules = model.policies.flatMap((policy) => policy.rules);
  const replicas = new Map(model.gateways.map((row) => [gatewayKey(row), row.replicas]));
  const addressesOf = ({ action }: (typeof rules)[number]): number =>
    action.kind === 'main' ? 0 : sum(action.gateways.map((key) => replicas.get(key) ?? 0));
  return {
    networks: 1 + model.networks.length,
    clients: sum(model.clients.map(({ prefixes }) => prefixes.length)),
    rules: rules.length,
    rule_addresses: sum(rules.map(addressesOf)),
  };
}

const sum = (counts: readonly number[]): number => counts.reduce((n, count) => n + count, 0);

/** Whether an arena of these limits has room for a Model. */
export function fits(model: Model, limits: Limits): boolean {
  return shortages(model, limits).length === 0;
}

function shortages(model: Model, limits: Limits): (keyof Needs)[] {
  const needs = needsOf(model);
  return (Object.keys(needs) as (keyof Needs)[]).filter((name) => needs[name] > limits[name]);
}

/**
 * Gives the Model's networks their slots, which they keep as long as the arena exists, and their shares
 * of the FIB.
 *
 * @throws EgretError ARENA_TOO_SMALL; nothing of the Model may be taken up then
 */
export function takeRoom(model: Model, dataPlane: ArenaDataPlane): void {
  const [shortage] = shortages(model, dataPlane.limits);
  const tooSmall = (name: keyof Needs, cause?: unknown): EgretError => {
    const room = dataPlane.limits[name];
    return new EgretError('ARENA_TOO_SMALL', { what: name.replace('_', ' '), room }, { cause });
  };
  if (shortage !== undefined) throw tooSmall(shortage);
  try {
    for (const network of model.networks) dataPlane.networkSlot(network.routeTableIndex);
  } catch (cause) {
    // Networks that were removed keep theirs: sessions may still name them.
    throw tooSmall('networks', cause);
  }
  dataPlane.sharePlies(fibShares(model, dataPlane.limits));
}

/** Whether takeRoom would succeed. Slots that it takes are kept. */
export function hasRoom(model: Model, dataPlane: ArenaDataPlane): boolean {
  try {
    takeRoom(model, dataPlane);
    return true;
  } catch (error) {
    if (error instanceof EgretError && error.code === 'ARENA_TOO_SMALL') return false;
    throw error;
  }
}

/** What a new Model changes of what is fixed while egretd runs. */
export function restartReasons(before: Model, after: Model): string[] {
  const fixed = ({ networks, appliance }: Model): Record<string, unknown> => ({
    limits: appliance.limits,
    'routes of networks': pliesReserved({ networks }),
    'routes.protocol': appliance.mirror.protocol,
  });
  const [was, is] = [fixed(before), fixed(after)];
  return Object.keys(is).filter((name) => !isDeepStrictEqual(was[name], is[name]));
}
