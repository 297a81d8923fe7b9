// SPDX-License-Identifier: Apache-2.0
/**
 * The probes of gateways (src/health) on this box: by which ways they leave it.
 *
 * A probe leaves as traffic of the gateway would: by the interface of the network's own route to the
 * target, bound to it, with the network's mark, from the box's own address there; of the networks that
 * are ready, any may reach it. The answer comes back to the box's address, so that it depends on
 * nothing that is announced only when the gateway is ready. A gateway without networks probes by
 * the main table.
 *
 * The kernel routes these packets, and with routes.mirror off its tables hold no more of a network
 * than its links and BGPPeer.reachableBy: other targets are then not probed, and the reason says so.
 */

import { Prober } from '../../health/prober.ts';
import type { ProbeTransport, Way } from '../../health/sockets.ts';
import type { Ways } from '../../health/target-prober.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import type { Random } from '../../lib/random.ts';
import { gatewayKey } from '../../model/gateway-key.ts';
import type { Gateway, Model } from '../../model/model.ts';
import type { Ipv4 } from '../../net/ipv4.ts';

export interface GatewayProbesOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly transport: ProbeTransport;
  /** A target's state is another one: readiness is to be evaluated. */
  readonly changed: () => void;
}

/** How a RIB resolves an address. */
export type RouteTo = (
  network: string,
  address: Ipv4,
) =>
  | {
      readonly kind: 'connected' | 'static' | 'bgp';
      readonly nextHops: readonly { readonly interface: string }[];
    }
  | undefined;

export interface ProbeRoutes {
  readonly model: Model;
  readonly isNetworkReady: (network: string) => boolean;
  readonly routeTo: RouteTo;
}

export class GatewayProbes {
  readonly #prober: Prober;
  readonly #gateways = new Map<string, Gateway>();
  #routes: ProbeRoutes | undefined;
  #held: ReadonlySet<string> = new Set();

  constructor({ clock, random, log, transport, changed }: GatewayProbesOptions) {
    this.#prober = new Prober({
      clock,
      random,
      transport,
      waysTo: (key, address) => {
        const gateway = this.#gateways.get(key);
        if (!gateway || !this.#routes) return { ways: [], reason: 'starting' };
        return waysTo(gateway, address, this.#routes);
      },
      changed: (gateway, kind, target, state) => {
        log.info({ gateway, kind, target, state }, 'probe');
        changed();
      },
      failureChanged: changed,
    });
  }

  /**
   * Follows the Model and its routes.
   *
   * @param inUse - gateways that clients use; held - those among them that stay in use for now
   */
  follow(routes: ProbeRoutes, inUse: ReadonlySet<string>, held: ReadonlySet<string>): void {
    this.#routes = routes;
    this.#gateways.clear();
    for (const gateway of routes.model.gateways) this.#gateways.set(gatewayKey(gateway), gateway);
    // Time counts from the moment on at which they are held no more.
    const isHeld = (key: string): boolean => held.has(key) || this.#held.has(key);
    this.#prober.follow(
      [...this.#gateways].flatMap(([key, { failureDetection: detection }]) =>
        detection ? [{ key, detection, isInUse: inUse.has(key), isHeld: isHeld(key) }] : [],
      ),
    );
    this.#held = held;
  }

  /** What probes say of each gateway that has some. */
  verdicts(): ReturnType<Prober['verdicts']> {
    return this.#prober.verdicts();
  }

  counters(): Record<'probes_sent' | 'probes_answered', number> {
    const { sentCount, answeredCount } = this.#prober;
    return { probes_sent: sentCount, probes_answered: answeredCount };
  }

  stop(): void {
    this.#prober.stop();
  }
}

/** The ways by which a gateway's ready networks lead to an address, in the order of its networks. */
export function waysTo(gateway: Gateway, address: Ipv4, routes: ProbeRoutes): Ways {
  if (gateway.networks.length === 0) {
    return { ways: [{ interface: undefined, mark: undefined }], reason: undefined };
  }
  const { model, isNetworkReady, routeTo } = routes;
  const ways: Way[] = [];
  const reasons: string[] = [];
  for (const name of gateway.networks) {
    const route = routeTo(name, address);
    if (!isNetworkReady(name)) reasons.push(`network ${name} is not ready`);
    else if (!route) reasons.push(`no route in network ${name}`);
    else if (!model.appliance.mirror.isOn && !isInKernel(model, name, address, route.kind)) {
      reasons.push(`routes.mirror is off, and it is on no link of network ${name}`);
    } else {
      const mark = model.networks.find((network) => network.name === name)?.routeTableIndex;
      const interfaces = new Set(route.nextHops.map((hop) => hop.interface));
      ways.push(...[...interfaces].map((each) => ({ interface: each, mark })));
    }
  }
  return { ways, reason: reasons.length > 0 ? reasons.join(', ') : undefined };
}

/** Whether the kernel knows the way without the mirror: the private table of src/kernel/connected.ts. */
function isInKernel(
  model: Model,
  network: string,
  address: Ipv4,
  kind: 'connected' | 'static' | 'bgp',
): boolean {
  if (kind === 'connected') return true;
  return model.neighbors.some(
    (row) => row.network === network && row.address === address && row.reachableBy !== undefined,
  );
}
