/**
 * The wiring of egretd: builds every part in the order in which data flows, and makes all of them
 * follow one Model and one host.
 *
 *   config ─▶ Model ─┐                         speaker ─▶ ribs ─▶ fibs ─▶ data plane
 *   kernel ─▶ host ──┴▶ reconcile ─▶ plumbing, ports, local routes, speaker, plan
 *                         ▲                                         │
 *                         └────── readiness of networks ◀───────────┘
 *
 * `reconcile` is idempotent and runs, one at a time, whenever the Model or the host changed. Every
 * reason to change anything goes through it or through `#evaluate` (readiness, plan, announcements).
 */

import { BgpNeighbors } from './appliance/bgp-neighbors.ts';
import { EgressControl } from './appliance/egress-control.ts';
import { formerAssignment, formerExports, formerGateways } from './appliance/former-life.ts';
import {
  checkHost,
  hostLinks,
  neighborsToKeep,
  plumbingWanted,
  portsOf,
} from './appliance/host-view.ts';
import { fits, limitsFor, needsRestart, takeRoom } from './appliance/limits.ts';
import { liveParts } from './appliance/live-parts.ts';
import { Memory } from './appliance/memory.ts';
import { Mirrors } from './appliance/mirrors.ts';
import { bgpSockets, netlinkSockets, probeSockets } from './appliance/native-sockets.ts';
import { openPorts } from './appliance/opened-ports.ts';
import { type Exports, Publication } from './appliance/publication.ts';
import { emptyState, type RunDir, type State } from './appliance/run-dir.ts';
import { Takeover } from './appliance/takeover.ts';
import { Vrfs } from './appliance/vrfs.ts';
import { neighborKey } from './bgp/neighbor.ts';
import { Speaker, type SpeakerEvent } from './bgp/speaker.ts';
import { makeSocketTransport } from './bgp/transport.ts';
import { ArenaDataPlane } from './dataplane/arena.ts';
import { Forwarder } from './dataplane/forwarder.ts';
import { shrinkHeap } from './dataplane/native.ts';
import { type AddressAssignment, assignAddresses, reservedAddresses } from './egress/addresses.ts';
import { interfacesOf, localAddresses, type PortChoice } from './egress/ports.ts';
import { makeProbeTransport } from './health/sockets.ts';
import { type HostState, openHostState } from './kernel/host.ts';
import { Plumbing, type WantedNeighbor } from './kernel/plumbing.ts';
import { openRtnetlink, type Rtnetlink } from './kernel/rtnetlink.ts';
import type { Clock, Timer } from './lib/clock.ts';
import { coalesced } from './lib/coalesced.ts';
import type { Log } from './lib/log.ts';
import { MeasuredClock } from './lib/measured-clock.ts';
import type { Random } from './lib/random.ts';
import type { Model } from './model/model.ts';
import { formatIpv4, parseIpv4 } from './net/ipv4.ts';
import { LiveStatus } from './status/live.ts';
import { StatusServer } from './status/server.ts';

export interface ApplianceOptions {
  readonly model: Model;
  readonly runDir: RunDir;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly isForwarderExternal: boolean;
}

/** What a failed start may take to undo what it began. */
const giveUpMs = 5_000;
/** Until what the kernel refused is tried again. */
const retryMs = 1_000;
/** Until a state file that could not be written is tried again. */
const forgetfulRetryMs = 5_000;

export class Appliance {
  readonly log: Log;
  readonly clock: MeasuredClock;
  readonly runDir: RunDir;
  readonly dataPlane: ArenaDataPlane;
  readonly forwarder: Forwarder;
  readonly plumbing: Plumbing;
  readonly host: HostState;
  readonly speaker: Speaker;
  readonly mirrors: Mirrors;
  readonly egress: EgressControl;
  readonly vrfs: Vrfs;
  model: Model;
  /** Ascends with every configuration that was taken. */
  generation = 1;
  ports: readonly PortChoice[] = [];
  assignment: AddressAssignment;
  /** Why the newest configuration was refused; empty: it runs. */
  configErrors: readonly string[] = [];

  readonly #rtnetlink: Rtnetlink;
  readonly #publication: Publication;
  readonly #memory: Memory;
  readonly #former: State;
  #newModel: Model | undefined;
  #takeover: Takeover | undefined;
  #status: StatusServer | undefined;
  #isForwardingPreserved = false;
  /** An earlier life left its guard: only an orderly stop removes it. */
  #hadGuard = false;
  readonly #neighbors: BgpNeighbors;
  readonly #reconcileSoon: () => void;
  /** The reconciliation that is under way, or the last one. */
  #reconciling: Promise<void> = Promise.resolve();
  #isEvaluatingSoon = false;
  /** The state file could not be written: it will be tried again. */
  #forgetful: Timer | undefined;
  #isEnding = false;

