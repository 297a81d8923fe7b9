// SPDX-License-Identifier: Apache-2.0
/**
 * Devices as systemd-networkd's files: one .network for each, one .netdev for each that is made, one
 * .link for each that is known by its MAC (systemd.network(5), systemd.netdev(5), systemd.link(5)).
 * Pure. A file says all of its own device and nothing of others, so that networkd leaves devices alone
 * whose file stays the same.
 */
import { managementVrf } from '../model/model.ts';
import type { Device } from './devices.ts';

/** By path. */
export type Files = ReadonlyMap<string, string>;

export const networkFolder = '/run/systemd/network';
/** Of files that are egretd's; sorts before the image's default. */
export const filePrefix = '10-egret-';
/** networkd reads it when it starts. */
export const networkdConf = '/run/systemd/networkd.conf.d/10-egret.conf';

const origin = '# Made by egretd (--manage-host) from the Appliance. Changes here are lost.';

/** Users whose programs reach DNS and NTP servers by the management plane, with their numbers. */
export type ServiceUsers = ReadonlyMap<string, number>;
export const serviceUserNames = ['systemd-resolve', 'systemd-timesync', '_chrony'] as const;

/** Before the main table, behind the networks' rules. */
const servicePriority = 200;

type Section = readonly [name: string, ...lines: (string | undefined)[]];

export function text(...sections: readonly (Section | undefined)[]): string {
  const parts = sections.flatMap((section) => {
    if (section === undefined) return [];
    const [name, ...lines] = section;
    return [
      `[${name}]\n${lines.flatMap((line) => (line === undefined ? [] : `${line}\n`)).join('')}`,
    ];
  });
  return `${origin}\n\n${parts.join('\n')}`;
}

export function networkdFiles(devices: readonly Device[], users: ServiceUsers): Files {
  const files = new Map<string, string>();
  const put = (name: string, kind: string, content: string | undefined): void => {
    if (content !== undefined) files.set(`${networkFolder}/${filePrefix}${name}.${kind}`, content);
  };
  for (const device of devices) {
    put(device.name, 'netdev', netdev(device));
    put(device.name, 'link', link(device));
    put(device.name, 'network', network(device, users));
  }
  // Routes and rules that egretd makes are none of networkd's.
  const manageForeign = ['ManageForeignRoutes=no', 'ManageForeignRoutingPolicyRules=no'];
  files.set(networkdConf, text(['Network', ...manageForeign]));
  return files;
}

function netdev({ name, table, settings }: Device): string | undefined {
  const made = (kind: string): Section => ['NetDev', `Name=${name}`, `Kind=${kind}`];
  if (table !== undefined) return text(made('vrf'), ['VRF', `Table=${table}`]);
  if (settings?.vlan) return text(made('vlan'), ['VLAN', `Id=${settings.vlan.id}`]);
  if (settings?.bond) {
    // Without watching the carrier a dead member is used on.
    return text(made('bond'), ['Bond', `Mode=${settings.bond.mode}`, 'MIIMonitorSec=100ms']);
  }
  return undefined;
}

/** A device that is plugged in later has its name from the start; renames.ts names those that are there. */
function link({ name, settings }: Device): string | undefined {
  if (settings?.mac === undefined) return undefined;
  return text(
    ['Match', `PermanentMACAddress=${settings.mac}`],
    ['Link', 'NamePolicy=', `Name=${name}`],
  );
}

function network(device: Device, users: ServiceUsers): string {
  const { name, settings, vlans, bond, vrf, isOfNetwork, table } = device;
  const isManagement = settings?.isManagement === true;
  const isDhcp = settings?.isDhcp === true;
  const hasAddresses = (settings?.addresses.length ?? 0) > 0;
  return text(
    ['Match', `Name=${name}`],
    [
      'Link',
      settings?.mtu === undefined ? undefined : `MTUBytes=${settings.mtu}`,
      'RequiredForOnline=no',
    ],
    [
      'Network',
      `DHCP=${isDhcp ? 'ipv4' : 'no'}`,
      // No service answers on a port's link-local address when there is none.
      `LinkLocalAddressing=${isManagement ? 'ipv6' : 'no'}`,
      `IPv6AcceptRA=${isManagement ? 'yes' : 'no'}`,
      'LLMNR=no',
      'MulticastDNS=no',
      // An address stays through a loss of carrier: so do sessions.
      hasAddresses || table !== undefined ? 'ConfigureWithoutCarrier=yes' : undefined,
      ...(settings?.addresses ?? []).map((address) => `Address=${address}`),
      settings?.gateway && `Gateway=${settings.gateway}`,
      ...vlans.map((vlan) => `VLAN=${vlan}`),
      bond && `Bond=${bond}`,
      vrf && `VRF=${vrf}`,
    ] as Section,
    isDhcp
      ? [
          'DHCPv4',
          // The same lease after each boot, whatever the machine's identifier.
          'ClientIdentifier=mac',
          `UseDNS=${isManagement ? 'yes' : 'no'}`,
          `UseNTP=${isManagement ? 'yes' : 'no'}`,
          `UseRoutes=${isOfNetwork ? 'no' : 'yes'}`,
          'UseHostname=no',
        ]
      : undefined,
    ...(name === managementVrf.device && table !== undefined ? serviceRules(users) : []),
  );
}

/**
 * Programs that know nothing of VRFs ask by the management plane: their users' packets are looked up
 * in its table. Answers find them by net.ipv4.udp_l3mdev_accept (set-up-plan.ts).
 */
function serviceRules(users: ServiceUsers): Section[] {
  return [...users].map(([, uid]) => [
    'RoutingPolicyRule',
    `User=${uid}`,
    `Table=${managementVrf.table}`,
    `Priority=${servicePriority}`,
    'Family=both',
  ]);
}
