// SPDX-License-Identifier: Apache-2.0
/** The forwarder's open ports, made those that were chosen and whose interfaces are there. */
import type { ArenaDataPlane } from '../../dataplane/arena.ts';
import type { Forwarder } from '../../dataplane/forwarder.ts';
import type { PortChoice } from '../../egress/ports.ts';
import type { HostSnapshot } from '../../kernel/host-snapshot.ts';
import type { Log } from '../../lib/log.ts';

interface Surroundings {
  readonly dataPlane: ArenaDataPlane;
  readonly forwarder: Forwarder;
  readonly log: Log;
}

/** @returns whether all of them are open; those that are not are to be tried again */
export function openPorts(
  choices: readonly PortChoice[],
  { links }: HostSnapshot,
  { dataPlane, forwarder, log }: Surroundings,
): boolean {
  const wanted = new Map<number, number>();
  for (const { name, fault } of choices) {
    const link = links.get(name);
    if (link && fault === undefined) wanted.set(dataPlane.portSlot(name), link.ifindex);
  }
  for (const slot of forwarder.openPorts().keys()) {
    if (!wanted.has(slot)) forwarder.closePort(slot);
  }
  let areOpen = true;
  for (const [slot, ifindex] of wanted) {
    try {
      forwarder.openPort(slot, ifindex);
    } catch (error) {
      log.warn({ error, ifindex }, 'port did not open; it is tried again');
      areOpen = false;
    }
  }
  return areOpen;
}
