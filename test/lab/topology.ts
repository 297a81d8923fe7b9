// SPDX-License-Identifier: Apache-2.0
/**
 * The figure that Egret is about: clients on one side of a gateway, networks on the other, which
 * may use the same addresses.
 *
 *   client ──┐                      ┌── router ── server      network red
 *            ├── gateway (namespace)┤
 *   client ──┘                      └── router ── server      network blue
 *
 * Routers and servers are plain Linux; what speaks BGP on a router, and what forwards in the
 * gateway, is started by the caller.
 */
import type { Host, Lab } from './namespace.ts';
import { Agent } from './traffic.ts';

export interface ClientPlan {
  readonly name: string;
  /** CIDR notation; the host's interface is eth0. */
  readonly address: string;
  /** The gateway's end. */
  readonly gatewayInterface: string;
  readonly gatewayAddress: string;
  readonly mtu?: number;
}

export interface NetworkPlan {
  readonly name: string;
  /** The gateway's end, e.g. ens5 and 172.16.1.1/24. */
  readonly gatewayInterface: string;
  readonly gatewayAddress: string;
  /** The router's end (interface up0), e.g. 172.16.1.140/24. */
  readonly routerAddress: string;
  /** The server, and the router's address on its link (interface lan0). */
  readonly serverAddress: string;
  readonly routerLanAddress: string;
  readonly mtu?: number;
  readonly lanMtu?: number;
}

export interface FigureClient {
  readonly host: Host;
  readonly agent: Agent;
  /** Without prefix length. */
  readonly address: string;
}

export interface FigureNetwork {
  readonly router: Host;
  readonly server: Host;
  readonly serverAgent: Agent;
  readonly serverAddress: string;
}

export interface Figure<ClientName extends string, NetworkName extends string> {
  readonly gateway: Host;
  readonly clients: Readonly<Record<ClientName, FigureClient>>;
  readonly networks: Readonly<Record<NetworkName, FigureNetwork>>;
}

/** An address without its prefix length. */
export function bare(cidr: string): string {
  return cidr.replace(/\/.*/, '');
}

/** Builds hosts and links, starts the servers and an agent in every client. */
export async function buildFigure<ClientName extends string, NetworkName extends string>(
  lab: Lab,
  clients: readonly (ClientPlan & { readonly name: ClientName })[],
  networks: readonly (NetworkPlan & { readonly name: NetworkName })[],
): Promise<Figure<ClientName, NetworkName>> {
  const gateway = await lab.host('gateway');
  // A new namespace may inherit these from the host.
  await gateway.sysctl({ 'net.ipv4.ip_forward': 0, 'net.ipv4.conf.all.rp_filter': 0 });
  const built = await Promise.all([
    Promise.all(clients.map(async (plan) => [plan.name, await addClient(lab, gateway, plan)])),
    Promise.all(networks.map(async (plan) => [plan.name, await addNetwork(lab, gateway, plan)])),
  ]);
  return {
    gateway,
    clients: Object.fromEntries(built[0]) as Record<ClientName, FigureClient>,
    networks: Object.fromEntries(built[1]) as Record<NetworkName, FigureNetwork>,
  };
}

async function addClient(lab: Lab, gateway: Host, plan: ClientPlan): Promise<FigureClient> {
  const host = await lab.host(plan.name);
  await lab.link(
    { host, name: 'eth0', addresses: [plan.address] },
    { host: gateway, name: plan.gatewayInterface, addresses: [plan.gatewayAddress] },
    { mtu: plan.mtu ?? 1500 },
  );
  await host.ip(`route add default via ${bare(plan.gatewayAddress)}`);
  return { host, agent: await Agent.start(host), address: bare(plan.address) };
}

async function addNetwork(lab: Lab, gateway: Host, plan: NetworkPlan): Promise<FigureNetwork> {
  const [router, server] = await Promise.all([
    lab.host(`router-${plan.name}`),
    lab.host(`server-${plan.name}`),
  ]);
  await Promise.all([
    router.sysctl({ 'net.ipv4.ip_forward': 1, 'net.ipv4.conf.all.rp_filter': 0 }),
    lab.link(
      { host: router, name: 'up0', addresses: [plan.routerAddress] },
      { host: gateway, name: plan.gatewayInterface, addresses: [plan.gatewayAddress] },
      { mtu: plan.mtu ?? 1500 },
    ),
    lab.link(
      { host: router, name: 'lan0', addresses: [plan.routerLanAddress] },
      { host: server, name: 'eth0', addresses: [plan.serverAddress] },
      { mtu: plan.lanMtu ?? 1500 },
    ),
  ]);
  await server.ip(`route add default via ${bare(plan.routerLanAddress)}`);
  const serverAgent = await Agent.start(server);
  const serverAddress = bare(plan.serverAddress);
  await serverAgent.call('serve', { network: plan.name, address: serverAddress });
  return { router, server, serverAgent, serverAddress };
}
