// SPDX-License-Identifier: Apache-2.0
/**
 * Start, configuration and stop of egretd, and how its parts (appliance/parts.ts) follow one Model and
 * one host.
 *
 *   config ─▶ Model ─┐                         speaker ─▶ ribs ─▶ fibs ─▶ data plane
 *   kernel ─▶ host ──┴▶ reconcile ─▶ plumbing, ports, local routes, speaker, plan
 *                         ▲                                         │
 *                         └────── readiness of networks ◀───────────┘
 *
 * Reconciliation is idempotent and runs, one at a time, whenever the Model or the host changed. Every
 * change is made by it or by `#evaluate` (readiness, plan, announcements).
 */
import type { Outlook } from './appliance/effects.ts';
import { hostLinks, neighborsToKeep } from './appliance/host/host-view.ts';
import { restartReasons, takeRoom } from './appliance/host/limits.ts';
import { netlinkSockets } from './appliance/host/native-sockets.ts';
import { openPorts } from './appliance/host/opened-ports.ts';
import { liveParts } from './appliance/live-parts.ts';
import { buildParts, type Parts, type PartsOptions } from './appliance/parts.ts';
import { Reconciler, type ReconcileSteps } from './appliance/reconciler.ts';
import { applyFirst } from './appliance/restart/first-plumbing.ts';
import {
  previousAssignment,
  previousExports,
  previousGateways,
  stateAfterStop,
  stateOf,
} from './appliance/restart/previous-instance.ts';
import type { RunDir, State } from './appliance/restart/run-dir.ts';
import { takeArena } from './appliance/restart/take-arena.ts';
import { Takeover } from './appliance/restart/takeover.ts';
import { whatIf } from './appliance/what-if.ts';
import type { WhatIf } from './apply/effects.ts';
import type { SpeakerEvent } from './bgp/speaker.ts';
import { type AddressAssignment, assignAddresses, reservedAddresses } from './egress/addresses.ts';
import { interfacesOf, localAddresses } from './egress/ports.ts';
import { HostState } from './kernel/host.ts';
import { Rtnetlink } from './kernel/rtnetlink.ts';
import type { Clock } from './lib/clock.ts';
import type { Log } from './lib/log.ts';
import type { Random } from './lib/random.ts';
import { type Worker, WorkQueue } from './lib/work-queue.ts';
import type { Model } from './model/model.ts';
import { neighborKey } from './model/neighbor-key.ts';

export interface ApplianceOptions {
  readonly model: Model;
  readonly runDir: RunDir;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly isForwarderExternal: boolean;
  /** egretd sets up interfaces, names and clocks of the box (`egret run --manage-host`). */
  readonly isHostManaged: boolean;
}

/** What a failed start may take to undo what it began. */
const giveUpMs = 5_000;

export class Appliance {
  /** All deferred work of the process. */
  readonly queue: WorkQueue;
  /** Ascends with every configuration that was taken. */
  #generation = 1;
  readonly #log: Log;
  readonly #runDir: RunDir;
  readonly #parts: Parts;
  readonly operations: Parts['operations'];
  readonly #reconciler: Reconciler;
  /** What the previous instance left. */
  readonly #previous: State;
  #model: Model;
  #newModel: Model | undefined;
  /** Of the Model that was taken last. */
  #reconciled: Promise<string | undefined> = Promise.resolve(undefined);
  /** Why the newest configuration was refused; empty: it runs. */
  #configErrors: readonly string[] = [];
  #assignment: AddressAssignment;
  #takeover: Takeover | undefined;
  /** A customer of the queue: once, however many networks have changed. */
  readonly #evaluation: Worker = {
    work: () => {
      if (!this.#isEnding) this.#evaluate();
      return false;
    },
  };
  #isForwardingPreserved = false;
  /** The previous instance left its guard: only an orderly stop removes it. */
  #hadGuard = false;
  #isEnding = false;