  private constructor(
    options: ApplianceOptions,
    clock: MeasuredClock,
    rtnetlink: Rtnetlink,
    host: HostState,
    state: State,
  ) {
    const { model, runDir, log, random } = options;
    this.log = log;
    this.clock = clock;
    this.runDir = runDir;
    this.model = model;
    this.host = host;
    this.#rtnetlink = rtnetlink;
    this.#former = state;
    this.assignment = this.#assign(model, formerAssignment(state));
    this.plumbing = new Plumbing(rtnetlink, runDir.path, state.sysctls, log);
    this.dataPlane = ArenaDataPlane.open(
      runDir.file('arena'),
      runDir.arenaPath,
      limitsFor(model),
      (limits) => fits(model, limits),
    );
    // Reserving the memory of a new arena takes long, and nobody is there yet who would wait.
    if (!this.dataPlane.hasEarlierGeneration) clock.disregard();
    this.forwarder = new Forwarder({
      socketPath: runDir.file('forwarder.sock'),
      pidPath: runDir.file('forwarder.pid'),
      arenaPath: runDir.arenaPath,
      isExternal: options.isForwarderExternal,
      heartbeatNs: () => this.dataPlane.forwarderHeartbeatNs(),
      clock,
      log,
    });
    this.vrfs = new Vrfs({
      clock,
      random,
      log,
      target: this.dataPlane,
      groupsMax: this.dataPlane.limits.groups,
      onIdle: () => {
        this.#memory.changed();
        this.#evaluateSoon();
      },
    });
    this.speaker = new Speaker({
      clock,
      random,
      log,
      transport: makeSocketTransport(bgpSockets, clock),
      rib: (network) => this.vrfs.get(network).rib,
      changed: (event) => this.#speakerChanged(event),
    });
    this.#neighbors = new BgpNeighbors(this.speaker, parseIpv4(state.routerId));
    const remember = (): void => this.#remember();
    this.mirrors = new Mirrors({ rtnetlink, host, clock, log, model, state, remember });
    const { vrfs: tables, mirrors, dataPlane } = this;
    this.#memory = new Memory({ clock, tables, mirrors, dataPlane, shrinkHeap });
    this.#publication = new Publication({
      dataPlane: this.dataPlane,
      clock,
      wake: () => this.forwarder.wake(),
      announce: (exports) => this.#announce(exports),
    });
    this.egress = new EgressControl(this.dataPlane, this.#publication, {
      clock,
      random,
      log,
      transport: makeProbeTransport(probeSockets, clock, random),
      changed: () => this.#evaluateSoon(),
    });
    this.#reconcileSoon = coalesced(() => this.#reconcileOrRetry());
  }

  /**
   * Builds everything and starts to forward. Guard first, then the forwarder, then ports; only then is
   * any OPEN sent.
   *
   * @throws EgretError CONFIG_INVALID when the host does not fit the configuration, and whatever keeps
   *   it from starting
   */
  static async start(options: ApplianceOptions): Promise<Appliance> {
    const clock = new MeasuredClock(options.clock);
    const { log, model } = options;
    for (const note of model.notes) log.info({ at: note.at }, note.text);
    const rtnetlink = openRtnetlink(netlinkSockets, clock);
    const { protocol } = model.appliance.mirror;
    const host = await openHostState(netlinkSockets, rtnetlink, clock, log, protocol);
    let appliance: Appliance | undefined;
    try {
      checkHost(model, host.snapshot());
      const state = options.runDir.readState();
      await clock.pause();
      appliance = new Appliance(options, clock, rtnetlink, host, state);
      await clock.pause();
      takeRoom(model, appliance.dataPlane);
      await appliance.#begin();
      return appliance;
    } catch (error) {
      log.error({ error }, 'the start failed');
      // A socket that stays open would keep the process from ending.
      if (appliance) await appliance.#giveUp();
      else {
        host.close();
        rtnetlink.close();
      }
      throw error;
    }
  }

  /** Undoes a start that failed; an earlier life's forwarder goes on, as after a crash, and its guard stays. */
  async #giveUp(): Promise<void> {
    try {
      if (!this.dataPlane.hasEarlierGeneration) {
        const late = new Promise<void>((resolve) => this.clock.after(giveUpMs, resolve));
        await Promise.race([this.stop(this.#hadGuard), late]);
      } else {
        await this.abandon();
        this.host.close();
        this.#rtnetlink.close();
      }
    } catch (error) {
      this.log.error({ error }, 'what the failed start had begun could not all be undone');
    }
  }

  async #begin(): Promise<void> {
    const { dataPlane, forwarder, log } = this;
    log.info({ bytes: dataPlane.bytes, limits: dataPlane.limits }, 'arena');
    // Before anything is evaluated: what an earlier life forwards must stay as it is.
    if (dataPlane.hasEarlierGeneration) {
      this.#publication.hold(true);
      this.#takeover = new Takeover({
        clock: this.clock,
        awaited: this.#former.neighborsUp,
        deferralMs: this.model.bgp.restartDeferralMs,
        onReady: (reason) => this.#takeOver(reason),
      });
      // After the takeover knows whom it waits for: the state file says so from here on, too.
      this.#publication.resume(formerExports(this.#former, this.assignment));
    } else {
      dataPlane.commitGeneration();
    }
    this.#follow();
    this.#hadGuard = await this.plumbing.hasGuard();
    await this.plumbing.apply(plumbingWanted(this.model, this.ports), this.host.snapshot());
    const how = await forwarder.start();
    this.#isForwardingPreserved = how === 'adopted' && dataPlane.hasEarlierGeneration;
    log.info(
      { how, pid: forwarder.pid, isForwardingPreserved: this.#isForwardingPreserved },
      'forwarder',
    );
    await this.mirrors.open(this.model);
    await this.#reconcileOnce();
    this.host.onChanged(() => this.#reconcileSoon());
    const status = new LiveStatus(() => liveParts(this));
    const statusPath = this.runDir.file('status.sock');
    this.#status = await StatusServer.listen(statusPath, status, this.clock, this.log);
    log.info({ ports: this.ports.map((port) => port.name) }, 'egretd runs');
  }

  /** Takes a new Model, whole. @throws EgretError CONFIG_INVALID, ARENA_TOO_SMALL; the running one stays */
  apply(model: Model): void {
    checkHost(model, this.host.snapshot());
    takeRoom(model, this.dataPlane);
    this.#newModel = model;
    this.configErrors = [];
    this.#reconcileSoon();
  }

  refuseConfig(errors: readonly string[]): void {
    this.configErrors = errors;
  }

  /** Stops everything: NOTIFICATION, ports closed, mirror and guard removed last. */
  async stop(isGuardLeft = false): Promise<void> {
    this.#isEnding = true;
    this.#takeover?.stop();
    this.#publication.stop();
    this.egress.readinesses.stop();
    await this.speaker.stop();
    await this.forwarder.stop();
    // What it asked of the kernel last is to be undone, too.
    await this.#reconciling.catch(() => {});
    await this.mirrors.removeAll();
    await this.plumbing.remove();
    if (!isGuardLeft) await this.plumbing.removeGuard();
    this.#status?.close();
    this.host.close();
    this.#rtnetlink.close();
    this.dataPlane.close();
    // Only which address each gateway has is remembered after an orderly stop; what an earlier life
    // left, like its routes in tables that were not reached, stays known.
    const { addresses, mirrorProtocol } = this.#state();
    this.#remember(isGuardLeft ? this.#former : { ...emptyState, addresses, mirrorProtocol });
    this.runDir.clean();
  }

  /** Ends egretd alone: forwarder, mirror and guard stay for the next life. */
  async abandon(): Promise<void> {
    this.#isEnding = true;
    this.#remember();
    await this.speaker.abandon();
    this.forwarder.abandon();
    this.#status?.close();
    this.runDir.release();
  }

  // -- Following the Model and the host -----------------------------------------------------------

  async #reconcileOrRetry(): Promise<void> {
    if (this.#isEnding) return;
    try {
      this.#reconciling = this.#reconcileOnce();
      await this.#reconciling;
    } catch (error) {
      if (this.#isEnding) return;
      this.log.error({ error }, 'the kernel refused a change; it is tried again');
      this.clock.after(retryMs, () => this.#reconcileSoon());
    }
  }

  #assign(model: Model, before: AddressAssignment): AddressAssignment {
    const own = localAddresses(hostLinks(this.host.snapshot()));
    return assignAddresses(model.gateways, before, reservedAddresses(model, own));
  }

  /** Takes up the newest Model and host; nothing else of the appliance changes the Model. */
  #follow(): void {
    if (this.#newModel) {
      if (needsRestart(this.model, this.#newModel)) {
        this.log.warn('limits, routes.mirror and routes.protocol take effect at the next start');
      }
      this.model = this.#newModel;
      this.#newModel = undefined;
      this.generation += 1;
      this.assignment = this.#assign(this.model, this.assignment);
      this.log.level = this.model.appliance.logLevel;
      for (const note of this.model.notes) this.log.info({ at: note.at }, note.text);
    }
    const snapshot = this.host.snapshot();
    this.ports = portsOf(this.model, snapshot);
    this.vrfs.follow(this.model, interfacesOf(this.ports), snapshot);
  }

  /**
   * In steps: each is short also with ten thousand clients, other work gets its turn between, and when
   * the appliance ends meanwhile no further one is taken.
   */
  async #reconcileOnce(): Promise<void> {
    const { clock, host } = this;
    let kept: WantedNeighbor[] = [];
    const steps: (() => void | Promise<void>)[] = [
      () => this.#follow(),
      () => this.plumbing.apply(plumbingWanted(this.model, this.ports), host.snapshot()),
      () => {
        // The plan names the ports before they open: a frame without one would be dropped.
        this.#evaluate();
        openPorts(this.ports, host.snapshot(), this.dataPlane, this.forwarder, this.log);
      },
      () => this.mirrors.follow(this.model, this.vrfs),
      () => {
        this.#neighbors.follow(this.model, this.ports, host.snapshot(), {
          isRestarting: this.#former.neighborsUp.length > 0,
          isForwardingPreserved: this.#isForwardingPreserved,
        });
        this.#takeover?.keep(
          new Set(this.model.neighbors.map((row) => neighborKey(row.network, row.address))),
        );
        this.#evaluate();
      },
      () => {
        kept = neighborsToKeep(this.model, interfacesOf(this.ports), host.snapshot());
      },
      () => this.plumbing.keepResolved(kept, host.snapshot()),
    ];
    for (const step of steps) {
      await clock.pause();
      if (this.#isEnding) return;
      await step();
    }
  }

  #speakerChanged(event: SpeakerEvent): void {
    const key = neighborKey(event.network, event.address);
    if (event.kind === 'established') this.#takeover?.established(key);
    else if (event.kind === 'down') this.#takeover?.down(key);
    else if (event.kind !== 'pause') this.#takeover?.synchronized(key);
    this.egress.readinesses.neighborChanged(key, event.kind);
    if (!this.#isEnding) this.#evaluateSoon();
  }

  // -- Readiness, plan, announcements -------------------------------------------------------------

  #evaluateSoon(): void {
    if (this.#isEvaluatingSoon || this.#isEnding) return;
    this.#isEvaluatingSoon = true;
    this.clock.soon(() => {
      this.#isEvaluatingSoon = false;
      if (!this.#isEnding) this.#evaluate();
    });
  }

  #evaluate(): void {
    const { model, generation, assignment, ports, vrfs } = this;
    const isHeld = this.#takeover !== undefined && !this.#takeover.isDone;
    this.egress.evaluate({
      model,
      generation,
      assignment,
      ports,
      vrfs,
      links: hostLinks(this.host.snapshot()),
      neighbors: this.speaker.snapshot(),
      heldGateways: isHeld ? formerGateways(this.#former, assignment) : [],
    });
    this.#remember();
  }

  #announce(exports: Exports): void {
    for (const [network, addresses] of exports) this.speaker.setExports(network, addresses);
    this.#remember();
  }

  #takeOver(reason: string): void {
    const fibs = this.vrfs.all().map((vrf) => vrf.fib);
    let waiting = fibs.length;
    const one = (): void => {
      waiting -= 1;
      if (waiting > 0 || this.#isEnding) return;
      this.dataPlane.commitGeneration();
      this.forwarder.wake();
      this.#publication.hold(false);
      this.log.info({ reason }, 'this life forwards by its own routes');
      this.mirrors.reconcileAll();
      this.#memory.tookOver();
      this.egress.forget();
      this.#evaluateSoon();
    };
    for (const fib of fibs) fib.whenConverged(one);
  }

  // -- What the next life needs -------------------------------------------------------------------

  /** Writes the state file. A full disk costs the next life something, and this one nothing. */
  #remember(state: State = this.#state()): void {
    try {
      this.runDir.writeState(state);
    } catch (error) {
      if (this.#forgetful || this.#isEnding) return;
      this.log.error({ error }, 'the state file was not written; the old one stays');
      this.#forgetful = this.clock.after(forgetfulRetryMs, () => {
        this.#forgetful = undefined;
        this.#evaluateSoon();
      });
    }
  }

  #state(): State {
    const text = (addresses: readonly number[]): string[] => addresses.map(formatIpv4);
    const waiting = this.#takeover && !this.#takeover.isDone ? this.#takeover.waiting : [];
    const { routerId } = this.#neighbors;
    return {
      version: 1,
      addresses: Object.fromEntries([...this.assignment].map(([key, rows]) => [key, text(rows)])),
      announced: Object.fromEntries(
        [...this.#publication.announced].map(([network, rows]) => [network ?? '', text(rows)]),
      ),
      mirroredTables: this.mirrors.tables,
      mirrorProtocol: this.mirrors.protocol,
      neighborsUp: [...new Set([...waiting, ...this.egress.readinesses.neighborsUp()])],
      sysctls: this.plumbing.sysctlRecord(),
      routerId: routerId === undefined ? '' : formatIpv4(routerId),
    };
  }
}
