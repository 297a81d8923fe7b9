// SPDX-License-Identifier: Apache-2.0
/**
 * Which NAT sessions another Model would end, or stall until routes are learned again: those that are
 * in the arena now, decided by the plan that would come. Reads a thousand sessions in one step.
 */
import {
  type Effects,
  type SessionEffects,
  sessionClientsMax,
  type WhatIf,
} from '../apply/effects.ts';
import type { NatSession } from '../dataplane/dataplane.ts';
import type { AddressAssignment } from '../egress/addresses.ts';
import { PlanDecider } from '../egress/decide.ts';
import type { EgressPlan } from '../egress/plan.ts';
import { makePlan } from '../egress/planner.ts';
import { gatewayKey } from '../model/gateway-key.ts';
import type { Client, Model } from '../model/model.ts';
import { formatIpv4, type Ipv4 } from '../net/ipv4.ts';
import { type Running as EffectParts, effectsOf, type Outlook } from './effects.ts';
import { portsOf } from './host/host-view.ts';
import type { Parts } from './parts.ts';

const sessionsInStep = 1000;

type Running = Pick<Parts, 'dataPlane' | 'egress' | 'queue'>;

interface Count {
  ending: number;
  stalling: number;
}

/** @param assignment - addresses that the Model's gateways would have */
export function whatIf(
  parts: Running & EffectParts,
  before: Outlook,
  model: Model,
  assignment: AddressAssignment,
): WhatIf {
  const after = { model, ports: portsOf(model, parts.host.snapshot()), assignment };
  const effects = effectsOf(parts, before, after);
  return { effects, sessions: () => sessionEffectsOf(parts, before, after, effects) };
}

/** @param effects - of the same two Models: neighbors that it resets */
async function sessionEffectsOf(
  { dataPlane, egress, queue }: Running,
  before: Outlook,
  after: Outlook,
  effects: Effects,
): Promise<SessionEffects> {
  const readyNow = new Set(egress.readinesses.readyGateways());
  const known = new Set(before.model.gateways.map(gatewayKey));
  // A gateway that is new is judged as one that will be ready.
  const isReady = (key: string): boolean => readyNow.has(key) || !known.has(key);
  const [was, will] = [planOf(before, isReady), planOf(after, isReady)].map(
    (plan) => new PlanDecider(plan),
  ) as [PlanDecider, PlanDecider];
  const networks = new Map(
    before.model.networks.map((row) => [dataPlane.networkSlot(row.routeTableIndex), row]),
  );
  const stalled = stalledNetworks(effects);
  const counts = new Map<Ipv4, Count>();
  const reasons = new Map<string, number>();
  let total = 0;
  const judge = (session: NatSession): void => {
    total += 1;
    const network = networks.get(session.network);
    const reason = will.endOf({
      inside: session.inside.address,
      outside: session.outside.address,
      remote: session.remote.address,
      table: network?.routeTableIndex,
    });
    if (reason === undefined && !stalled.has(network?.name ?? 'main')) return;
    const count = counts.get(session.inside.address) ?? { ending: 0, stalling: 0 };
    counts.set(session.inside.address, count);
    if (reason === undefined) count.stalling += 1;
    else {
      count.ending += 1;
      reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
    }
  };
  let cursor = 0;
  for (let isLast = false; !isLast; ) {
    await queue.pause('urgent');
    const read = dataPlane.readSessions(cursor, sessionsInStep);
    for (const session of read.rows) judge(session);
    ({ cursor, isLast } = read);
  }
  const clients = [...counts]
    .sort(([, a], [, b]) => b.ending - a.ending || b.stalling - a.stalling)
    .map(([address, count]) => ({
      address: formatIpv4(address),
      client: clientName(before.model, was, address),
      ...count,
    }));
  const sum = (of: keyof Count): number => clients.reduce((all, row) => all + row[of], 0);
  return {
    ...{ total, ending: sum('ending'), stalling: sum('stalling') },
    reasons: Object.fromEntries(reasons),
    clientCount: clients.length,
    clients: clients.slice(0, sessionClientsMax),
  };
}

function planOf({ model, assignment }: Outlook, isReady: (key: string) => boolean): EgressPlan {
  const readyGateways = new Set(model.gateways.map(gatewayKey).filter(isReady));
  return makePlan({ model, assignment, readyGateways, ports: [], localAddresses: [] });
}

/** Networks whose routes are withdrawn for a while; `main` is the main table. */
function stalledNetworks(effects: Effects): Set<string> {
  const stopping = effects.filter(
    ({ what, effect }) => what === 'neighbor' && (effect === 'resets' || effect === 'stops'),
  );
  return new Set(stopping.map(({ name }) => name.split(' ')[0]!));
}

function clientName(model: Model, plan: PlanDecider, address: Ipv4): string | null {
  const identity = plan.clientOf(address)?.identity;
  const client: Client | undefined = identity === undefined ? undefined : model.clients[identity];
  return client ? [client.namespace, client.name].filter(Boolean).join('/') : null;
}
