// SPDX-License-Identifier: Apache-2.0
/** BGPPeer, BGPFilter and Secret → neighbors of this box, and their filters. */
import type {
  BgpFilter,
  BgpSettings,
  FilterRule,
  Neighbor,
  ResourceName,
} from '../../model/model.ts';
import { formatDurationMs } from '../../net/duration.ts';
import { formatIpv4 } from '../../net/ipv4.ts';
import { bgpFilterKind, type WrittenFilterRule } from '../kinds/bgp-filter.ts';
import { bgpPeerKind, parsePeerIp } from '../kinds/bgp-peer.ts';
import type { Resource } from '../kinds/kind.ts';
import { secretKind, secretPassword } from '../kinds/secret.ts';
import type { Located, Place, Report } from '../yaml/located.ts';
import { formatLocation } from '../yaml/located.ts';
import type { Box } from './box.ts';
import type { Catalog } from './catalog.ts';
import { checkNeighborSettings, neighborSettings } from './neighbor-settings.ts';
import { findNetwork } from './networks.ts';

type Peer = Resource<(typeof bgpPeerKind)['fields']>;
type PeerSpec = NonNullable<Peer['fields']['spec']>;

export interface ResolvedNeighbors {
  readonly neighbors: readonly Neighbor[];
  readonly elsewhere: readonly ResourceName[];
}

export function resolveNeighbors(
  catalog: Catalog,
  box: Box,
  bgp: BgpSettings,
  report: Report,
): ResolvedNeighbors {
  const neighbors: Neighbor[] = [];
  const elsewhere: ResourceName[] = [];
  const owners = new Map<string, Place>();
  for (const peer of catalog.of(bgpPeerKind)) {
    const { spec } = peer.fields;
    if (spec === undefined) continue;
    if (spec.externalNetwork) findNetwork(catalog, spec.externalNetwork, report);
    for (const filter of spec.filters?.value ?? []) {
      if (catalog.isNamed(bgpFilterKind, filter.value)) continue;
      report.error(
        filter,
        `the BGPFilter ${filter.value} does not exist`,
        'Write the BGPFilter, or leave its name out.',
      );
    }
    const password = resolvePassword(catalog, spec, report);
    const isHere =
      (!spec.node || box.isNamed(spec.node.value)) &&
      (!spec.nodeSelector || box.isSelected(spec.nodeSelector));
    if (!isHere) {
      elsewhere.push({ kind: peer.kind, namespace: undefined, name: peer.name });
      continue;
    }
    const neighbor = resolveNeighbor(catalog, peer, spec, bgp, password, report);
    if (neighbor === undefined || spec.peerIP === undefined) continue;
    const key = `${neighbor.network ?? ''}/${neighbor.address}`;
    const owner = owners.get(key);
    if (owner !== undefined) {
      const where =
        neighbor.network === undefined ? 'the main table' : `network ${neighbor.network}`;
      report.error(
        spec.peerIP,
        `${formatIpv4(neighbor.address)} is a neighbor in ${where} already, at ${formatLocation(owner.at)}`,
        'A neighbor is known by its network and its address.',
      );
      continue;
    }
    owners.set(key, spec.peerIP);
    neighbors.push(neighbor);
  }
  checkNeighborSettings(catalog, report);
  return { neighbors, elsewhere };
}

/** @returns undefined for what is no neighbor of this box: noted, or reported by its kind */
function resolveNeighbor(
  catalog: Catalog,
  peer: Peer,
  spec: PeerSpec,
  bgp: BgpSettings,
  password: string | undefined,
  report: Report,
): Neighbor | undefined {
  const selector = spec.peerSelector ?? spec.localWorkloadSelector;
  if (selector) {
    report.note(
      selector.at,
      `BGPPeer ${peer.name} is between nodes of a cluster; no neighbor here`,
    );
    return undefined;
  }
  const address = spec.peerIP && parsePeerIp(spec.peerIP.value);
  if (spec.peerIP === undefined || address === undefined) return undefined;
  if (address.family === 6) {
    report.note(spec.peerIP.at, `BGPPeer ${peer.name} has an IPv6 address and is left out`);
    return undefined;
  }
  if (spec.asNumber === undefined) return undefined;
  const isLong = spec.restartMode.value === 'LongLivedGracefulRestart';
  const settings = neighborSettings(catalog, spec.externalNetwork?.value, address.address);
  const { holdTimeMs } = settings;
  const { keepaliveTime, ttlSecurity, reachableBy } = spec;
  if (keepaliveTime && holdTimeMs > 0 && keepaliveTime.value >= holdTimeMs) {
    report.error(
      keepaliveTime,
      `must be less than the hold time, ${formatDurationMs(holdTimeMs)}`,
      'Appliance bgp.holdTime sets it, or neighbors[].holdTime.',
    );
  }
  if (isLong) {
    const text = 'restartMode LongLivedGracefulRestart is not built yet; GracefulRestart is used';
    report.note(spec.restartMode.at, `BGPPeer ${peer.name}: ${text}`);
  }
  if (ttlSecurity?.value === 0) report.note(ttlSecurity.at, 'ttlSecurity 0 switches GTSM off');
  if (spec.failureDetectionMode?.value === 'BFDIfDirectlyConnected') {
    report.note(spec.failureDetectionMode.at, `BGPPeer ${peer.name}: there is no BFD`);
  }
  if (spec.birdGatewayMode?.value === 'DirectIfDirectlyConnected') {
    report.note(spec.birdGatewayMode.at, 'birdGatewayMode: next hops are resolved recursively');
  }
  if (spec.sourceAddress.value === 'UseNodeIP' && bgp.nodeAddress === undefined) {
    report.note(
      spec.sourceAddress.at,
      'sourceAddress is UseNodeIP and no Node has an address: the kernel chooses',
    );
  }
  return {
    name: peer.name,
    at: spec.peerIP.at,
    network: spec.externalNetwork?.value,
    address: address.address,
    port: address.port ?? 179,
    remoteAs: spec.asNumber.value,
    localAs: spec.localASNumber?.value ?? bgp.localAs,
    sourceAddress: spec.sourceAddress.value,
    password,
    ttlSecurityHops: ttlSecurity && ttlSecurity.value > 0 ? ttlSecurity.value : undefined,
    ...settings,
    keepaliveTimeMs: keepaliveTime?.value,
    restartMode: spec.restartMode.value,
    maxRestartTimeMs: spec.maxRestartTime?.value ?? (isLong ? 3_600_000 : 120_000),
    nextHopMode: spec.keepOriginalNextHop?.value ? 'Keep' : (spec.nextHopMode?.value ?? 'Auto'),
    allowedLocalAsCount: spec.numAllowedLocalASNumbers.value,
    filters: spec.filters?.value.map(({ value }) => value) ?? [],
    reachableBy: reachableBy?.value.family === 4 ? reachableBy.value.address : undefined,
  };
}