  private constructor(options: PartsOptions) {
    const { model, runDir, clock, queue, log, state } = options;
    this.queue = queue;
    this.#log = log;
    this.#runDir = runDir;
    this.#model = model;
    this.#previous = state;
    this.#parts = buildParts(options, {
      speakerChanged: (event, key) => this.#speakerChanged(event, key),
      readinessChanged: () => this.queue.add(this.#evaluation),
      hostChanged: () => this.#reconciler.soon(),
      remember: () => this.#remember(),
    });
    this.operations = this.#parts.operations;
    this.#parts.logNotes(model);
    this.#assignment = this.#assign(model, previousAssignment(state));
    this.#reconciler = new Reconciler({ clock, queue, log, steps: this.#steps() });
  }

  /**
   * Builds everything and starts to forward: guard, forwarder, ports, and only then any OPEN.
   *
   * @throws EgretError what keeps it from starting; that the host does not fit the configuration does not
   */
  static async start(options: ApplianceOptions): Promise<Appliance> {
    const { clock, log, model } = options;
    const queue = new WorkQueue(clock);
    const rtnetlink = new Rtnetlink(netlinkSockets, clock, queue);
    const { protocol: mirrorProtocol } = model.appliance.mirror;
    const around = { netlinkSockets, rtnetlink, clock, queue, log, mirrorProtocol };
    const host = await HostState.open(around);
    let appliance: Appliance | undefined;
    try {
      const state = options.runDir.readState();
      await queue.pause();
      const dataPlane = await takeArena(options);
      appliance = new Appliance({ ...options, queue, rtnetlink, host, state, dataPlane });
      await queue.pause();
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

  /**
   * Undoes a start that failed. The forwarder of the previous instance continues to run, as after a
   * crash, and its guard stays.
   */
  async #giveUp(): Promise<void> {
    const { dataPlane, host, rtnetlink } = this.#parts;
    try {
      if (!dataPlane.isInherited) {
        const late = new Promise<void>((resolve) => this.#parts.clock.after(giveUpMs, resolve));
        await Promise.race([this.stop(this.#hadGuard), late]);
      } else {
        await this.abandon();
        host.close();
        rtnetlink.close();
      }
    } catch (error) {
      this.#log.error({ error }, 'the failed start could not be undone completely');
    }
  }

  async #begin(): Promise<void> {
    const { dataPlane, fit, forwarder, host, mirrors, plumb, plumbing, publication } = this.#parts;
    // Before anything is evaluated: forwarding of the previous instance must stay as it is.
    if (dataPlane.hasPreviousGeneration) {
      publication.hold(true);
      this.#takeover = new Takeover({
        clock: this.#parts.clock,
        queue: this.queue,
        awaited: this.#previous.neighborsUp,
        deferralMs: this.#model.bgp.restartDeferralMs,
        onReady: (reason) => this.#takeOver(reason),
      });
      // When the takeover knows which neighbors it waits for: the state file names them, too.
      publication.resume(previousExports(this.#previous, this.#assignment));
    } else {
      dataPlane.commitGeneration();
    }
    this.#follow();
    this.#hadGuard = await plumbing.hasGuard();
    await applyFirst(() => {
      this.#follow();
      return plumb(this.#model, fit.ports);
    }, this.#parts);
    const how = await forwarder.start();
    const isForwardingPreserved = how === 'adopted' && dataPlane.hasPreviousGeneration;
    this.#isForwardingPreserved = isForwardingPreserved;
    this.#log.info({ how, pid: forwarder.pid, isForwardingPreserved }, 'forwarder');
    await mirrors.open(this.#model);
    await this.#reconciler.begin();
    host.onChanged(() => this.#reconciler.soon());
    plumbing.watchGuard(netlinkSockets, this.#parts.clock, this.queue, this.#reconciler.soon);
    const ports = fit.ports.map(({ name }) => name);
    this.#log.info({ generation: this.#generation, ports }, 'egretd runs');
  }

  /** What runs, or is about to. */
  get model(): Model {
    return this.#newModel ?? this.#model;
  }

  /** @throws EgretError ARENA_TOO_SMALL: it cannot be taken */
  admit(model: Model): void {
    takeRoom(model, this.#parts.dataPlane);
  }

  /** Takes a Model that was admitted, whole. */
  take(model: Model): void {
    this.#newModel = model;
    this.#configErrors = [];
    this.#reconciled = this.#reconciler.settle();
  }

  /** When the Model that was taken last is in force. @returns what the kernel refuses, if it does */
  async inForce(): Promise<string | undefined> {
    const refusal = await this.#reconciled;
    await this.#parts.publication.settled();
    return refusal;
  }

  /** What a Model would change, on the box as it is. */
  whatIf(model: Model): WhatIf {
    return whatIf(this.#parts, this.#outlook, model, this.#assign(model, this.#assignment));
  }

  refuseConfig(errors: readonly string[]): void {
    this.#configErrors = errors;
  }

  /** Stops everything: NOTIFICATION, ports closed, mirror and guard removed last. */
  async stop(isGuardLeft = false): Promise<void> {
    const { egress, mirrors, plumbing, publication, stateFile } = this.#parts;
    const { dataPlane, forwarder, host, rtnetlink, speaker } = this.#parts;
    this.#isEnding = true;
    const halted = this.#reconciler.halt();
    this.#takeover?.stop();
    publication.stop();
    egress.readinesses.stop();
    await speaker.stop();
    // A supervisor starts the forwarder again, which is to wait for the next arena, not to keep this one.
    this.#runDir.forgetArena();
    await forwarder.stop();
    // What it asked of the kernel last is to be undone, too.
    await halted;
    await mirrors.removeAll();
    await plumbing.remove();
    if (!isGuardLeft) await plumbing.removeGuard();
    this.#parts.loopDelay.stop();
    host.close();
    rtnetlink.close();
    dataPlane.close();
    // If a previous instance's guard stays, so does its state, e.g. which tables may hold its routes.
    const left = isGuardLeft ? this.#previous : stateAfterStop(this.#state());
    stateFile.stop();
    stateFile.write(() => left);
    this.#runDir.clean();
  }

  /** Stops egretd alone: forwarder, mirror and guard stay for the next instance. */
  async abandon(): Promise<void> {
    const { forwarder, speaker, stateFile } = this.#parts;
    this.#isEnding = true;
    void this.#reconciler.halt();
    stateFile.stop();
    this.#remember();
    await speaker.abandon();
    forwarder.abandon();
    this.#parts.loopDelay.stop();
    this.#runDir.release();
  }

  // -- Following the Model and the host -----------------------------------------------------------

  #assign(model: Model, before: AddressAssignment): AddressAssignment {
    const own = localAddresses(hostLinks(this.#parts.host.snapshot()));
    return assignAddresses(model.gateways, before, reservedAddresses(model, own));
  }

  /** Takes up the newest Model and host; nothing else of the appliance changes the Model. */
  #follow(): void {
    if (this.#newModel) {
      const later = restartReasons(this.#model, this.#newModel);
      if (later.length > 0) this.#log.warn({ fields: later }, 'takes effect at the next start');
      this.#model = this.#newModel;
      this.#newModel = undefined;
      this.#generation += 1;
      this.#assignment = this.#assign(this.#model, this.#assignment);
      this.#log.level = this.#model.appliance.logLevel;
      this.#log.info({ generation: this.#generation }, 'configuration taken');
      this.#parts.logNotes(this.#model);
    }
    this.#parts.hostSetup?.follow(this.#model, this.#parts.host.snapshot());
    this.#parts.fit.follow(this.#model);
  }

  /** What reconciliation does, in this order. */
  #steps(): ReconcileSteps {
    const { fit, host, mirrors, neighbors, plumb, plumbing, vrfs } = this.#parts;
    return {
      follow: () => this.#follow(),
      // Before a new network is used: its table may hold routes of another program.
      tables: async () => {
        await mirrors.open(this.#model);
        fit.follow(this.#model);
      },
      plumbing: () => plumb(this.#model, fit.ports),
      ports: () => {
        // The plan names the ports before they open: a frame without one would be dropped.
        this.#evaluate();
        const areOpen = openPorts(fit.ports, host.snapshot(), this.#parts);
        if (!areOpen) this.#reconciler.later();
      },
      'BGP neighbors': () => {
        const areHeard = neighbors.follow(fit.usable(this.#model), fit.ports, host.snapshot(), {
          isRestarting: this.#previous.neighborsUp.length > 0,
          isForwardingPreserved: this.#isForwardingPreserved,
        });
        if (!areHeard) this.#reconciler.later();
        // Those whose network does not fit the host now are waited for, too: it may be a moment's fault.
        const all = this.#model.neighbors.map((row) => neighborKey(row.network, row.address));
        this.#takeover?.keep(new Set(all));
        this.#evaluate();
      },
      'managed neighbors': async () => {
        const kept = neighborsToKeep(this.#model, interfacesOf(fit.ports), host.snapshot());
        await this.queue.pause();
        await plumbing.keepResolved(kept, host.snapshot());
      },
      // Last: to empty a table takes seconds.
      mirrors: () => mirrors.follow(this.#model, vrfs),
    };
  }

  #speakerChanged({ kind }: SpeakerEvent, key: string): void {
    if (kind === 'established') this.#takeover?.established(key);
    else if (kind === 'down') this.#takeover?.down(key);
    else if (kind !== 'pause') this.#takeover?.synchronized(key);
    this.#parts.egress.readinesses.neighborChanged(key, kind);
    this.queue.add(this.#evaluation);
  }

  // -- Readiness, plan, announcements -------------------------------------------------------------

  #evaluate(): void {
    const { egress, fit, host, speaker, vrfs } = this.#parts;
    const isHeld = this.#takeover !== undefined && !this.#takeover.isDone;
    egress.evaluate({
      model: this.#model,
      generation: this.#generation,
      assignment: this.#assignment,
      ports: fit.ports,
      vrfs,
      links: hostLinks(host.snapshot()),
      neighbors: speaker.snapshot(),
      verdict: fit.verdict,
      heldGateways: isHeld ? previousGateways(this.#previous, this.#assignment) : [],
    });
    this.#remember();
  }

  #takeOver(reason: string): void {
    const { dataPlane, egress, forwarder, memory, mirrors, publication, vrfs } = this.#parts;
    vrfs.whenConverged(() => {
      if (this.#isEnding) return;
      dataPlane.commitGeneration();
      forwarder.wake();
      publication.hold(false);
      this.#log.info({ reason }, 'egretd forwards by its own routes');
      mirrors.reconcileAll();
      memory.tookOver();
      egress.forget();
      this.queue.add(this.#evaluation);
    });
  }

  #remember(): void {
    this.#parts.stateFile.write(() => this.#state());
  }

  #state(): State {
    const waiting = this.#takeover && !this.#takeover.isDone ? this.#takeover.waiting : [];
    return stateOf(this.#parts, this.#assignment, waiting);
  }

  /** What status reads. */
  live(): ReturnType<typeof liveParts> {
    return liveParts({
      ...this.#parts,
      ...this.#outlook,
      generation: this.#generation,
      configErrors: this.#configErrors,
    });
  }

  get #outlook(): Outlook {
    return { model: this.#model, ports: this.#parts.fit.ports, assignment: this.#assignment };
  }
}
