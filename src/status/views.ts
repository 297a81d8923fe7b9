/**
 * The views of `egret show`, and `egret why`: rows to text or JSON, chunk by chunk.
 *
 * JSON: {"schema": "egret.show/<view>/1", "generation": N, "rows": [...]}. Text: an aligned table; the
 * view `route table N` prints what `ip route show table N` prints.
 */
import type {
  Chunks,
  ClientRow,
  CounterRow,
  GatewayRow,
  InterfaceRow,
  NeighborRow,
  NetworkRow,
  PoolRow,
  RouteQuery,
  RouteRow,
  SessionRow,
  StatusSource,
  WhyReport,
} from './source.ts';
import {
  type Column,
  formatDuration,
  formatTable,
  list,
  onOneLine,
  orDash,
  yesNo,
} from './table.ts';

export const viewNames = [
  'networks',
  'gateways',
  'clients',
  'neighbors',
  'route',
  'sessions',
  'pools',
  'interfaces',
  'counters',
] as const;
export type ViewName = (typeof viewNames)[number];

/** Ends a complete answer; no text that is printed holds it. */
export const endOfAnswer = '\0';

const networkColumns: Column<NetworkRow>[] = [
  { title: 'NAME', text: (row) => row.name },
  { title: 'TABLE', text: (row) => String(row.table), isNumber: true },
  { title: 'READY', text: (row) => yesNo(row.ready) },
  { title: 'ROUTES', text: (row) => String(row.routes), isNumber: true },
  { title: 'MIRRORED', text: (row) => String(row.mirrored), isNumber: true },
  { title: 'INTERFACES', text: (row) => list(row.interfaces) },
  { title: 'REASON', text: (row) => row.reason },
];

const gatewayColumns: Column<GatewayRow>[] = [
  { title: 'NAMESPACE', text: (row) => row.namespace },
  { title: 'NAME', text: (row) => row.name },
  { title: 'READY', text: (row) => yesNo(row.ready) },
  { title: 'ADDRESSES', text: (row) => list(row.addresses) },
  { title: 'NETWORKS', text: (row) => list(row.networks) },
  { title: 'REASON', text: (row) => row.reason },
];

const clientColumns: Column<ClientRow>[] = [
  { title: 'NAMESPACE', text: (row) => orDash(row.namespace) },
  { title: 'NAME', text: (row) => row.name },
  { title: 'KIND', text: (row) => row.kind },
  { title: 'PREFIXES', text: (row) => list(row.prefixes) },
  { title: 'GATEWAYS', text: (row) => list(row.gateways) },
  { title: 'POLICY', text: (row) => orDash(row.policy) },
];

const neighborColumns: Column<NeighborRow>[] = [
  { title: 'NETWORK', text: (row) => orDash(row.network) },
  { title: 'ADDRESS', text: (row) => row.address },
  { title: 'AS', text: (row) => String(row.remoteAs), isNumber: true },
  { title: 'STATE', text: (row) => row.state },
  { title: 'SINCE', text: (row) => formatDuration(row.sinceMs), isNumber: true },
  { title: 'RECEIVED', text: (row) => String(row.received), isNumber: true },
  { title: 'ACCEPTED', text: (row) => String(row.accepted), isNumber: true },
  { title: 'ANNOUNCED', text: (row) => String(row.announced), isNumber: true },
  { title: 'LAST ERROR', text: (row) => orDash(row.lastError) },
];

const routeColumns: Column<RouteRow>[] = [
  { title: 'NETWORK', text: (row) => orDash(row.network) },
  { title: '', text: (row) => (row.isBest ? '*' : '') },
  { title: 'PREFIX', text: (row) => row.prefix },
  {
    title: 'NEXT HOPS',
    text: (row) =>
      list(
        row.nextHops.map((hop) =>
          hop.address ? `${hop.address}%${hop.interface}` : hop.interface,
        ),
      ),
  },
  { title: 'PROTOCOL', text: (row) => row.protocol },
  { title: 'FROM', text: (row) => row.source },
  { title: 'AS PATH', text: (row) => orDash(row.asPath) },
  { title: 'REASON', text: (row) => row.reason },
];

const sessionColumns: Column<SessionRow>[] = [
  { title: 'PROTOCOL', text: (row) => row.protocol },
  { title: 'INSIDE', text: (row) => row.inside },
  { title: 'OUTSIDE', text: (row) => row.outside },
  { title: 'REMOTE', text: (row) => row.remote },
  { title: 'NETWORK', text: (row) => orDash(row.network) },
  { title: 'STATE', text: (row) => row.state },
  { title: 'IDLE', text: (row) => formatDuration(row.idleMs), isNumber: true },
];

const poolColumns: Column<PoolRow>[] = [
  { title: 'ADDRESS', text: (row) => row.address },
  { title: 'GATEWAY', text: (row) => row.gateway },
  { title: 'PORTS USED', text: (row) => String(row.portsUsed), isNumber: true },
  { title: 'TCP', text: (row) => String(row.tcpUsed), isNumber: true },
  { title: 'UDP', text: (row) => String(row.udpUsed), isNumber: true },
  { title: 'ICMP', text: (row) => String(row.icmpUsed), isNumber: true },
  { title: 'QUARANTINED', text: (row) => String(row.portsQuarantined), isNumber: true },
  { title: 'PORTS TOTAL', text: (row) => String(row.portsTotal), isNumber: true },
];