/** Namespaces in which a Secret is looked for first: where Calico's node agent runs. */
const secretNamespaces = ['calico-system', 'kube-system', 'default'];

function resolvePassword(catalog: Catalog, spec: PeerSpec, report: Report): string | undefined {
  const reference = spec.password?.secretKeyRef;
  if (reference?.name === undefined || reference.key === undefined) return undefined;
  const { name, key } = reference;
  const named = catalog.of(secretKind).filter((secret) => secret.name === name.value);
  const preferred = secretNamespaces
    .map((namespace) => named.find((secret) => secret.namespace === namespace))
    .find((secret) => secret !== undefined);
  const secret = preferred ?? named[0];
  const isOptional = reference.optional?.value === true;
  if (secret === undefined) {
    if (catalog.isNamed(secretKind, name.value)) return undefined;
    if (isOptional) {
      report.note(name.at, `The Secret ${name.value} does not exist: no TCP-MD5`);
      return undefined;
    }
    report.error(
      name,
      `the Secret ${name.value} does not exist`,
      'Write the Secret, with the password in stringData.',
    );
    return undefined;
  }
  if (preferred === undefined && named.length > 1) {
    report.error(
      name,
      `the Secret ${name.value} stands in ${named.length} namespaces`,
      `Put the one that is meant into ${secretNamespaces[0]}.`,
    );
    return undefined;
  }
  const { stringData, data, present } = secret.fields;
  const value = stringData?.entries.get(key.value) ?? data?.entries.get(key.value);
  if (value !== undefined) return secretPassword(value, report);
  const isBroken =
    (present.includes('stringData') && (!stringData || stringData.keys.has(key.value))) ||
    (present.includes('data') && (!data || data.keys.has(key.value)));
  if (isBroken) return undefined;
  if (isOptional) {
    report.note(key.at, `The Secret ${name.value} has no key ${key.value}: no TCP-MD5`);
    return undefined;
  }
  report.error(
    key,
    `the Secret ${name.value} has no key ${key.value}`,
    'Add it to stringData, or name another.',
  );
  return undefined;
}

export function resolveFilters(catalog: Catalog): BgpFilter[] {
  return catalog.of(bgpFilterKind).map(({ name, fields: { spec } }) => ({
    name,
    importV4: spec.importV4?.value.map(filterRule) ?? [],
    exportV4: spec.exportV4?.value.map(filterRule) ?? [],
    importV6: spec.importV6?.value.map(filterRule) ?? [],
    exportV6: spec.exportV6?.value.map(filterRule) ?? [],
  }));
}

function filterRule(rule: WrittenFilterRule): FilterRule {
  return {
    action: rule.action?.value ?? 'Reject',
    prefix: filterPrefix(rule),
    source: rule.source?.value,
    interface: rule.interface?.value,
    peerType: rule.peerType?.value,
    community: rule.communities?.values?.value[0]?.value,
    asPathPrefix: rule.asPathPrefix?.value.map(({ value }) => value),
    priority: rule.priority?.value,
    operations: (rule.operations?.value ?? []).flatMap(filterOperation),
  };
}

/** Lengths: from the cidr's own to the longest, when not given. */
function filterPrefix(rule: WrittenFilterRule): FilterRule['prefix'] {
  const { cidr, matchOperator, prefixLength } = rule;
  if (cidr === undefined || matchOperator === undefined) return undefined;
  const isV4 = cidr.value.family === 4;
  const own = isV4 ? cidr.value.prefix.length : cidr.value.length;
  return {
    cidr: cidr.value.text,
    v4: isV4 ? cidr.value.prefix : undefined,
    operator: matchOperator.value,
    lengthMin: prefixLength?.min?.value ?? own,
    lengthMax: prefixLength?.max?.value ?? (isV4 ? 32 : 128),
  };
}

type WrittenOperation = NonNullable<WrittenFilterRule['operations']>['value'][number];

function filterOperation(operation: WrittenOperation): FilterRule['operations'][number][] {
  const { addCommunity, prependASPath, setPriority } = operation;
  const plain = <T>(located: Located<T>): T => located.value;
  if (addCommunity?.value) return [{ kind: 'addCommunity', value: addCommunity.value.value }];
  if (prependASPath?.prefix) {
    return [{ kind: 'prependAsPath', asNumbers: prependASPath.prefix.value.map(plain) }];
  }
  if (setPriority?.value) return [{ kind: 'setPriority', value: setPriority.value.value }];
  return [];
}
