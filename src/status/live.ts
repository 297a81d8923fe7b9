/**
 * Answers StatusSource from the parts of a running egretd. Reads only; long views are cut into chunks
 * with a pause between them, so that no answer holds the main thread.
 */

import { drops, portCounters, workerCounters } from '../dataplane/abi.gen.ts';
import type { NatSession } from '../dataplane/dataplane.ts';
import { EgretError } from '../lib/errors.ts';
import { gatewayKey } from '../model/gateway-key.ts';
import type { Client, Policy } from '../model/model.ts';
import { formatIpv4, formatIpv4Prefix, parseIpv4 } from '../net/ipv4.ts';
import type { LiveParts } from './parts.ts';
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
import { routeChunks, routeLineChunks } from './views/route.ts';
import { explain } from './why.ts';

const sessionRowsPerChunk = 1000;
const clientRowsPerChunk = 1000;
const protocols: Readonly<Record<number, string>> = { 1: 'icmp', 6: 'tcp', 17: 'udp' };
/** RFC 6056 §3.2: ports 1024 to 65535 of TCP and UDP, and every ICMP query id. */
const portsPerAddress = 2 * 64_512 + 65_536;

export class LiveStatus implements StatusSource {
  readonly #parts: () => LiveParts;

  constructor(parts: () => LiveParts) {
    this.#parts = parts;
  }

  get generation(): number {
    return this.#parts().generation;
  }

  networks(): NetworkRow[] {
    const parts = this.#parts();
    return parts.model.networks.map((network) => {
      const readiness = parts.networkReadiness.get(network.name);
      return {
        name: network.name,
        table: network.routeTableIndex,
        ready: readiness?.isReady ?? false,
        reason: readiness?.reason ?? 'starting',
        routes: parts.ribs.get(network.name)?.learnedCount ?? 0,
        mirrored: parts.mirroredCount(network),
        interfaces: parts.ports
          .filter((port) => port.networks.includes(network.name))
          .map((port) => port.name),
      };
    });
  }

  gateways(): GatewayRow[] {
    const parts = this.#parts();
    return parts.model.gateways.map((gateway) => {
      const readiness = parts.gatewayReadiness.get(gatewayKey(gateway));
      return {
        namespace: gateway.namespace,
        name: gateway.name,
        ready: readiness?.isReady ?? false,
        reason: readiness?.reason ?? 'starting',
        addresses: (parts.assignment.get(gatewayKey(gateway)) ?? []).map(formatIpv4),
        networks: gateway.networks,
      };
    });
  }

  async *clients(): Chunks<ClientRow> {
    const { model, clock } = this.#parts();
    const gateways = new Map(model.policies.map((policy) => [policy.name, gatewaysOf(policy)]));
    const row = (client: Client): ClientRow => ({
      kind: client.kind,
      namespace: client.namespace ?? null,
      name: client.name,
      prefixes: client.prefixes.map(formatIpv4Prefix),
      policy: client.policy ?? null,
      gateways: gateways.get(client.policy ?? '') ?? [],
    });
    for (let from = 0; from < model.clients.length; from += clientRowsPerChunk) {
      await new Promise<void>((resolve) => clock.soon(resolve));
      yield model.clients.slice(from, from + clientRowsPerChunk).map(row);
    }
  }

  neighbors(): readonly NeighborRow[] {
    return this.#parts().neighbors();
  }

