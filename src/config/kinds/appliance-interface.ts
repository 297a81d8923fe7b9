// SPDX-License-Identifier: Apache-2.0
/**
 * Appliance.spec.interfaces[]: which interfaces are ports, and, for a box whose interfaces egretd sets
 * up (`egret run --manage-host`), what each of them is: its MAC, addresses, VLAN, bond.
 *
 * Whether the kernel has such an interface is no error of the text.
 */
import { parseIpv4Prefix, prefixHolds } from '../../net/ipv4.ts';
import {
  defaulted,
  distinct,
  list,
  mapping,
  optional,
  required,
  type Shape,
} from '../schema/shape.ts';
import {
  anyAddress,
  boolean,
  choice,
  exactCidr,
  integer,
  interfaceAddress,
  interfaceName,
  text,
} from '../schema/shape-scalars.ts';
import type { Located, Report } from '../yaml/located.ts';
import { formatLocation } from '../yaml/located.ts';

/** What a note says of a field that has no effect without it. */
export const hostOnly = 'applied only by the image, with --manage-host';

const vlan = mapping('interfaces[].vlan', {
  parent: required(interfaceName, 'Interface that carries the tagged frames'),
  id: required(integer(1, 4094), 'VLAN identifier (IEEE 802.1Q)'),
});

const bond = mapping('interfaces[].bond', {
  members: required(list(interfaceName, { min: 1 }), 'Interfaces that it is made of'),
  mode: defaulted(
    choice(
      'active-backup',
      '802.3ad',
      'balance-rr',
      'balance-xor',
      'broadcast',
      'balance-tlb',
      'balance-alb',
    ),
    'active-backup',
    'How they are used; 802.3ad is LACP',
  ),
});

