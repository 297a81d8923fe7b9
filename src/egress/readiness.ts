// SPDX-License-Identifier: Apache-2.0
/**
 * Whether a network and a gateway are ready, and the reason in words. Pure.
 *
 * A network is ready when one of its interfaces is up and either a neighbor is Established and has
 * sent End-of-RIB (or nothing for 2 s), or a static route resolves; and when all its routes fit the
 * FIB: a packet to one that does not would leave by a shorter prefix, or not at all. A gateway is ready when it has an
 * address, one of its networks is ready, and its probes do not say otherwise. What of the host does
 * not fit the configuration (appliance/host/host-faults.ts) keeps a network from it, or is named too.
 */
import type { Gateway } from '../model/model.ts';

export interface Readiness {
  readonly isReady: boolean;
  readonly reason: string;
}

export interface NetworkFacts {
  readonly interfaces: readonly { readonly name: string; readonly isUp: boolean }[];
  readonly neighbors: readonly {
    readonly address: string;
    readonly state: string;
    /** End-of-RIB came, or 2 s of quiet. */
    readonly isSynchronized: boolean;
    /** Routes kept for a neighbor that restarts (RFC 4724). */
    readonly isStale: boolean;
  }[];
  readonly staticRoutesResolved: number;
  /** Routes that the FIB has no room for. */
  readonly routesRefused: number;
  /** What of the host does not fit; empty: it does. */
  readonly hostFaults: string;
  /** It cannot be ready because of them. */
  readonly isHindered: boolean;
}

export function networkReadiness(facts: NetworkFacts): Readiness {
  const { hostFaults, isHindered } = facts;
  if (isHindered) return not(hostFaults);
  const { isReady, reason } = readinessByNeighbors(facts);
  return { isReady, reason: hostFaults === '' ? reason : `${reason}; ${hostFaults}` };
}

function readinessByNeighbors(facts: NetworkFacts): Readiness {
  const { interfaces, neighbors, staticRoutesResolved } = facts;
  if (interfaces.length === 0) return not('no interface leads to it');
  if (!interfaces.some((row) => row.isUp)) {
    return not(`interface ${interfaces.map((row) => row.name).join(', ')} is down`);
  }
  if (facts.routesRefused > 0) {
    return not(`degraded: ${facts.routesRefused} route(s) of it do not fit (limits.routes)`);
  }
  const synchronized = neighbors.find((row) => row.isSynchronized);
  if (synchronized) return yes(`neighbor ${synchronized.address} is Established`);
  const stale = neighbors.find((row) => row.isStale);
  if (stale) return yes(`neighbor ${stale.address} restarts, its routes are kept`);
  if (staticRoutesResolved > 0) return yes(`${staticRoutesResolved} static route(s) resolve`);
  const waiting = neighbors.find((row) => row.state === 'Established');
  if (waiting) return not(`neighbor ${waiting.address} has not sent all its routes yet`);
  if (neighbors.length > 0) {
    return not(neighbors.map((row) => `neighbor ${row.address} is ${row.state}`).join(', '));
  }
  return not('it has neither a neighbor nor a static route that resolves');
}

/** @param networks - by name; undefined: the main table, which is ready unless it is there */
export function gatewayReadiness(
  gateway: Gateway,
  addressCount: number,
  networks: ReadonlyMap<string | undefined, Readiness>,
  probes: Readiness | undefined,
): Readiness {
  if (gateway.replicas === 0) return not('it has no replicas');
  if (addressCount === 0) return not('its pools have no free address');
  const probed = (reason: string): Readiness => (probes?.isReady === false ? probes : yes(reason));
  if (gateway.networks.length === 0) {
    const main = networks.get(undefined);
    if (main?.isReady === false) return main;
    return probed('it uses the main table');
  }
  const reasons: string[] = [];
  for (const name of gateway.networks) {
    const network = networks.get(name);
    if (network?.isReady) return probed(`network ${name} is ready`);
    reasons.push(`network ${name}: ${network?.reason ?? 'does not exist'}`);
  }
  return not(reasons.join('; '));
}

const yes = (reason: string): Readiness => ({ isReady: true, reason });
const not = (reason: string): Readiness => ({ isReady: false, reason });
