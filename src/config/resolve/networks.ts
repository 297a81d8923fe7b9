// SPDX-License-Identifier: Apache-2.0
/** ExternalNetwork and Appliance → networks, the box's own settings and their interfaces. */
import { modelLimits } from '../../model/limits.ts';
import type {
  Appliance,
  HostSettings,
  Interface,
  Network,
  StaticRoute,
} from '../../model/model.ts';
import { formatIpv4, type Ipv4Prefix } from '../../net/ipv4.ts';
import { applianceKind } from '../kinds/appliance.ts';
import { bgpPeerKind } from '../kinds/bgp-peer.ts';
import { egressGatewayKind } from '../kinds/egress-gateway.ts';
import { externalNetworkKind } from '../kinds/external-network.ts';
import type { AnyAddress, CidrV4 } from '../schema/shape-scalars.ts';
import type { Located, Place, Report } from '../yaml/located.ts';
import { formatLocation, makeReport } from '../yaml/located.ts';
import type { Catalog } from './catalog.ts';
import type { ResolvedFeatures } from './features.ts';

type ApplianceSpec = ReturnType<typeof applianceSpec>;
function applianceSpec(catalog: Catalog) {
  return catalog.of(applianceKind)[0]?.fields.spec;
}

export function resolveNetworks(
  catalog: Catalog,
  { features, reservedTables, networkSupportAt }: ResolvedFeatures,
  report: Report,
): Network[] {
  const spec = applianceSpec(catalog);
  for (const { name } of spec?.networks?.value ?? []) {
    if (name) findNetwork(catalog, name, report);
  }
  const owners = new Map<number, Place>();
  const networks: Network[] = [];
  for (const resource of catalog.of(externalNetworkKind)) {
    const index = resource.fields.spec?.routeTableIndex;
    if (index === undefined) continue;
    checkIndex(index, owners, reservedTables, report);
    const extra = spec?.networks?.value.find(({ name }) => name?.value === resource.name);
    networks.push({
      name: resource.name,
      at: resource.nameAt.at,
      routeTableIndex: index.value,
      interfaces: extra?.interfaces?.value.map(({ value }) => value) ?? [],
      vrfDevice: extra?.vrfDevice?.value,
      routesReserved: extra?.limits?.routes?.value,
      staticRoutes: staticRoutes(extra?.staticRoutes?.value),
    });
  }
  if (networks.length > modelLimits.networks) {
    const at = networks[modelLimits.networks]?.at;
    report.error(
      { at: at ?? { file: '', line: 1, column: 1 }, path: 'metadata.name' },
      `there are ${networks.length} ExternalNetworks; at most ${modelLimits.networks} are possible`,
      'Leave out those that nothing uses.',
    );
  }
  if (features.hasExternalNetworks || networks.length === 0) return networks;
  // A value that is broken has its own message.
  if (networkSupportAt === 'broken') return networks;
  if (isAnyUsed(catalog)) {
    const place = networkSupportAt ?? { at: networks[0]?.at ?? startOfNothing, path: '' };
    report.error(
      { at: place.at, path: 'spec.externalNetworkSupport' },
      'must be Enabled for ExternalNetworks to work',
      'FelixConfiguration default: spec: { externalNetworkSupport: Enabled }.',
    );
    return networks;
  }
  report.note(networks[0]?.at, 'externalNetworkSupport is not Enabled: ExternalNetworks are off');
  return [];
}

/** Whether a neighbor, a gateway or the Appliance names a network. */
function isAnyUsed(catalog: Catalog): boolean {
  const isNonEmpty = (list: { readonly value: readonly unknown[] } | undefined) =>
    list !== undefined && list.value.length > 0;
  return (
    catalog.of(bgpPeerKind).some(({ fields }) => fields.spec?.externalNetwork) ||
    catalog.of(egressGatewayKind).some(({ fields }) => isNonEmpty(fields.spec?.externalNetworks)) ||
    isNonEmpty(applianceSpec(catalog)?.networks)
  );
}

const startOfNothing = { file: '', line: 1, column: 1 };

function checkIndex(
  index: Located<number>,
  owners: Map<number, Place>,
  reservedTables: ResolvedFeatures['reservedTables'],
  report: Report,
): void {
  const owner = owners.get(index.value);
  if (owner === undefined) {
    owners.set(index.value, index);
  } else {
    report.error(
      index,
      `${index.value} is already the table of the network at ${formatLocation(owner.at)}`,
      'Each ExternalNetwork needs a table of its own.',
    );
  }
  const range = reservedTables.find(({ min, max }) => index.value >= min && index.value <= max);
  if (range === undefined) return;
  report.error(
    index,
    `${index.value} lies in routeTableRanges (${range.min} to ${range.max})`,
    'Choose an index outside, for example 500, or change routeTableRanges in FelixConfiguration.',
  );
}

/** Whether a name is an ExternalNetwork's; reported when not. */
export function findNetwork(catalog: Catalog, name: Located<string>, report: Report): boolean {
  if (catalog.isNamed(externalNetworkKind, name.value)) return true;
  const known = catalog.of(externalNetworkKind).map((network) => network.name);
  report.error(
    name,
    `the ExternalNetwork ${name.value} does not exist`,
    known.length > 0 ? `There are: ${known.join(', ')}.` : 'There is none.',
  );
  return false;
}

