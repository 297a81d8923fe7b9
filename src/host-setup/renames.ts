// SPDX-License-Identifier: Apache-2.0
/**
 * Interfaces that are known by their MAC and have another name in the kernel. Pure.
 *
 * A name that is taken by another device is made free first: two devices may exchange their names.
 */
import type { HostSnapshot } from '../kernel/host-snapshot.ts';
import type { InterfaceSettings } from '../model/model.ts';

export interface Rename {
  readonly from: string;
  readonly to: string;
}

/** Kinds of devices that are made on others, and have their MAC. */
const madeKinds = ['vlan', 'bond', 'bridge', 'macvlan', 'vrf'];

/** @returns in the order in which they are to be done */
export function renamesOf(
  interfaces: readonly InterfaceSettings[],
  snapshot: HostSnapshot,
): Rename[] {
  const devices = [...snapshot.links.values()].filter(({ kind }) => !madeKinds.includes(kind));
  const wanted = interfaces.flatMap(({ name, mac }) => {
    const device = devices.find((link) => mac !== undefined && hardwareMac(link) === mac);
    return device && device.name !== name ? [{ from: device.name, to: name }] : [];
  });
  const taken = new Set(snapshot.links.keys());
  const aside: Rename[] = [];
  const done: Rename[] = [];
  for (const { from, to } of wanted) {
    const device = snapshot.links.get(from)!;
    if (!taken.has(to)) {
      done.push({ from, to });
      continue;
    }
    // Of the device that has the name now: it gets another for good, or for a moment.
    const holder = snapshot.links.get(to)!;
    const asideName = `egret${holder.ifindex}`;
    if (!aside.some((row) => row.from === to)) aside.push({ from: to, to: asideName });
    done.push({ from: device.name, to });
  }
  const now = new Map(aside.map(({ from, to }) => [from, to]));
  return [...aside, ...done.map(({ from, to }) => ({ from: now.get(from) ?? from, to }))];
}

/** A member of a bond has the bond's MAC, and its own as the permanent one. */
function hardwareMac({ mac, permanentMac }: { mac: string; permanentMac: string }): string {
  return permanentMac === '' ? mac : permanentMac;
}