  routes(query: RouteQuery): Chunks<RouteRow> {
    return routeChunks(this.#parts(), query);
  }

  routeLines(query: RouteQuery): Chunks<string> {
    return routeLineChunks(this.#parts(), query);
  }

  async *sessions(): Chunks<SessionRow> {
    const { dataPlane, model, clock } = this.#parts();
    const names = new Map<number, string | null>([[0, null]]);
    for (const network of model.networks) {
      names.set(dataPlane.networkSlot(network.routeTableIndex), network.name);
    }
    let cursor = 0;
    const next = (): { rows: SessionRow[]; isLast: boolean } => {
      const read = dataPlane.readSessions(cursor, sessionRowsPerChunk);
      cursor = read.cursor;
      return { rows: read.rows.map((row) => sessionRow(row, names)), isLast: read.isLast };
    };
    for (let isLast = false; !isLast; ) {
      const chunk = await new Promise<ReturnType<typeof next>>((resolve) =>
        clock.soon(() => resolve(next())),
      );
      isLast = chunk.isLast;
      if (chunk.rows.length > 0) yield chunk.rows;
    }
  }

  pools(): PoolRow[] {
    const { assignment, dataPlane } = this.#parts();
    return [...assignment].flatMap(([gateway, addresses]) =>
      addresses.map((address) => {
        const use = dataPlane.readPool(address);
        const tcpUsed = use?.tcpUsed ?? 0;
        const udpUsed = use?.udpUsed ?? 0;
        const icmpUsed = use?.icmpUsed ?? 0;
        return {
          address: formatIpv4(address),
          gateway,
          portsUsed: tcpUsed + udpUsed + icmpUsed,
          portsTotal: portsPerAddress,
          portsQuarantined: use?.quarantined ?? 0,
          tcpUsed,
          udpUsed,
          icmpUsed,
        };
      }),
    );
  }

  interfaces(): InterfaceRow[] {
    const { model, links, ports, rpFilter, forwarderTrouble } = this.#parts();
    const managed = model.appliance.interfaces
      .filter((row) => row.role === 'Management')
      .map((row) => ({ name: row.name, role: row.role, networks: [], reason: 'never a port' }));
    return [...ports, ...managed].map((port) => {
      const link = links.find((candidate) => candidate.name === port.name);
      const isPort = port.role !== 'Management';
      const troubles = [link ? [] : 'it does not exist', (isPort && forwarderTrouble) || []].flat();
      return {
        name: port.name,
        role: port.role,
        driver: isPort ? 'packet' : 'none',
        reason: [port.reason, ...troubles].join('; '),
        up: link?.isUp ?? false,
        mtu: link?.mtu ?? 0,
        networks: port.networks,
        addresses: (link?.addresses ?? []).map((own) => `${formatIpv4(own.address)}/${own.length}`),
        rpFilter: rpFilter(port.name),
      };
    });
  }

  counters(): CounterRow[] {
    const { dataPlane, ports, daemonCounters } = this.#parts();
    const rows: CounterRow[] = [];
    for (const port of ports) {
      const slot = dataPlane.portSlot(port.name);
      const network = port.networks.length === 1 ? port.networks[0]! : null;
      const add = (name: string, value: number): void => {
        rows.push({ name, interface: port.name, network, value });
      };
      for (const name of portCounters) add(name, dataPlane.portCounter(slot, name));
      for (const name of drops) if (name) add(`dropped.${name}`, dataPlane.dropCounter(slot, name));
    }
    for (const name of workerCounters) {
      rows.push({ name, interface: null, network: null, value: dataPlane.workerCounter(name) });
    }
    for (const [name, value] of Object.entries(daemonCounters())) {
      rows.push({ name, interface: null, network: null, value });
    }
    return rows;
  }

  why(clientText: string, destinationText: string): WhyReport {
    const client = parseIpv4(clientText);
    const destination = parseIpv4(destinationText);
    if (client === undefined || destination === undefined) {
      throw new EgretError('USAGE', { what: 'why takes two IPv4 addresses' });
    }
    return explain(this.#parts(), client, destination);
  }

  configState(): { isCurrent: boolean; errors: readonly string[] } {
    const { configErrors } = this.#parts();
    return { isCurrent: configErrors.length === 0, errors: configErrors };
  }
}

function gatewaysOf(policy: Policy): string[] {
  const keys = policy.rules.flatMap(({ action }) =>
    action.kind === 'gateway' ? action.gateways : [],
  );
  return [...new Set(keys)];
}

function sessionRow(session: NatSession, names: ReadonlyMap<number, string | null>): SessionRow {
  const isIcmp = session.protocol === 1;
  const text = (end: { address: number; port: number }): string =>
    `${formatIpv4(end.address)}:${end.port}`;
  return {
    protocol: protocols[session.protocol] ?? String(session.protocol),
    inside: text(session.inside),
    outside: text(session.outside),
    remote: isIcmp ? formatIpv4(session.remote.address) : text(session.remote),
    network: names.get(session.network) ?? null,
    state: session.state,
    idleMs: Math.round(session.idleMs),
  };
}