export const applianceInterface = mapping('interfaces[]', {
  name: required(interfaceName, 'Name in the kernel'),
  role: defaulted(
    choice('Clients', 'Networks', 'Any', 'Management'),
    'Any',
    'Who may be behind it; Management is never a port, and SSH and metrics answer there alone',
  ),
  allowFrom: optional(
    list(exactCidr),
    'Of role Management: prefixes from which SSH and metrics are reached; all when absent',
  ),
  driver: defaulted(choice('auto', 'packet', 'xdp', 'tun'), 'auto', 'How packets are taken'),
  poll: defaulted(
    choice('Adaptive', 'Busy'),
    'Adaptive',
    'Whether a worker spins while nothing comes',
  ),
  match: optional(
    mapping('interfaces[].match', {
      mac: required(
        text({ pattern: /^([0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}$/, says: 'a MAC address' }),
        'Its MAC',
      ),
    }),
    `The interface with this MAC gets the name; ${hostOnly}`,
  ),
  dhcp: defaulted(
    boolean,
    false,
    `Whether its address comes by DHCPv4; true for Management without addresses; ${hostOnly}`,
  ),
  addresses: optional(
    list(interfaceAddress, { max: 64 }),
    `Its addresses with prefix length, and no others; ${hostOnly}`,
  ),
  gateway: optional(
    anyAddress,
    `Of role Management: router of the management plane's default route; ${hostOnly}`,
  ),
  mtu: optional(integer(68, 65535), `Its MTU; ${hostOnly}`),
  vlan: optional(vlan, `It is a VLAN of another interface; ${hostOnly}`),
  bond: optional(bond, `It is a bond of others; ${hostOnly}`),
});

export type ApplianceInterface = typeof applianceInterface extends Shape<infer Out> ? Out : never;

/** Fields that have no effect unless egretd sets up the host. */
const hostFields = ['match', 'dhcp', 'addresses', 'gateway', 'mtu', 'vlan', 'bond'] as const;

function isWritten(
  one: { readonly present: readonly string[] },
  ...names: readonly string[]
): boolean {
  return names.some((name) => one.present.includes(name));
}

export function checkApplianceInterfaces(
  interfaces: readonly ApplianceInterface[],
  report: Report,
): void {
  distinct(interfaces, ({ name }) => name, report, 'the interface');
  distinct(
    interfaces,
    ({ match }) => match?.mac && { ...match.mac, value: match.mac.value.toLowerCase() },
    report,
    'the MAC',
  );
  distinct(
    interfaces,
    ({ vlan: written }) =>
      written?.parent &&
      written.id && { ...written.id, value: `${written.id.value} of ${written.parent.value}` },
    report,
    'the VLAN',
  );
  for (const one of interfaces) checkInterface(one, report);
  checkBonds(interfaces, report);
  checkVlans(interfaces, report);
}

function checkInterface(one: ApplianceInterface, report: Report): void {
  const { name, role, vlan: asVlan, bond: asBond } = one;
  const isManagement = role.value === 'Management';
  if (name?.value === 'lo' && !isManagement) {
    report.error(name, 'lo is never a port', 'Leave it out.');
  }
  // Of systemd-networkd, which reads them: other characters are patterns or quotes there.
  if (name && isWritten(one, ...hostFields) && !/^[\w.-]+$/.test(name.value)) {
    report.error(
      name,
      'has a character that no interface set up here may have',
      'Use a-z, 0-9, . _ -.',
    );
  }
  for (const field of ['allowFrom', 'gateway'] as const) {
    const place = one[field];
    if (!place || isManagement) continue;
    const hint =
      field === 'gateway'
        ? 'A network has staticRoutes, the main table routes.static.'
        : 'Ports have no open port but BGP of configured neighbors.';
    report.error(place, `is for role Management, not ${role.value}`, hint);
  }
  if (asVlan && asBond) {
    report.error(asBond, 'a VLAN is no bond', 'Make the bond, and the VLAN with it as parent.');
  }
  if (one.match && (asVlan || asBond)) {
    report.error(one.match, 'matches a device of the box, not one that is made', 'Leave it out.');
  }
  distinct(one.addresses?.value ?? [], (address) => address, report, 'the address');
  checkGateway(one, report);
}

/** Without the prefix of its router the kernel refuses a default route. */
function checkGateway({ gateway, addresses, dhcp }: ApplianceInterface, report: Report): void {
  if (!gateway) return;
  const { value } = gateway;
  const own = addresses?.value ?? [];
  const isOnLink =
    value.family === 6
      ? own.some((address) => address.value.includes(':'))
      : own.some((address) => {
          const prefix = parseIpv4Prefix(address.value);
          return prefix !== undefined && prefixHolds(prefix, value.address);
        });
  if (isOnLink) return;
  report.error(
    gateway,
    'is on the link of no address of this interface',
    dhcp.value ? 'DHCP gives a default route by itself.' : 'Give addresses in its prefix.',
  );
}

function checkBonds(interfaces: readonly ApplianceInterface[], report: Report): void {
  const byName = new Map(interfaces.map((one) => [one.name?.value, one]));
  const owners = new Map<string, Located<string>>();
  for (const { name, bond: written } of interfaces) {
    for (const member of written?.members?.value ?? []) {
      const owner = owners.get(member.value);
      if (owner) {
        const where = formatLocation(owner.at);
        report.error(member, `${member.value} is in a bond already, at ${where}`, 'Remove one.');
        continue;
      }
      owners.set(member.value, member);
      if (member.value === name?.value) {
        report.error(member, 'is the bond itself', 'Name the interfaces that it is made of.');
        continue;
      }
      const one = byName.get(member.value);
      const wrong =
        one?.vlan || one?.bond
          ? one.name
          : one &&
            (['addresses', 'gateway', 'allowFrom', 'dhcp', 'role', 'driver', 'poll'] as const)
              .filter((field) => isWritten(one, field))
              .map((field) => one[field])[0];
      if (!wrong) continue;
      report.error(
        wrong,
        `${member.value} is a member of the bond ${name?.value}, which is the interface that has this`,
        'A member has a name, match and mtu at most, and is no VLAN or bond.',
      );
    }
  }
  for (const { vlan: written } of interfaces) {
    const parent = written?.parent;
    if (!parent || !owners.has(parent.value)) continue;
    report.error(
      parent,
      `${parent.value} is a member of a bond, and carries no VLAN of its own`,
      'The bond is the parent.',
    );
  }
}

function checkVlans(interfaces: readonly ApplianceInterface[], report: Report): void {
  const byName = new Map(interfaces.map((one) => [one.name?.value, one]));
  for (const { name, vlan: written, mtu } of interfaces) {
    const parent = written?.parent;
    if (!parent) continue;
    const seen = new Set([name?.value]);
    let next: string | undefined = parent.value;
    while (next !== undefined && !seen.has(next)) {
      seen.add(next);
      next = byName.get(next)?.vlan?.parent?.value;
    }
    if (next !== undefined) {
      report.error(parent, 'the VLAN is its own parent', 'Name the interface below it.');
    }
    const room = byName.get(parent.value)?.mtu;
    if (mtu && room && mtu.value > room.value) {
      report.error(
        mtu,
        `is larger than ${room.value}, the MTU of its parent ${parent.value}`,
        'A tagged frame is no larger than its parent carries.',
      );
    }
  }
}

/** Says which fields have no effect where egretd does not set up the host. */
export function noteHostFields(interfaces: readonly ApplianceInterface[], report: Report): void {
  for (const one of interfaces) {
    for (const field of hostFields) {
      const place = one[field];
      if (place && isWritten(one, field)) {
        report.note(place.at, `Appliance: interfaces[].${field} is ${hostOnly}`, true);
      }
    }
  }
}
