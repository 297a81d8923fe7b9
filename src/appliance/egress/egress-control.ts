// SPDX-License-Identifier: Apache-2.0
/**
 * From readiness to plan to announcements: which networks and gateways are ready, the plan that
 * follows from it, and the /32s that go with the plan. Nothing is published when nothing changed.
 */
import { isDeepStrictEqual } from 'node:util';
import type { ArenaDataPlane } from '../../dataplane/arena.ts';
import type { AddressAssignment } from '../../egress/addresses.ts';
import { makePlan } from '../../egress/planner.ts';
import { planLocals, planPorts } from '../../egress/ports.ts';
import { gatewayKey } from '../../model/gateway-key.ts';
import type { Model } from '../../model/model.ts';
import type { GatewayProbesOptions } from './gateway-probes.ts';
import type { Exports, Publication } from './publication.ts';
import { Readinesses, type ReadinessInput } from './readinesses.ts';

export interface EgressInput extends ReadinessInput {
  /** Of the Model: its number. */
  readonly generation: number;
}

export class EgressControl {
  readonly readinesses: Readinesses;
  readonly #dataPlane: ArenaDataPlane;
  readonly #publication: Publication;
  /** What the plan was made from; undefined: the next evaluation publishes. */
  #published: object | undefined;

  /** @param probes - what probing needs; `changed` is to lead to an evaluation */
  constructor(dataPlane: ArenaDataPlane, publication: Publication, probes: GatewayProbesOptions) {
    this.readinesses = new Readinesses(probes);
    this.#dataPlane = dataPlane;
    this.#publication = publication;
  }

  /** Makes the next evaluation publish, whether something changed or not. */
  forget(): void {
    this.#published = undefined;
  }

  /** @throws NATIVE_FAILED when the data plane refuses the plan: the next evaluation publishes it again */
  evaluate(input: EgressInput): void {
    const { model, assignment, links } = input;
    this.readinesses.evaluate(input);
    const ready = new Set([...this.readinesses.readyGateways(), ...input.heldGateways]);
    const ports = planPorts(model, input.ports, links);
    const local = planLocals(links, ports);
    const sources = { generation: input.generation, ready, ports, local };
    if (isDeepStrictEqual(sources, this.#published)) return;
    const plan = makePlan({
      model,
      assignment,
      readyGateways: ready,
      ports,
      localAddresses: local,
    });
    this.#publication.publish(plan, exportsOf(model, assignment, ready));
    this.#published = sources;
    this.#dataPlane.releaseAddresses(new Set(plan.addresses.map((row) => row.address)));
  }
}

/** Exactly one /32 for each address of a ready gateway, in its networks. */
function exportsOf(
  model: Model,
  assignment: AddressAssignment,
  ready: ReadonlySet<string>,
): Exports {
  const exports = new Map<string | undefined, number[]>([[undefined, []]]);
  for (const network of model.networks) exports.set(network.name, []);
  for (const gateway of model.gateways) {
    const key = gatewayKey(gateway);
    if (!ready.has(key)) continue;
    for (const network of gateway.networks.length > 0 ? gateway.networks : [undefined]) {
      exports.get(network)?.push(...(assignment.get(key) ?? []));
    }
  }
  return exports;
}
