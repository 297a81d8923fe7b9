// SPDX-License-Identifier: Apache-2.0
/** `egret show sessions`: the NAT sessions, read from the arena in pieces. */
import type { NatSession } from '../../dataplane/dataplane.ts';
import { integer, type JsonValue, nullable, object, text } from '../../lib/json-schema.ts';
import { formatIpv4 } from '../../net/ipv4.ts';
import type { LiveParts } from '../parts.ts';
import { formatDuration, isWhole, orDash } from '../table.ts';
import { type Chunks, defineView } from '../view.ts';

const rowsPerChunk = 1000;
const protocols: Readonly<Record<number, string>> = { 1: 'icmp', 6: 'tcp', 17: 'udp' };

const row = object({
  protocol: text('tcp, udp or icmp; a number for any other'),
  inside: text("The client's ADDRESS:PORT; of ICMP the query id"),
  outside: text('What the remote end sees as the source, ADDRESS:PORT'),
  remote: text('ADDRESS:PORT of the other end; of ICMP the address alone'),
  network: nullable(text('ExternalNetwork; null: the main table')),
  state: text('active (UDP, ICMP); opening, established, closing or closed (TCP)'),
  idleMs: integer('Since the last packet'),
});

type Row = JsonValue<typeof row>;

export const sessions = defineView({
  name: 'sessions',
  help: 'The NAT sessions.',
  row,
  columns: [
    { title: 'PROTOCOL', text: (row) => row.protocol },
    { title: 'INSIDE', text: (row) => row.inside, widthMin: isWhole },
    { title: 'OUTSIDE', text: (row) => row.outside, widthMin: isWhole },
    { title: 'REMOTE', text: (row) => row.remote, widthMin: isWhole },
    { title: 'NETWORK', text: (row) => orDash(row.network), isExtra: true },
    { title: 'STATE', text: (row) => row.state, widthMin: 11 },
    { title: 'IDLE', text: (row) => formatDuration(row.idleMs), isNumber: true },
  ],
  rows,
});

async function* rows({ dataPlane, model, queue }: LiveParts): Chunks<Row> {
  const names = new Map<number, string | null>([[0, null]]);
  for (const network of model.networks) {
    names.set(dataPlane.networkSlot(network.routeTableIndex), network.name);
  }
  let cursor = 0;
  const next = (): { rows: Row[]; isLast: boolean } => {
    const read = dataPlane.readSessions(cursor, rowsPerChunk);
    cursor = read.cursor;
    return { rows: read.rows.map((session) => rowOf(session, names)), isLast: read.isLast };
  };
  for (let isLast = false; !isLast; ) {
    await queue.pause('urgent');
    const chunk = next();
    isLast = chunk.isLast;
    if (chunk.rows.length > 0) yield chunk.rows;
  }
}

function rowOf(session: NatSession, names: ReadonlyMap<number, string | null>): Row {
  const isIcmp = session.protocol === 1;
  const textOf = (end: { address: number; port: number }): string =>
    `${formatIpv4(end.address)}:${end.port}`;
  return {
    protocol: protocols[session.protocol] ?? String(session.protocol),
    inside: textOf(session.inside),
    outside: textOf(session.outside),
    remote: isIcmp ? formatIpv4(session.remote.address) : textOf(session.remote),
    network: names.get(session.network) ?? null,
    state: session.state,
    idleMs: Math.round(session.idleMs),
  };
}