export function resolveAppliance(catalog: Catalog, report: Report): Appliance {
  const [resource, second] = catalog.of(applianceKind);
  if (resource && second) {
    report.error(
      second.nameAt,
      `there is an Appliance already, at ${formatLocation(resource.nameAt.at)}`,
      'A configuration is for one box.',
    );
  }
  const spec = resource?.fields.spec ?? emptyAppliance();
  const { nat } = spec;
  return {
    name: resource?.name ?? 'egret',
    interfaces: resolveInterfaces(spec, report),
    staticRoutes: staticRoutes(spec.routes.static?.value),
    mirror: { isOn: spec.routes.mirror.value, protocol: spec.routes.protocol.value },
    nat: {
      mapping: nat.mapping.value,
      filtering: nat.filtering.value,
      udpTimeoutMs: nat.timeouts.udp.value,
      tcpEstablishedTimeoutMs: nat.timeouts.tcpEstablished.value,
      tcpTransitoryTimeoutMs: nat.timeouts.tcpTransitory.value,
      icmpTimeoutMs: nat.timeouts.icmp.value,
      portQuarantineMs: nat.portQuarantine.value,
      clientSessionsMax: nat.clientSessions.value,
      icmpErrorsPerSecond: nat.icmpErrorsPerSecond.value,
    },
    limits: { sessions: spec.limits.sessions?.value, routes: spec.limits.routes?.value },
    logLevel: spec.log.level.value,
    metricsListen: spec.metrics.listen?.value,
    isWatchingConfig: spec.config.watch.value,
    host: hostSettings(spec),
  };
}

/** The defaults of every field, for a configuration without Appliance. */
function emptyAppliance(): NonNullable<ApplianceSpec> {
  const { spec } = applianceKind.fields;
  const nowhere = { at: startOfNothing, path: 'spec' };
  return spec.whenAbsent(nowhere, makeReport());
}

function hostSettings({ system, interfaces }: NonNullable<ApplianceSpec>): HostSettings {
  const textOf = ({ value }: Located<AnyAddress>): string =>
    value.family === 4 ? formatIpv4(value.address) : value.text;
  return {
    hostname: system.hostname?.value,
    dns: system.dns?.value.map(textOf) ?? [],
    ntp: system.ntp?.value.map(({ value }) => value) ?? [],
    interfaces: (interfaces?.value ?? []).flatMap(({ name, vlan, bond, ...one }) => {
      if (name === undefined) return [];
      const isManagement = one.role.value === 'Management';
      const addresses = one.addresses?.value.map(({ value }) => value) ?? [];
      const isWritten = one.present.includes('dhcp');
      return [
        {
          name: name.value,
          mac: one.match?.mac?.value.toLowerCase(),
          isManagement,
          isDhcp: isWritten ? one.dhcp.value : isManagement && addresses.length === 0,
          addresses,
          gateway: one.gateway && textOf(one.gateway),
          mtu: one.mtu?.value,
          vlan: vlan?.parent && vlan.id && { parent: vlan.parent.value, id: vlan.id.value },
          bond: bond?.members && {
            members: bond.members.value.map(({ value }) => value),
            mode: bond.mode.value,
          },
        },
      ];
    }),
  };
}

/** Roles, after networks[].interfaces has claimed its own. Members of bonds are no ports. */
function resolveInterfaces(spec: NonNullable<ApplianceSpec>, report: Report): Interface[] {
  const claims = new Map<string, Located<string>>();
  for (const network of spec.networks?.value ?? []) {
    for (const one of network.interfaces?.value ?? []) {
      if (!claims.has(one.value)) claims.set(one.value, one);
      if (one.value === 'lo') report.error(one, 'lo is never a port', 'Leave it out.');
    }
  }
  const members = new Map<string, Located<string>>();
  for (const { bond } of spec.interfaces?.value ?? []) {
    for (const member of bond?.members?.value ?? []) members.set(member.value, member);
  }
  for (const [name, claim] of claims) {
    const member = members.get(name);
    if (member === undefined) continue;
    report.error(
      claim,
      `${name} is a member of a bond (${formatLocation(member.at)}), and no port itself`,
      'Name the bond.',
    );
  }
  const interfaces: Interface[] = [];
  for (const { name, role, driver, poll, allowFrom } of spec.interfaces?.value ?? []) {
    if (name === undefined || members.has(name.value)) continue;
    const claim = claims.get(name.value);
    const isConflict = role.value === 'Clients' || role.value === 'Management';
    if (claim && isConflict) {
      report.error(
        role,
        `${name.value} is an interface of a network (${formatLocation(claim.at)}), so that its role cannot be ${role.value}`,
        'Give it the role Networks, or take it out of networks[].interfaces.',
      );
    }
    interfaces.push({
      name: name.value,
      role: claim ? 'Networks' : role.value,
      driver: driver.value,
      poll: poll.value,
      allowFrom: allowFrom?.value.map(({ value }) => value.text),
    });
  }
  const portNames = new Set([
    ...claims.keys(),
    ...interfaces.filter(({ role }) => role !== 'Management').map(({ name }) => name),
  ]);
  if (spec.interfaces && portNames.size > modelLimits.interfaces) {
    report.error(
      spec.interfaces,
      `${portNames.size} ports; at most ${modelLimits.interfaces} are possible`,
      'Leave out those that lead nowhere.',
    );
  }
  return interfaces;
}

interface WrittenRoute {
  readonly destination: Located<CidrV4> | undefined;
  readonly nextHop: Located<number> | undefined;
}

function staticRoutes(routes: readonly WrittenRoute[] | undefined): StaticRoute[] {
  const resolved: StaticRoute[] = [];
  for (const { destination, nextHop } of routes ?? []) {
    if (destination === undefined || nextHop === undefined) continue;
    const { prefix } = destination.value as { readonly prefix: Ipv4Prefix };
    resolved.push({ destination: prefix, nextHop: nextHop.value, at: nextHop.at });
  }
  return resolved;
}
