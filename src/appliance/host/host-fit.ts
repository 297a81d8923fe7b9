// SPDX-License-Identifier: Apache-2.0
/** How this host fits the newest Model: the ports that follow from it, the verdict, and what is cut off. */
import type { ArenaDataPlane } from '../../dataplane/arena.ts';
import { interfacesOf, type PortChoice } from '../../egress/ports.ts';
import type { HostState } from '../../kernel/host.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import type { Model } from '../../model/model.ts';
import type { Mirrors } from '../vrf/mirrors.ts';
import type { Vrfs } from '../vrf/vrfs.ts';
import { FaultLog } from './fault-log.ts';
import { type HostVerdict, isCutOff } from './host-faults.ts';
import { portsOf, verdictOn } from './host-view.ts';

export interface HostFitOptions {
  readonly host: Pick<HostState, 'snapshot'>;
  readonly mirrors: Pick<Mirrors, 'foreign'>;
  readonly dataPlane: Pick<ArenaDataPlane, 'hasPortSlot'>;
  readonly vrfs: Pick<Vrfs, 'follow'>;
  readonly clock: Clock;
  readonly log: Log;
}

export class HostFit {
  ports: readonly PortChoice[] = [];
  /** With how long each fault lasts. */
  readonly faults: FaultLog;
  readonly #options: HostFitOptions;

  constructor(options: HostFitOptions) {
    this.#options = options;
    this.faults = new FaultLog(options.clock, options.log);
  }

  get verdict(): HostVerdict {
    return this.faults.verdict;
  }

  /** Judges again, and makes the VRFs follow. */
  follow(model: Model): void {
    const { host, mirrors, dataPlane, vrfs } = this.#options;
    const snapshot = host.snapshot();
    this.ports = portsOf(model, snapshot).map((port) =>
      port.fault !== undefined || dataPlane.hasPortSlot(port.name)
        ? port
        : { ...port, fault: 'too many interfaces since the last stop' },
    );
    this.faults.follow(verdictOn(model, snapshot, this.ports, mirrors.foreign));
    vrfs.follow(model, interfacesOf(this.ports), snapshot, this.verdict.cutOff);
  }

  /** The Model without neighbors whose sessions are not to be. */
  usable(model: Model): Model {
    const neighbors = model.neighbors.filter((neighbor) => !isCutOff(this.verdict, neighbor));
    return neighbors.length === model.neighbors.length ? model : { ...model, neighbors };
  }
}
