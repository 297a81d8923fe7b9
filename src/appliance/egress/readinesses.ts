// SPDX-License-Identifier: Apache-2.0
/** Readiness of every network and gateway, evaluated whenever something behind it changed. */

import type { SpeakerEvent } from '../../bgp/speaker.ts';
import type { NeighborRow } from '../../bgp/status.ts';
import type { AddressAssignment } from '../../egress/addresses.ts';
import type { HostLink, PortChoice } from '../../egress/ports.ts';
import { gatewayReadiness, networkReadiness, type Readiness } from '../../egress/readiness.ts';
import { gatewayKey } from '../../model/gateway-key.ts';
import type { Model } from '../../model/model.ts';
import { neighborKey } from '../../model/neighbor-key.ts';
import { formatIpv4, type Ipv4 } from '../../net/ipv4.ts';
import { type HostVerdict, textOf } from '../host/host-faults.ts';
import type { Vrfs } from '../vrf/vrfs.ts';
import { GatewayProbes, type GatewayProbesOptions } from './gateway-probes.ts';

export interface ReadinessInput {
  readonly model: Model;
  readonly ports: readonly PortChoice[];
  readonly links: readonly HostLink[];
  readonly assignment: AddressAssignment;
  readonly vrfs: Vrfs;
  readonly neighbors: readonly NeighborRow[];
  readonly verdict: HostVerdict;
  /** Gateways that stay in use whatever is found: the previous instance's, until the takeover. */
  readonly heldGateways: readonly string[];
}

export class Readinesses {
  /** By name; undefined: the main table. */
  networks: ReadonlyMap<string | undefined, Readiness> = new Map();
  readonly #probes: GatewayProbes;
  #model: Model | undefined;
  #assignment: AddressAssignment = new Map();
  /** Neighbors that are Established; true: they have sent End-of-RIB, or nothing for 2 s. */
  readonly #neighbors = new Map<string, boolean>();

  constructor(options: GatewayProbesOptions) {
    this.#probes = new GatewayProbes(options);
  }

  neighborChanged(key: string, kind: SpeakerEvent['kind']): void {
    if (kind === 'down') this.#neighbors.delete(key);
    else this.#neighbors.set(key, kind !== 'established');
  }

  neighborsUp(): string[] {
    return [...this.#neighbors.keys()];
  }

  readyGateways(): string[] {
    return [...this.gateways].flatMap(([key, readiness]) => (readiness.isReady ? [key] : []));
  }

  /** As of now, since reasons count seconds. Which are ready changes by evaluate and by probes only. */
  get gateways(): ReadonlyMap<string, Readiness> {
    const verdicts = this.#probes.verdicts();
    return new Map(
      (this.#model?.gateways ?? []).map((gateway) => {
        const key = gatewayKey(gateway);
        const count = this.#assignment.get(key)?.length ?? 0;
        return [key, gatewayReadiness(gateway, count, this.networks, verdicts.get(key))];
      }),
    );
  }

  /** Of the daemon: what probes did. */
  counters(): Record<'probes_sent' | 'probes_answered', number> {
    return this.#probes.counters();
  }

  stop(): void {
    this.#probes.stop();
  }

  evaluate(input: ReadinessInput): void {
    const { model, ports, links, assignment, vrfs, neighbors } = input;
    const held = new Set(input.heldGateways);
    const inUse = new Set([...held, ...this.readyGateways()]);
    const isUp = new Map(links.map((link) => [link.name, link.isUp]));
    const { verdict } = input;
    const faultsOf = (name: string | undefined): string =>
      textOf(verdict.faults.filter((fault) => fault.network === name));
    const main = { isReady: !verdict.notReady.has(undefined), reason: faultsOf(undefined) };
    const networks = new Map<string | undefined, Readiness>([[undefined, main]]);
    for (const network of model.networks) {
      const { rib, fib } = vrfs.get(network.name);
      const readiness = networkReadiness({
        interfaces: ports
          .filter((port) => port.fault === undefined && port.networks.includes(network.name))
          .map(({ name }) => ({ name, isUp: isUp.get(name) ?? false })),
        neighbors: neighbors
          .filter((row) => row.network === network.name)
          .map((row) => ({
            address: formatIpv4(row.address),
            state: row.state,
            isSynchronized:
              row.state === 'Established' &&
              (this.#neighbors.get(neighborKey(row.network, row.address)) ?? false),
            isStale: row.isStale,
          })),
        staticRoutesResolved: network.staticRoutes.filter(({ destination }) => {
          const route = rib.lookup(destination.address, destination.length);
          return route !== undefined && route.nextHops.length > 0;
        }).length,
        routesRefused: fib.refusedCount,
        hostFaults: faultsOf(network.name),
        isHindered: verdict.notReady.has(network.name),
      });
      networks.set(network.name, readiness);
    }
    this.networks = networks;
    this.#model = model;
    this.#assignment = assignment;
    const routes = {
      model,
      isNetworkReady: (name: string) => this.networks.get(name)?.isReady ?? false,
      routeTo: (name: string, address: Ipv4) => vrfs.get(name).rib.longestMatch(address),
    };
    this.#probes.follow(routes, inUse, held);
  }
}
