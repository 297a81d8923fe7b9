// SPDX-License-Identifier: Apache-2.0
/** What status reads of a running egretd, collected for each request. */
import type { NeighborRow } from '../bgp/status.ts';
import type { DataPlane } from '../dataplane/dataplane.ts';
import type { TrialRun } from '../dataplane/trials.ts';
import type { AddressAssignment } from '../egress/addresses.ts';
import type { HostLink, PortChoice } from '../egress/ports.ts';
import type { Readiness } from '../egress/readiness.ts';
import type { Clock } from '../lib/clock.ts';
import type { Random } from '../lib/random.ts';
import type { WorkQueue } from '../lib/work-queue.ts';
import type { Model, Network } from '../model/model.ts';
import type { Ipv4 } from '../net/ipv4.ts';
import type { Rib } from '../rib/rib.ts';
import type { DaemonCounter } from './daemon-counters.ts';
import type { Fact } from './system-facts.ts';

export interface LiveParts {
  readonly clock: Clock;
  readonly random: Random;
  /** What `show system` says. */
  readonly facts: () => Promise<readonly Fact[]>;
  /** Packets through the data plane. */
  readonly trials: { open(): TrialRun };
  /** Ascends with every configuration that was taken. */
  readonly generation: number;
  readonly model: Model;
  readonly queue: WorkQueue;
  readonly links: readonly HostLink[];
  /** The box's own and broadcast addresses, which are left to the kernel. */
  readonly localAddresses: readonly Ipv4[];
  readonly ports: readonly PortChoice[];
  readonly assignment: AddressAssignment;
  readonly networkReadiness: ReadonlyMap<string | undefined, Readiness>;
  readonly gatewayReadiness: ReadonlyMap<string, Readiness>;
  /** By network name; undefined is the main table. */
  readonly ribs: ReadonlyMap<string | undefined, Rib>;
  readonly dataPlane: DataPlane;
  readonly neighbors: () => readonly NeighborRow[];
  /** Routes that the FIB has no room for. */
  readonly routesRefused: (network: Network) => number;
  /** Routes that the kernel's table holds. */
  readonly mirroredCount: (network: Network) => number;
  readonly rpFilter: (interfaceName: string) => number | null;
  /** Why nothing is forwarded at all; undefined: the forwarder works. */
  readonly forwarderTrouble: string | undefined;
  readonly daemonCounters: () => Readonly<Record<DaemonCounter, number>>;
  /** Why the newest configuration was refused; empty: it runs. */
  readonly configErrors: readonly string[];
}
