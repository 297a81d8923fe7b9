// SPDX-License-Identifier: Apache-2.0
/**
 * How this host fits a configuration now, for `egret check --on-box`: judged by the functions that
 * egretd judges by, over facts that are read from the kernel as egretd reads them. No egretd needs to
 * run. What only a running egretd knows, the room in its arena, is left out.
 */
import { type HostFault, type HostVerdict, lineOf } from './appliance/host/host-faults.ts';
import { portsOf, verdictOn } from './appliance/host/host-view.ts';
import { netlinkSockets } from './appliance/host/native-sockets.ts';
import { readStateFile, type State } from './appliance/restart/run-dir.ts';
import type { HostNote } from './config/check.ts';
import { HostState } from './kernel/host.ts';
import { type Foreign, readForeignRoutes } from './kernel/mirror-read.ts';
import { Rtnetlink } from './kernel/rtnetlink.ts';
import { systemClock } from './lib/clock.ts';
import { silentLog } from './lib/log.ts';
import { WorkQueue } from './lib/work-queue.ts';
import type { Model } from './model/model.ts';
import { formatIpv4 } from './net/ipv4.ts';

/** The facts of this host; to be closed, or the process does not exit. */
export class Box {
  readonly #rtnetlink: Rtnetlink;
  readonly #host: HostState;
  readonly #state: State;

  private constructor(rtnetlink: Rtnetlink, host: HostState, state: State) {
    this.#rtnetlink = rtnetlink;
    this.#host = host;
    this.#state = state;
  }

  /**
   * @param runDir - of egretd: its state file names the tables whose routes are its own
   * @throws EgretError ACCESS_DENIED, NETLINK_REFUSED, NATIVE_FAILED
   */
  static async open(runDir: string): Promise<Box> {
    const state = readStateFile(runDir);
    const queue = new WorkQueue(systemClock);
    const rtnetlink = new Rtnetlink(netlinkSockets, systemClock, queue);
    try {
      const around = { netlinkSockets, rtnetlink, clock: systemClock, queue, log: silentLog };
      return new Box(rtnetlink, await HostState.open({ ...around, mirrorProtocol: 0 }), state);
    } catch (error) {
      rtnetlink.close();
      throw error;
    }
  }

  /** @throws EgretError NETLINK_REFUSED */
  async verdictOn(model: Model): Promise<HostVerdict> {
    const snapshot = this.#host.snapshot();
    return verdictOn(model, snapshot, portsOf(model, snapshot), await this.#foreign(model));
  }

  /** The same in words. */
  async notesOn(model: Model): Promise<HostNote[]> {
    return notesOf(await this.verdictOn(model));
  }

  close(): void {
    this.#host.close();
    this.#rtnetlink.close();
  }

  async #foreign(model: Model): Promise<Map<number, Foreign>> {
    const found = new Map<number, Foreign>();
    const { isOn, protocol } = model.appliance.mirror;
    const { mirroredTables, mirrorProtocol } = this.#state;
    for (const { routeTableIndex: table } of isOn ? model.networks : []) {
      const ours = mirroredTables.includes(table) ? [protocol, mirrorProtocol] : [];
      const snapshot = this.#host.snapshot();
      const foreign = await readForeignRoutes(this.#rtnetlink, table, ours, snapshot);
      if (foreign) found.set(table, foreign);
    }
    return found;
  }
}

/** One note for each fault, with what follows from it. */
export const notesOf = (verdict: HostVerdict): HostNote[] =>
  verdict.faults.map((fault) => ({
    at: fault.at,
    text: `${consequence(verdict, fault)}: ${lineOf(fault)}`,
    hint: fault.hint,
  }));

function consequence({ notReady }: HostVerdict, { network, neighbor }: HostFault): string {
  const isNotReady = notReady.has(network);
  if (network !== undefined && isNotReady) return `network ${network} will not be ready`;
  if (neighbor !== undefined) {
    const whose = network === undefined ? '' : ` of network ${network}`;
    return `neighbor ${formatIpv4(neighbor)}${whose} will not come up`;
  }
  if (network !== undefined) return `network ${network} will be ready by another way`;
  return isNotReady
    ? 'gateways of the main table will not be ready'
    : 'a static route of the main table will not be used';
}
