// SPDX-License-Identifier: Apache-2.0
/**
 * `egret show route`: paths of one network or of all with the step that each one lost by, or a table as
 * `ip route show table N` prints it. In slices, so that a full table is never built whole.
 */
import { formatIpRoute } from '../../kernel/route-format.ts';
import { EgretError } from '../../lib/errors.ts';
import { boolean, type JsonValue, list, nullable, object, text } from '../../lib/json-schema.ts';
import { didYouMean } from '../../lib/nearest.ts';
import {
  formatIpv4,
  formatIpv4Prefix,
  type Ipv4Prefix,
  parseIpv4,
  parseIpv4Prefix,
} from '../../net/ipv4.ts';
import type { PathView, Rib, RouteView } from '../../rib/rib.ts';
import type { AsPathSegment, NextHop } from '../../rib/route.ts';
import type { LiveParts } from '../parts.ts';
import { type Column, isWhole, listText, orDash } from '../table.ts';
import { type Chunks, defineView } from '../view.ts';

const prefixesPerChunk = 512;
const mainTable = 254;

export const routeRow = object({
  network: nullable(text('ExternalNetwork; null: the main table')),
  prefix: text('ADDRESS/LENGTH'),
  nextHops: list(
    object({
      address: nullable(text('null: on the link')),
      interface: text('By which it leaves'),
    }),
    'Where it leads now; empty: nowhere',
  ),
  protocol: text('bgp, static or connected'),
  isBest: boolean('It is the best path of its prefix'),
  reason: text('best, multipath (it shares the traffic), or the step that it lost by'),
  source: text("The neighbor's address, static, or the interface"),
  asPath: nullable(text('AS_PATH, sets in braces; null: not from BGP')),
});

export type RouteRow = JsonValue<typeof routeRow>;

export const routeColumns: readonly Column<RouteRow>[] = [
  { title: 'NETWORK', text: (row) => orDash(row.network) },
  { title: '', text: (row) => (row.isBest ? '*' : '') },
  { title: 'PREFIX', text: (row) => row.prefix, widthMin: isWhole },
  { title: 'NEXT HOPS', text: (row) => listText(row.nextHops.map(nextHopText)), widthMin: isWhole },
  { title: 'PROTOCOL', text: (row) => row.protocol, isExtra: true },
  { title: 'FROM', text: (row) => row.source, widthMin: isWhole },
  { title: 'AS PATH', text: (row) => orDash(row.asPath), isExtra: true },
  { title: 'REASON', text: (row) => row.reason, widthMin: 14 },
];

function nextHopText(hop: RouteRow['nextHops'][number]): string {
  return hop.address ? `${hop.address}%${hop.interface}` : hop.interface;
}

interface Query {
  /** undefined: all; `main`: the main table, unless a network has that name. */
  readonly network: string | undefined;
  /** By number. Only what the kernel's table has: best routes, learned and static. */
  readonly table: number | undefined;
  /** An address (longest match) or a prefix (exact). */
  readonly prefix: string | undefined;
}

export const route = defineView<RouteRow, Query>({
  name: 'route',
  help: 'Paths with the step that each one lost by; a table as `ip route` prints it.',
  row: routeRow,
  columns: routeColumns,
  takes: {
    usage: '[table N | network NAME] [PREFIX]',
    words: ['table', 'network'],
    parse: parseQuery,
  },
  rows,
  lines: (parts, query) => (query.table === undefined ? undefined : lines(parts, query)),
});

function parseQuery(words: readonly string[]): Query {
  const usage = (what: string): EgretError => new EgretError('USAGE', { what });
  const rest = [...words];
  let network: string | undefined;
  let table: number | undefined;
  if (rest[0] === 'network' || rest[0] === 'table') {
    const [word, value] = rest.splice(0, 2);
    if (value === undefined) throw usage(`show route ${word} needs a value`);
    if (word === 'network') network = value;
    else if (/^\d{1,10}$/.test(value)) table = Number(value);
    else throw usage(`show route table needs a number, not ${value}`);
  }
  const [prefix, more] = rest;
  if (more) throw usage(`show route takes no ${more}`);
  return { network, table, prefix };
}

/** What one query reads: a network, and one prefix of it or all. */
interface Selection {
  readonly network: string | undefined;
  readonly rib: Rib;
}

/** Best routes only for a table; every candidate otherwise. */
async function* rows(parts: LiveParts, query: Query): Chunks<RouteRow> {
  const isTable = query.table !== undefined;
  for await (const { selection, prefixes } of selectedPrefixes(parts, query)) {
    yield prefixes.flatMap((prefix) => routeRows(selection, prefix, isTable));
  }
}

async function* lines(parts: LiveParts, query: Query): Chunks<string> {
  const { protocol } = parts.model.appliance.mirror;
  for await (const { selection, prefixes } of selectedPrefixes(parts, query)) {
    yield prefixes.flatMap((prefix) => {
      const route = tableRoute(selection.rib, prefix);
      if (!route) return [];
      return formatIpRoute({ prefix, nextHops: route.nextHops, protocol }).split('\n');
    });
  }
}