const interfaceColumns: Column<InterfaceRow>[] = [
  { title: 'NAME', text: (row) => row.name },
  { title: 'ROLE', text: (row) => row.role },
  { title: 'DRIVER', text: (row) => row.driver },
  { title: 'UP', text: (row) => yesNo(row.up) },
  { title: 'MTU BYTES', text: (row) => String(row.mtu), isNumber: true },
  { title: 'RP_FILTER', text: (row) => String(row.rpFilter ?? '-'), isNumber: true },
  { title: 'NETWORKS', text: (row) => list(row.networks) },
  { title: 'ADDRESSES', text: (row) => list(row.addresses) },
  { title: 'REASON', text: (row) => row.reason },
];

const counterColumns: Column<CounterRow>[] = [
  { title: 'INTERFACE', text: (row) => orDash(row.interface) },
  { title: 'NETWORK', text: (row) => orDash(row.network) },
  { title: 'NAME', text: (row) => row.name },
  { title: 'VALUE', text: (row) => String(row.value), isNumber: true },
];

/** What one request asks for. */
export interface ViewRequest {
  readonly view: ViewName;
  readonly isJson: boolean;
  readonly route?: RouteQuery | undefined;
}

/** Prints a view. @throws what the source throws, before anything was yielded */
export async function* printView(
  source: StatusSource,
  request: ViewRequest,
): AsyncIterable<string> {
  const { view, isJson } = request;
  const query: RouteQuery = request.route ?? { isTable: false };
  if (view === 'route' && query.isTable && !isJson) {
    for await (const lines of source.routeLines(query)) yield lines.map((l) => `${l}\n`).join('');
    return;
  }
  const print = <Row>(columns: readonly Column<Row>[], rows: Chunks<Row> | readonly Row[]) =>
    isJson ? printJson(view, source.generation, chunked(rows)) : printTable(columns, chunked(rows));
  switch (view) {
    case 'networks':
      yield* print(networkColumns, source.networks());
      break;
    case 'gateways':
      yield* print(gatewayColumns, source.gateways());
      break;
    case 'clients':
      yield* print(clientColumns, source.clients());
      break;
    case 'neighbors':
      yield* print(neighborColumns, source.neighbors());
      break;
    case 'route':
      yield* print(routeColumns, source.routes(query));
      break;
    case 'sessions':
      yield* print(sessionColumns, source.sessions());
      break;
    case 'pools':
      yield* print(poolColumns, source.pools());
      break;
    case 'interfaces':
      yield* print(interfaceColumns, source.interfaces());
      break;
    case 'counters':
      yield* print(counterColumns, isJson ? source.counters() : nonZero(source.counters()));
      break;
  }
}

/** Prints `egret why`. */
export function printWhy(report: WhyReport, isJson: boolean): string {
  if (isJson) return `${JSON.stringify({ schema: 'egret.why/1', ...report })}\n`;
  const verdict = verdictText(report);
  const width = Math.max(...report.steps.map((step) => step.step.length));
  const steps = report.steps.map(
    ({ step, found }) => `  ${step.padEnd(width)}  ${onOneLine(found)}\n`,
  );
  const routes =
    report.routes.length > 0 ? `\nroutes to it\n${formatTable(routeColumns, report.routes)}` : '';
  return `${report.client} to ${report.destination}: ${verdict}\n${steps.join('')}${routes}`;
}

function verdictText({ verdict, outside, drop }: WhyReport): string {
  if (verdict === 'kernel') return 'left to the kernel';
  if (verdict === 'dropped') return `dropped: ${drop}`;
  return outside === null ? 'forwarded without translation' : `forwarded from ${outside}`;
}

const nonZero = (rows: readonly CounterRow[]): CounterRow[] =>
  rows.filter((row) => row.value !== 0);

async function* chunked<Row>(rows: Chunks<Row> | readonly Row[]): Chunks<Row> {
  if (Symbol.asyncIterator in rows) yield* rows;
  else yield rows;
}

/** Rows of a long table that are aligned together: small views wholly, full tables in pieces. */
const rowsAligned = 500;

async function* printTable<Row>(
  columns: readonly Column<Row>[],
  chunks: Chunks<Row>,
): AsyncIterable<string> {
  const widths: number[] = [];
  let waiting: Row[] = [];
  for await (const rows of chunks) {
    waiting.push(...rows);
    if (waiting.length < rowsAligned) continue;
    yield formatTable(columns, waiting, widths);
    waiting = [];
  }
  if (waiting.length > 0 || widths.length === 0) yield formatTable(columns, waiting, widths);
}

async function* printJson<Row>(
  view: ViewName,
  generation: number,
  chunks: Chunks<Row>,
): AsyncIterable<string> {
  let separator = '';
  const head = `{"schema":"egret.show/${view}/1","generation":${generation},"rows":[`;
  let text = head;
  for await (const rows of chunks) {
    for (const row of rows) {
      text += `${separator}${JSON.stringify(row)}`;
      separator = ',\n';
    }
    yield text;
    text = '';
  }
  yield `${text}]}\n`;
}
