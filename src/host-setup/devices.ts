// SPDX-License-Identifier: Apache-2.0
/**
 * Which devices `egret run --manage-host` makes or changes, and how they hang together: the Appliance's
 * interfaces, what they are made of, and a VRF device for each network that names one and for the
 * management plane. Pure.
 *
 * An interface of which the configuration sets nothing is left alone.
 */
import { type InterfaceSettings, type Model, managementVrf } from '../model/model.ts';

export interface Device {
  readonly name: string;
  /** What is written of it; undefined: it is only a part of another, or a VRF device. */
  readonly settings: InterfaceSettings | undefined;
  /** Devices that are made on it. */
  readonly vlans: readonly string[];
  /** The bond that it is a member of. */
  readonly bond: string | undefined;
  readonly vrf: string | undefined;
  /** It is a network's: routes that DHCP gives are not put into the main table. */
  readonly isOfNetwork: boolean;
  /** Table of a VRF device. */
  readonly table: number | undefined;
}

/** @returns by name */
export function devicesOf(model: Model): Device[] {
  const { interfaces } = model.appliance.host;
  const vrfs = new Map<string, string>();
  const ofNetworks = new Set<string>();
  const tables = new Map<string, number>();
  for (const network of model.networks) {
    const { vrfDevice } = network;
    if (vrfDevice !== undefined) tables.set(vrfDevice, network.routeTableIndex);
    for (const name of network.interfaces) {
      ofNetworks.add(name);
      if (vrfDevice !== undefined) vrfs.set(name, vrfDevice);
    }
  }
  for (const { name, isManagement } of interfaces) {
    if (!isManagement) continue;
    vrfs.set(name, managementVrf.device);
    tables.set(managementVrf.device, managementVrf.table);
  }
  const settings = new Map(interfaces.map((one) => [one.name, one]));
  const bonds = new Map(
    interfaces.flatMap(({ name, bond }) => (bond?.members ?? []).map((member) => [member, name])),
  );
  const vlans = Map.groupBy(
    interfaces.filter(({ vlan }) => vlan !== undefined),
    ({ vlan }) => vlan!.parent,
  );
  const names = [
    ...[...tables.keys(), ...vrfs.keys(), ...bonds.keys(), ...vlans.keys()],
    ...interfaces.filter(isSetUp).map(({ name }) => name),
  ];
  return [...new Set(names)].sort().map((name) => ({
    name,
    settings: settings.get(name),
    vlans: (vlans.get(name) ?? []).map((vlan) => vlan.name).sort(),
    bond: bonds.get(name),
    vrf: vrfs.get(name),
    isOfNetwork: ofNetworks.has(name),
    table: tables.get(name),
  }));
}

function isSetUp(one: InterfaceSettings): boolean {
  const made = one.vlan ?? one.bond;
  return (
    made !== undefined ||
    one.isDhcp ||
    one.isManagement ||
    one.addresses.length > 0 ||
    (one.mac ?? one.mtu) !== undefined
  );
}
