// SPDX-License-Identifier: Apache-2.0
/** What status reads of the appliance. */

import type { Speaker } from '../bgp/speaker.ts';
import { type NeighborRow, rowWithoutSession } from '../bgp/status.ts';
import type { ArenaDataPlane } from '../dataplane/arena.ts';
import type { Forwarder } from '../dataplane/forwarder.ts';
import type { Trials } from '../dataplane/trials.ts';
import type { AddressAssignment } from '../egress/addresses.ts';
import { localAddresses } from '../egress/ports.ts';
import type { Readiness } from '../egress/readiness.ts';
import { type Overlap, overlapsShownMax } from '../fib/overlaps.ts';
import type { HostState } from '../kernel/host.ts';
import type { Plumbing } from '../kernel/plumbing.ts';
import type { Clock } from '../lib/clock.ts';
import type { LoopDelay } from '../lib/loop-delay.ts';
import type { Random } from '../lib/random.ts';
import type { WorkQueue } from '../lib/work-queue.ts';
import { gatewayKey } from '../model/gateway-key.ts';
import type { Model } from '../model/model.ts';
import { neighborKey } from '../model/neighbor-key.ts';
import { formatIpv4Prefix } from '../net/ipv4.ts';
import type { DaemonCounter } from '../status/daemon-counters.ts';
import type { LiveParts } from '../status/parts.ts';
import type { EgressControl } from './egress/egress-control.ts';
import { faultsOf, textOf } from './host/host-faults.ts';
import type { HostFit } from './host/host-fit.ts';
import { hostLinks } from './host/host-view.ts';
import type { Mirrors } from './vrf/mirrors.ts';
import type { Vrfs } from './vrf/vrfs.ts';

/** The parts of a running appliance that status reads. */
export interface Running {
  readonly clock: Clock;
  readonly random: Random;
  readonly trials: Trials;
  readonly generation: number;
  readonly model: Model;
  readonly configErrors: readonly string[];
  readonly queue: WorkQueue;
  readonly loopDelay: LoopDelay;
  readonly host: HostState;
  readonly plumbing: Plumbing;
  readonly assignment: AddressAssignment;
  readonly egress: EgressControl;
  readonly vrfs: Vrfs;
  readonly speaker: Speaker;
  readonly fit: HostFit;
  readonly mirrors: Mirrors;
  readonly dataPlane: ArenaDataPlane;
  readonly forwarder: Forwarder;
}

export function liveParts(appliance: Running): Omit<LiveParts, 'facts'> {
  const { model, queue, fit, assignment, egress, dataPlane, plumbing } = appliance;
  const links = hostLinks(appliance.host.snapshot());
  return {
    clock: appliance.clock,
    random: appliance.random,
    trials: appliance.trials,
    generation: appliance.generation,
    model,
    queue,
    links,
    localAddresses: localAddresses(links),
    ports: fit.ports,
    assignment,
    networkReadiness: egress.readinesses.networks,
    gatewayReadiness: gatewayReadiness(appliance),
    ribs: appliance.vrfs.ribs(),
    dataPlane,
    neighbors: () => neighborRows(appliance),
    routesRefused: ({ name }) => appliance.vrfs.find(name)?.fib.refusedCount ?? 0,
    mirroredCount: (network) => appliance.mirrors.mirroredCount(network),
    rpFilter: (name) => plumbing.rpFilter(name),
    forwarderTrouble: appliance.forwarder.trouble,
    daemonCounters: () => daemonCounters(appliance),
    configErrors: appliance.configErrors,
  };
}

/** Readiness, and what an operator must know in addition: prefixes that two of its networks have. */
function gatewayReadiness(appliance: Running): ReadonlyMap<string, Readiness> {
  const found = appliance.vrfs.overlaps.overlaps();
  const { gateways } = appliance.egress.readinesses;
  if (found.length === 0) return gateways;
  return new Map(
    appliance.model.gateways.map((gateway) => {
      const key = gatewayKey(gateway);
      const readiness = gateways.get(key) ?? starting;
      const mine = found.filter(
        (overlap) => overlap.networks.filter((name) => gateway.networks.includes(name)).length > 1,
      );
      if (mine.length === 0) return [key, readiness];
      const [{ networks, ...prefix }] = mine as [Overlap];
      const count = mine.length < overlapsShownMax ? `${mine.length}` : `${mine.length} or more`;
      const text = `${count} prefix(es) in several of its networks, e.g. ${formatIpv4Prefix(prefix)} in ${networks.join(' and ')}`;
      return [key, { ...readiness, reason: `${readiness.reason}; ${text}` }];
    }),
  );
}

/** The speaker's rows, and those of neighbors that the host keeps from having a session. */
function neighborRows({ model, speaker, fit }: Running): NeighborRow[] {
  const rows = new Map(
    speaker.snapshot().map((row) => [neighborKey(row.network, row.address), row]),
  );
  return model.neighbors.map((neighbor): NeighborRow => {
    const row = rows.get(neighborKey(neighbor.network, neighbor.address));
    const found = faultsOf(fit.verdict, neighbor);
    const warning = found.length > 0 ? textOf(found) : row?.warning;
    if (row) return { ...row, warning };
    return { ...rowWithoutSession(neighbor, fit.faults.lastedMs(found)), warning };
  });
}

const starting: Readiness = { isReady: false, reason: 'starting' };

function daemonCounters(appliance: Running): Record<DaemonCounter, number> {
  const { loopDelay, speaker, forwarder, dataPlane, host } = appliance;
  const { pliesUsed, pliesMax } = dataPlane.fibUsage();
  const { recent } = loopDelay;
  return {
    loop_delay_microseconds_max: Math.round(loopDelay.maxMs * 1000),
    loop_delay_microseconds_max_recent: Math.round(recent.maxMs * 1000),
    loop_delay_microseconds_p99: Math.round(recent.p99Ms * 1000),
    bgp_connections_refused: speaker.refusedCount,
    forwarder_deaths: forwarder.deaths,
    forwarder_pid: forwarder.pid ?? 0,
    forwarder_silent_milliseconds: forwarder.silentMs,
    host_overruns: host.overrunCount,
    overlapping_prefixes: appliance.vrfs.overlaps.pairCount,
    fib_plies_used: pliesUsed,
    fib_plies_max: pliesMax,
    ...appliance.egress.readinesses.counters(),
  };
}
