/** The view `route`: rows and `ip route` lines of one network or of all, in slices. */

import { formatIpRoute } from '../../kernel/route-format.ts';
import { EgretError } from '../../lib/errors.ts';
import type { Ipv4Prefix } from '../../net/ipv4.ts';
import { formatIpv4, formatIpv4Prefix, parseIpv4, parseIpv4Prefix } from '../../net/ipv4.ts';
import type { PathView, Rib, RouteView } from '../../rib/rib.ts';
import type { AsPathSegment, NextHop } from '../../rib/route.ts';
import type { LiveParts } from '../parts.ts';
import type { Chunks, RouteQuery, RouteRow } from '../source.ts';

const prefixesPerChunk = 512;
const mainTable = 254;

type RouteParts = Pick<LiveParts, 'model' | 'ribs' | 'clock'>;

/** What one query reads: a network, and one prefix of it or all. */
interface Selection {
  readonly network: string | undefined;
  readonly rib: Rib;
}

/** Best routes only for a table; every candidate otherwise. */
export async function* routeChunks(parts: RouteParts, query: RouteQuery): Chunks<RouteRow> {
  for await (const { selection, prefixes } of selectedPrefixes(parts, query)) {
    yield prefixes.flatMap((prefix) => rowsOf(selection, prefix, query.isTable));
  }
}

export async function* routeLineChunks(parts: RouteParts, query: RouteQuery): Chunks<string> {
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
export function rowsOf(selection: Selection, prefix: Ipv4Prefix, isTable: boolean): RouteRow[] {
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
  parts: RouteParts,
  query: RouteQuery,
): AsyncIterable<{ selection: Selection; prefixes: Ipv4Prefix[] }> {
  const selections = select(parts, query);
  if (query.prefix !== undefined) {
    const found = selections.flatMap((selection) => {
      const prefix = findPrefix(selection.rib, query.prefix!, query.isTable);
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
        await new Promise<void>((resolve) => parts.clock.soon(resolve));
      }
    } finally {
      listing.close();
    }
  }
}

function select(parts: RouteParts, query: RouteQuery): Selection[] {
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
    const found = named(isMain ? undefined : (query.network ?? undefined));
    if (found.length === 0) throw new EgretError('NOT_FOUND', { what: `Network ${query.network}` });
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
