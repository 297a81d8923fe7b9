// SPDX-License-Identifier: Apache-2.0
/** `egret show neighbors`: the BGP session with each neighbor. */
import type { NeighborRow as BgpRow } from '../../bgp/status.ts';
import {
  anyObject,
  integer,
  type JsonValue,
  nullable,
  object,
  text,
} from '../../lib/json-schema.ts';
import { formatIpv4, type Ipv4 } from '../../net/ipv4.ts';
import { formatDuration, isWhole, orDash } from '../table.ts';
import { defineView } from '../view.ts';

const row = object({
  network: nullable(text('ExternalNetwork; null: the main table')),
  address: text("The neighbor's address"),
  remoteAs: integer("The neighbor's AS number"),
  state: text('Of the state machine (RFC 4271 §8.2.2)'),
  sinceMs: integer('How long it is in this state'),
  received: integer('IPv4 prefixes that the neighbor announces'),
  accepted: integer('Of these, what filters and checks let in'),
  announced: integer('Egress addresses that are announced to it'),
  warning: nullable(
    text('What to look at while the session stands: the limit of prefixes, filters that wait'),
  ),
  lastError: nullable(text('The last NOTIFICATION, or why the connection failed')),
  detail: anyObject('Everything else that is known of the session: timers, capabilities, events'),
});

export const neighbors = defineView({
  name: 'neighbors',
  help: 'The BGP session with each neighbor.',
  row,
  columns: [
    { title: 'NETWORK', text: (row) => orDash(row.network) },
    { title: 'ADDRESS', text: (row) => row.address, widthMin: isWhole },
    { title: 'AS', text: (row) => String(row.remoteAs), isNumber: true },
    { title: 'STATE', text: (row) => row.state, widthMin: 11 },
    { title: 'SINCE', text: (row) => formatDuration(row.sinceMs), isNumber: true },
    { title: 'RECEIVED', text: (row) => String(row.received), isNumber: true, isExtra: true },
    { title: 'ACCEPTED', text: (row) => String(row.accepted), isNumber: true },
    { title: 'ANNOUNCED', text: (row) => String(row.announced), isNumber: true, isExtra: true },
    { title: 'WARNING', text: (row) => orDash(row.warning) },
    { title: 'LAST ERROR', text: (row) => orDash(row.lastError) },
  ],
  rows: (parts) => parts.neighbors().map(rowOf),
});

function rowOf(session: BgpRow): JsonValue<typeof row> {
  const {
    network,
    address,
    remoteAs,
    state,
    sinceMs,
    received,
    accepted,
    announced,
    warning,
    ...detail
  } = session;
  return {
    network: network ?? null,
    address: formatIpv4(address),
    remoteAs,
    state,
    sinceMs: Math.round(sinceMs),
    received,
    accepted,
    announced,
    warning: warning ?? null,
    lastError: session.lastError?.text ?? null,
    detail: {
      ...detail,
      localId: addressText(session.localId),
      remoteId: addressText(session.remoteId),
      localAddress: addressText(session.localAddress),
    },
  };
}

const addressText = (address: Ipv4 | undefined): string | null =>
  address === undefined ? null : formatIpv4(address);
