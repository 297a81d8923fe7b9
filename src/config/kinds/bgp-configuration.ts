// SPDX-License-Identifier: Apache-2.0
/** BGPConfiguration: the local AS and the listening port. */
import type { Read } from '../schema/shape.ts';
import { ignored, list, mapping, optional, required, section } from '../schema/shape.ts';
import { asNumber, choice, cidr, community, integer, text } from '../schema/shape-scalars.ts';
import { calicoVersions, defineKind } from './kind.ts';

const cluster = 'of the cluster: Egret announces gateway addresses and nothing else';

const namedCommunity = mapping('communities[]', {
  name: required(text({ max: 253 }), 'Name for prefixAdvertisements'),
  value: required(community, 'aa:nn or aa:nn:mm'),
});

const specFields = {
  asNumber: optional(asNumber, 'Local AS; 64512 when absent. Only in default'),
  listenPort: optional(integer(1, 65535), 'TCP port of BGP; 179 when absent'),
  logSeverityScreen: optional(
    choice('Trace', 'Debug', 'Info', 'Warning', 'Error', 'Fatal', 'None'),
    'Accepted; Appliance log.level decides',
  ),
  communities: optional(list(namedCommunity, { max: 500 }), 'Accepted; gateways carry none'),
  prefixAdvertisements: optional(
    list(
      mapping('prefixAdvertisements[]', {
        cidr: required(cidr, 'Prefix'),
        communities: optional(list(text(), { max: 50 }), 'Names or values'),
      }),
      { max: 500 },
    ),
    'Accepted; gateways carry no communities',
  ),
  bindMode: optional(choice('None', 'NodeIP'), 'Accepted; networks listen on their interfaces'),
  nodeToNodeMeshEnabled: ignored(cluster),
  nodeMeshPassword: ignored(cluster),
  nodeMeshMaxRestartTime: ignored(cluster),
  serviceClusterIPs: ignored(cluster),
  serviceExternalIPs: ignored(cluster),
  serviceLoadBalancerIPs: ignored(cluster),
  serviceLoadBalancerAggregation: ignored(cluster),
  ignoredInterfaces: ignored(cluster),
  localWorkloadPeeringIPV4: ignored(cluster),
  localWorkloadPeeringIPV6: ignored(cluster),
  programClusterRoutes: ignored(cluster),
  ipv4NormalRoutePriority: ignored(cluster),
  ipv4ElevatedRoutePriority: ignored(cluster),
  ipv6NormalRoutePriority: ignored(cluster),
  ipv6ElevatedRoutePriority: ignored(cluster),
  extensions: ignored(cluster),
} as const;

export const bgpConfigurationKind = defineKind({
  kind: 'BGPConfiguration',
  apiVersions: calicoVersions,
  isNamespaced: false,
  says: 'BGP settings of the box. `default` is general; `node.NAME` overrides listenPort.',
  fields: { spec: section(mapping('BGPConfiguration.spec', specFields), 'The settings') },
  check({ name, nameAt, fields: { spec } }, report) {
    if (name !== 'default' && !name.startsWith('node.')) {
      report.error(
        nameAt,
        `a BGPConfiguration is named default or node.NAME, not ${name}`,
        'Any other name would have no effect.',
      );
    }
    if (name.startsWith('node.')) {
      const allowed = ['prefixAdvertisements', 'listenPort', 'logSeverityScreen'];
      for (const field of spec.present) {
        if (allowed.includes(field)) continue;
        const place = (spec as Read<typeof specFields>)[field as 'asNumber'];
        report.error(
          { at: place?.at ?? spec.at, path: `spec.${field}` },
          'may stand only in the BGPConfiguration default',
          `A node.NAME may have ${allowed.join(', ')}.`,
        );
      }
    }
    const names = new Set(spec.communities?.value.map((one) => one.name?.value));
    if (spec.communities && spec.communities.value.length > 0 && !spec.prefixAdvertisements) {
      report.error(
        spec.communities,
        'communities need a prefixAdvertisement that uses them',
        'Leave them out: gateways carry none.',
      );
    }
    for (const advertisement of spec.prefixAdvertisements?.value ?? []) {
      for (const one of advertisement.communities?.value ?? []) {
        if (names.has(one.value) || /^\d+:\d+(:\d+)?$/.test(one.value)) continue;
        report.error(
          one,
          `${one.value} is neither a community nor a name in spec.communities`,
          'For example 64512:100.',
        );
      }
    }
  },
});
