// SPDX-License-Identifier: Apache-2.0
/** `egret show gateways`: each EgressGateway with its addresses, and whether it translates. */
import { boolean, list, object, text } from '../../lib/json-schema.ts';
import { gatewayKey } from '../../model/gateway-key.ts';
import { formatIpv4 } from '../../net/ipv4.ts';
import { listText, yesNo } from '../table.ts';
import { defineView } from '../view.ts';

export const gateways = defineView({
  name: 'gateways',
  help: 'Each EgressGateway with its addresses, and whether it translates.',
  row: object({
    namespace: text('metadata.namespace of the EgressGateway'),
    name: text('metadata.name of the EgressGateway'),
    ready: boolean('Clients are translated to its addresses, which are announced'),
    reason: text('Why it is ready or not, and prefixes that several of its networks have'),
    addresses: list(text(), 'Egress addresses, one for each replica'),
    networks: list(text(), 'ExternalNetworks in order; empty: the main table'),
  }),
  columns: [
    { title: 'NAMESPACE', text: (row) => row.namespace, widthMin: 12 },
    { title: 'NAME', text: (row) => row.name, widthMin: 20 },
    { title: 'READY', text: (row) => yesNo(row.ready) },
    { title: 'ADDRESSES', text: (row) => listText(row.addresses), widthMin: 15 },
    { title: 'NETWORKS', text: (row) => listText(row.networks) },
    { title: 'REASON', text: (row) => row.reason, widthMin: 20 },
  ],
  rows: (parts) =>
    parts.model.gateways.map((gateway) => {
      const readiness = parts.gatewayReadiness.get(gatewayKey(gateway));
      return {
        namespace: gateway.namespace,
        name: gateway.name,
        ready: readiness?.isReady ?? false,
        reason: readiness?.reason ?? 'starting',
        addresses: (parts.assignment.get(gatewayKey(gateway)) ?? []).map(formatIpv4),
        networks: gateway.networks,
      };
    }),
});
