// SPDX-License-Identifier: Apache-2.0
/**
 * Every part of egretd, built in the order in which data flows. What they do together is the
 * appliance's (appliance.ts).
 */

import { makeSocketTransport } from '../bgp/connection/transport.ts';
import { Speaker, type SpeakerEvent } from '../bgp/speaker.ts';
import type { ArenaDataPlane } from '../dataplane/arena.ts';
import { Forwarder } from '../dataplane/forwarder.ts';
import { shrinkHeap } from '../dataplane/native.ts';
import { Trials } from '../dataplane/trials.ts';
import type { PortChoice } from '../egress/ports.ts';
import { makeProbeTransport } from '../health/sockets.ts';
import { HostSetup } from '../host-setup/host-setup.ts';
import type { HostState } from '../kernel/host.ts';
import { Mirror } from '../kernel/mirror.ts';
import { Plumbing } from '../kernel/plumbing.ts';
import type { Rtnetlink } from '../kernel/rtnetlink.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import { LoopDelay } from '../lib/loop-delay.ts';
import type { Random } from '../lib/random.ts';
import type { WorkQueue } from '../lib/work-queue.ts';
import type { Model } from '../model/model.ts';
import { neighborKey } from '../model/neighbor-key.ts';
import { notesOf } from '../model/notes.ts';
import { parseIpv4 } from '../net/ipv4.ts';
import { EgressControl } from './egress/egress-control.ts';
import { Publication } from './egress/publication.ts';
import { BgpNeighbors } from './host/bgp-neighbors.ts';
import { HostFit } from './host/host-fit.ts';
import { plumbingWanted } from './host/host-view.ts';
import { Memory } from './host/memory.ts';
import { bgpSockets, mirrorNative, probeSockets } from './host/native-sockets.ts';
import { makeOperations } from './operations.ts';
import type { RunDir, State } from './restart/run-dir.ts';
import { StateFile } from './restart/state-file.ts';
import { Mirrors } from './vrf/mirrors.ts';
import { Vrfs } from './vrf/vrfs.ts';

export interface PartsOptions {
  readonly model: Model;
  readonly runDir: RunDir;
  readonly clock: Clock;
  /** The one of this process. */
  readonly queue: WorkQueue;
  readonly random: Random;
  readonly log: Log;
  readonly isForwarderExternal: boolean;
  readonly isHostManaged: boolean;
  readonly rtnetlink: Rtnetlink;
  readonly host: HostState;
  readonly dataPlane: ArenaDataPlane;
  /** What the previous instance left. */
  readonly state: State;
}

/** What the parts report. */
export interface PartsListener {
  /** A session came up or went down, or sent its End-of-RIB. */
  speakerChanged(event: SpeakerEvent, key: string): void;
  /** Something that readiness depends on may have changed. */
  readinessChanged(): void;
  /** A fact of the host may have changed that the host's snapshot does not show. */
  hostChanged(): void;
  /** The state file is to be written. */
  remember(): void;
}

export type Parts = ReturnType<typeof buildParts>;

export function buildParts(options: PartsOptions, listener: PartsListener) {
  const { model, runDir, clock, queue, random, log, rtnetlink, host, state, dataPlane } = options;
  const plumbing = new Plumbing(rtnetlink, runDir.path, state.sysctls, log);
  const loopDelay = new LoopDelay(clock);
  const trials = new Trials(clock);
  const forwarder = new Forwarder({
    ...runDir.forwarderPaths,
    connected: (fd) => trials.attach(fd),
    isExternal: options.isForwarderExternal,
    heartbeatNs: () => dataPlane.forwarderHeartbeatNs(),
    clock,
    log,
  });
  const vrfs = new Vrfs({
    clock,
    queue,
    random,
    log,
    target: dataPlane,
    groupsMax: dataPlane.limits.groups,
    onIdle: () => {
      memory.changed();
      listener.readinessChanged();
    },
  });
  const speaker = new Speaker({
    clock,
    queue,
    random,
    log,
    transport: makeSocketTransport(bgpSockets, clock, queue),
    rib: (network) => vrfs.get(network).rib,
    down: new Map(Object.entries(state.neighborsDown)),
    changed: (event) => listener.speakerChanged(event, neighborKey(event.network, event.address)),
  });
  const remember = (): void => listener.remember();
  const { protocol } = model.appliance.mirror;
  const native = mirrorNative;
  const mirror = new Mirror({ native, rtnetlink, host, clock, queue, log, protocol });
  const { hostChanged: foreignChanged } = listener;
  const mirrors = new Mirrors({
    ...{ mirror, host, clock, protocol, log, state, remember, foreignChanged },
  });
  const memory = new Memory({ clock, queue, tables: vrfs, mirrors, dataPlane, shrinkHeap });
  const publication = new Publication({
    dataPlane,
    clock,
    wake: () => forwarder.wake(),
    announce: (exports) => {
      for (const [network, addresses] of exports) speaker.setExports(network, addresses);
      remember();
    },
  });
  const egress = new EgressControl(dataPlane, publication, {
    clock,
    random,
    log,
    transport: makeProbeTransport(probeSockets, clock, random),
    changed: () => listener.readinessChanged(),
  });
  const { isHostManaged } = options;
  const hostSetup = isHostManaged ? new HostSetup({ clock, log }) : undefined;
  return {
    operations: makeOperations({ forwarder, speaker, queue }, remember),
    clock,
    random,
    trials,
    log,
    queue,
    loopDelay,
    rtnetlink,
    host,
    plumbing,
    plumb: (taken: Model, ports: readonly PortChoice[]) => {
      const snapshot = host.snapshot();
      return plumbing.apply(plumbingWanted(taken, ports, snapshot, isHostManaged), snapshot);
    },
    /** Undefined where egretd leaves the host as it is. */
    hostSetup,
    logNotes: (taken: Model): void => {
      for (const { at, text } of notesOf(taken, isHostManaged)) log.info({ at }, text);
    },
    dataPlane,
    forwarder,
    vrfs,
    speaker,
    neighbors: new BgpNeighbors(speaker, parseIpv4(state.routerId)),
    fit: new HostFit({ host, mirrors, dataPlane, vrfs, clock, log }),
    mirrors,
    memory,
    publication,
    egress,
    stateFile: new StateFile(runDir, clock, log),
  };
}
