// SPDX-License-Identifier: Apache-2.0
/**
 * Makes the plan: the Model, the addresses that gateways have, and which of them are ready, in the
 * shape that the data plane takes (plan.ts). Pure.
 *
 * Fail closed: a rule whose gateways have no ready address keeps its place with an empty list, so that
 * the packet drops with no_gateway rather than matching a shorter prefix; a client whose policy does
 * not exist keeps its prefix with no rules; and one that asks for no gateway keeps its prefix
 * without owner, so that a GlobalNetworkSet around it does not speak for it.
 */
import { gatewayKey } from '../model/gateway-key.ts';
import type { Model, Policy } from '../model/model.ts';
import type { AddressAssignment } from './addresses.ts';
import type { EgressPlan, PlanAddress, PlanClient, PlanLocal, PlanPort, PlanRule } from './plan.ts';

export interface PlannerInput {
  readonly model: Model;
  readonly assignment: AddressAssignment;
  /** Gateways ("namespace/name") whose addresses clients may use now. */
  readonly readyGateways: ReadonlySet<string>;
  readonly ports: readonly PlanPort[];
  readonly localAddresses: readonly PlanLocal[];
}

export function makePlan(input: PlannerInput): EgressPlan {
  const { model, assignment } = input;
  const tables = new Map(model.networks.map((network) => [network.name, network.routeTableIndex]));

  const addresses: PlanAddress[] = [];
  const indexesOf = new Map<string, number[]>();
  for (const gateway of model.gateways) {
    const key = gatewayKey(gateway);
    const indexes: number[] = [];
    for (const address of assignment.get(key) ?? []) {
      indexes.push(addresses.length);
      addresses.push({
        address,
        isReady: input.readyGateways.has(key),
        networks: gateway.networks.flatMap((name) => tables.get(name) ?? []),
      });
    }
    indexesOf.set(key, indexes);
  }

  const policyIndexes = new Map(model.policies.map((policy, index) => [policy.name, index]));
  return {
    ports: input.ports,
    localAddresses: input.localAddresses,
    addresses,
    policies: model.policies.map((policy) => ({ rules: planRules(policy, indexesOf) })),
    clients: model.clients.flatMap(({ prefixes, policy: name }, index): PlanClient[] => {
      const policy = name === undefined ? undefined : policyIndexes.get(name);
      const identity = name === undefined ? undefined : index;
      return prefixes.map((prefix) => ({ prefix, policy, identity }));
    }),
    nat: model.appliance.nat,
  };
}

function planRules(policy: Policy, indexesOf: ReadonlyMap<string, number[]>): PlanRule[] {
  return policy.rules.map(({ destination, action }): PlanRule => {
    if (action.kind === 'main') {
      return { destination, action: 'main', addresses: [], maxNextHops: 0 };
    }
    return {
      destination,
      action: 'gateway',
      addresses: action.gateways.flatMap((key) => indexesOf.get(key) ?? []),
      maxNextHops: action.maxNextHops,
    };
  });
}