/** Every path to a prefix, best first. */
export function routeRows(selection: Selection, prefix: Ipv4Prefix, isTable: boolean): RouteRow[] {
  const { network, rib } = selection;
  const paths = rib.candidates(prefix.address, prefix.length);
  const best = paths.find((path) => path.isBest);
  if (isTable) {
    const route = tableRoute(rib, prefix);
    if (!best || !route) return [];
    return [rowOf(network, prefix, best, route.nextHops)];
  }
  return [...paths]
    .sort((a, b) => Number(b.isBest) - Number(a.isBest) || Number(b.isUsed) - Number(a.isUsed))
    .map((path) => rowOf(network, prefix, path, path.members));
}

function rowOf(
  network: string | undefined,
  prefix: Ipv4Prefix,
  path: PathView,
  nextHops: readonly NextHop[],
): RouteRow {
  return {
    network: network ?? null,
    prefix: formatIpv4Prefix(prefix),
    nextHops: nextHops.map((hop) => ({
      address: hop.address === 0 ? null : formatIpv4(hop.address),
      interface: hop.interface,
    })),
    protocol: path.source.kind,
    isBest: path.isBest,
    reason: path.isBest ? 'best' : path.isUsed ? 'multipath' : (path.reason ?? 'not decided yet'),
    source: path.source.name,
    asPath: path.attributes ? formatAsPath(path.attributes.asPath) : null,
  };
}

/** RFC 4271 paths as BIRD and FRR print them: sequences bare, sets in braces. */
function formatAsPath(segments: readonly AsPathSegment[]): string {
  return segments
    .map(({ kind, asNumbers }) => {
      const text = asNumbers.join(' ');
      return kind === 'AS_SEQUENCE' ? text : kind === 'AS_SET' ? `{${text}}` : `(${text})`;
    })
    .join(' ');
}

async function* selectedPrefixes(
  parts: LiveParts,
  query: Query,
): AsyncIterable<{ selection: Selection; prefixes: Ipv4Prefix[] }> {
  const selections = select(parts, query);
  if (query.prefix !== undefined) {
    const found = selections.flatMap((selection) => {
      const prefix = findPrefix(selection.rib, query.prefix!, query.table !== undefined);
      return prefix ? [{ selection, prefixes: [prefix] }] : [];
    });
    if (found.length === 0)
      throw new EgretError('NOT_FOUND', { what: `A route to ${query.prefix}` });
    yield* found;
    return;
  }
  for (const selection of selections) {
    const listing = selection.rib.openListing();
    try {
      for (let goesOn = true; goesOn; ) {
        const prefixes: Ipv4Prefix[] = [];
        goesOn = listing.next(prefixesPerChunk, (address, length) => {
          prefixes.push({ address, length });
        });
        if (prefixes.length > 0) yield { selection, prefixes };
        await parts.queue.pause('urgent');
      }
    } finally {
      listing.close();
    }
  }
}

function select(parts: LiveParts, query: Query): Selection[] {
  const named = (network: string | undefined): Selection[] => {
    const rib = parts.ribs.get(network);
    return rib ? [{ network, rib }] : [];
  };
  if (query.table !== undefined) {
    const network = parts.model.networks.find((row) => row.routeTableIndex === query.table);
    if (network) return named(network.name);
    if (query.table === mainTable) return named(undefined);
    throw new EgretError('NOT_FOUND', { what: `Table ${query.table}` });
  }
  if (query.network !== undefined) {
    const isMain = query.network === 'main' && !parts.ribs.has('main');
    const found = named(isMain ? undefined : query.network);
    if (found.length === 0) {
      const near = didYouMean(
        query.network,
        parts.model.networks.map(({ name }) => name),
      );
      throw new EgretError('NOT_FOUND', { what: `Network ${query.network}`, near });
    }
    return found;
  }
  return [...parts.ribs].map(([network, rib]) => ({ network, rib }));
}

/** An address finds its longest match, a prefix itself; `default` is what `ip route` prints. */
function findPrefix(rib: Rib, text: string, isTable: boolean): Ipv4Prefix | undefined {
  const address = parseIpv4(text);
  if (address !== undefined) {
    return rib.longestMatch(address, isTable ? isInTable : undefined);
  }
  const prefix = parseIpv4Prefix(text === 'default' ? '0.0.0.0/0' : text);
  if (!prefix)
    throw new EgretError('USAGE', { what: `${text} is neither an address nor a prefix` });
  if (isTable) return tableRoute(rib, prefix);
  return rib.candidates(prefix.address, prefix.length).length > 0 ? prefix : undefined;
}

/** What the kernel's table has: learned and static routes with a next hop. */
function isInTable({ kind, nextHops }: RouteView): boolean {
  return kind !== 'connected' && nextHops.length > 0;
}

function tableRoute(rib: Rib, { address, length }: Ipv4Prefix): RouteView | undefined {
  const route = rib.lookup(address, length);
  return route && isInTable(route) ? route : undefined;
}
