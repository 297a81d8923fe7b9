// SPDX-License-Identifier: Apache-2.0
/**
 * Node: this box, as the selectors of other resources see it. Calico's (projectcalico.org/v3) and
 * Kubernetes' own (v1) are both taken.
 */
import { parseAsn } from '../../net/asn.ts';
import { parseIpv4 } from '../../net/ipv4.ts';
import { ignored, list, mapping, optional, partOf, section } from '../schema/shape.ts';
import { anyText, asNumber, boolean, text } from '../schema/shape-scalars.ts';
import { quote } from '../yaml/located.ts';
import { calicoVersions, defineKind } from './kind.ts';

const cluster = 'of the cluster';
const addressHint = 'For example 10.0.0.1, or 10.0.0.1/24.';

export const nodeKind = defineKind({
  kind: 'Node',
  apiVersions: [...calicoVersions, 'v1'],
  isNamespaced: false,
  says: 'A name, labels and an address of this box. Every Node is this box, unless Appliance nodes picks some.',
  fields: {
    spec: section(
      mapping('Node.spec', {
        bgp: optional(
          mapping('bgp', {
            asNumber: optional(asNumber, 'Local AS'),
            ipv4Address: optional(
              text({ max: 64 }),
              'Router ID, and the source address of UseNodeIP; a prefix length may follow',
            ),
            ipv6Address: ignored(cluster),
            ipv4IPIPTunnelAddr: ignored(cluster),
            routeReflectorClusterID: ignored(cluster),
          }),
          'BGP of this box',
        ),
        addresses: ignored(cluster, 'silent'),
        orchRefs: ignored(cluster, 'silent'),
        interfaces: ignored(cluster, 'silent'),
        ipv4VXLANTunnelAddr: ignored(cluster),
        ipv6VXLANTunnelAddr: ignored(cluster),
        vxlanTunnelMACAddr: ignored(cluster),
        vxlanTunnelMACAddrV6: ignored(cluster),
        wireguard: ignored(cluster),
        podCIDR: ignored(cluster, 'silent'),
        podCIDRs: ignored(cluster, 'silent'),
        providerID: ignored(cluster, 'silent'),
        taints: ignored(cluster, 'silent'),
        configSource: ignored(cluster, 'silent'),
        externalID: ignored(cluster, 'silent'),
        unschedulable: optional(boolean, 'Accepted'),
      }),
      'The box',
    ),
    status: optional(
      partOf('Node.status', {
        addresses: optional(
          list(
            mapping('addresses[]', {
              type: optional(anyText, 'InternalIP is the address of a Kubernetes Node'),
              address: optional(anyText, 'The address'),
            }),
          ),
          'Addresses of a Kubernetes Node',
        ),
      }),
      'State of a Kubernetes Node',
    ),
  },
  check({ fields: { spec }, annotations }, report) {
    const address = spec.bgp?.ipv4Address;
    if (address && parseNodeAddress(address.value) === undefined) {
      report.error(address, `must be an IPv4 address, not ${quote(address.value)}`, addressHint);
    }
    const annotated = annotations?.entries.get('projectcalico.org/IPv4Address');
    if (annotated && parseNodeAddress(annotated.value) === undefined) {
      report.error(
        annotated,
        `must be an IPv4 address, not ${quote(annotated.value)}`,
        addressHint,
      );
    }
    const asAnnotation = annotations?.entries.get('projectcalico.org/ASNumber');
    if (asAnnotation && !parseAsn(asAnnotation.value)) {
      report.error(
        asAnnotation,
        `must be an AS number, not ${quote(asAnnotation.value)}`,
        'For example 64512, or 1.10.',
      );
    }
  },
});

/** `10.0.0.1` or `10.0.0.1/24`; the prefix length says nothing here. */
export function parseNodeAddress(address: string): number | undefined {
  return parseIpv4(address.replace(/\/(\d|[12]\d|3[0-2])$/, ''));
}
