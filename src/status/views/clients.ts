// SPDX-License-Identifier: Apache-2.0
/** `egret show clients`: each Pod and network set that may send, and the gateways of its policy. */
import { choice, type JsonValue, list, nullable, object, text } from '../../lib/json-schema.ts';
import type { Client, Policy } from '../../model/model.ts';
import { formatIpv4Prefix } from '../../net/ipv4.ts';
import type { LiveParts } from '../parts.ts';
import { listText, orDash } from '../table.ts';
import { type Chunks, defineView } from '../view.ts';

const rowsPerChunk = 1000;

const row = object({
  kind: choice(['Pod', 'NetworkSet', 'GlobalNetworkSet'], 'Of the resource'),
  namespace: nullable(text('metadata.namespace; null: a GlobalNetworkSet')),
  name: text('metadata.name of the resource'),
  prefixes: list(text(), 'Its addresses'),
  policy: nullable(text('Its EgressGatewayPolicy, or its selector in braces; null: none')),
  gateways: list(text(), 'NAMESPACE/NAME of the gateways that its policy selects'),
});

type Row = JsonValue<typeof row>;

export const clients = defineView({
  name: 'clients',
  help: 'Each Pod and network set that may send, and the gateways of its policy.',
  row,
  columns: [
    { title: 'NAMESPACE', text: (row) => orDash(row.namespace) },
    { title: 'NAME', text: (row) => row.name, widthMin: 20 },
    { title: 'KIND', text: (row) => row.kind, isExtra: true },
    { title: 'PREFIXES', text: (row) => listText(row.prefixes), widthMin: 18 },
    { title: 'GATEWAYS', text: (row) => listText(row.gateways), widthMin: 15 },
    { title: 'POLICY', text: (row) => orDash(row.policy) },
  ],
  rows,
});

async function* rows({ model, queue }: LiveParts): Chunks<Row> {
  const gateways = new Map(model.policies.map((policy) => [policy.name, gatewaysOf(policy)]));
  const rowOf = (client: Client): Row => ({
    kind: client.kind,
    namespace: client.namespace ?? null,
    name: client.name,
    prefixes: client.prefixes.map(formatIpv4Prefix),
    policy: client.policy ?? null,
    gateways: gateways.get(client.policy ?? '') ?? [],
  });
  for (let from = 0; from < model.clients.length; from += rowsPerChunk) {
    await queue.pause('urgent');
    yield model.clients.slice(from, from + rowsPerChunk).map(rowOf);
  }
}

function gatewaysOf(policy: Policy): string[] {
  const keys = policy.rules.flatMap(({ action }) =>
    action.kind === 'gateway' ? action.gateways : [],
  );
  return [...new Set(keys)];
}
