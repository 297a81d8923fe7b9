// SPDX-License-Identifier: Apache-2.0
/**
 * What the appliance tests have in common: two networks that use the same addresses, BIRD in the
 * first and FRR in the second, clients, and Egret between them. Names, numbers and addresses are
 * none of the seed's.
 *
 *   client 10.20.30.40 ── cli0 ┌─────────┐ wan0 ── 100.64.9.77 ── 198.51.100.10   north  BIRD, eBGP
 *   client 10.20.31.40 ── cli1 │ gateway │ wan1 ── 100.64.9.77 ── 198.51.100.10   south  FRR, iBGP
 *         …                    └─────────┘
 *                           100.64.9.1/24 on wan0 and on wan1
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { Bird, type BirdNeighbor, type BirdOptions } from '../lab/bird.ts';
import { Egret } from '../lab/egret.ts';
import { Frr, type FrrNeighbor } from '../lab/frr.ts';
import { type Host, Lab } from '../lab/namespace.ts';
import { until } from '../lab/process.ts';
import { buildFigure, type Figure } from '../lab/topology.ts';
import { Agent } from '../lab/traffic.ts';

export const server = '198.51.100.10';
export const prefix = '198.51.100.0/24';
export const router = '100.64.9.77';
export const gatewayUplink = '100.64.9.1';
export const localAs = 64999;

/** Where results lie, and after a failure egretd's log. */
const resultsFolder = fileURLToPath(new URL('../../build/results', import.meta.url));

export type NetworkName = 'north' | 'south';

export const networks = {
  north: { table: 1200, interface: 'wan0', as: 4200000010, pool: '192.0.2.16/30' },
  south: { table: 1300, interface: 'wan1', as: localAs, pool: '192.0.2.32/30' },
} as const;

/** First address of each pool, the one that a single replica has. */
export const source = { north: '192.0.2.16', south: '192.0.2.32' } as const;

export interface SceneClient {
  readonly network: NetworkName;
  /** Addresses in addition to the first. */
  readonly more?: readonly string[];
  readonly mtu?: number;
}

export interface SceneOptions<ClientName extends string> {
  readonly clients: Readonly<Record<ClientName, SceneClient>>;
  readonly mtu?: Partial<Record<NetworkName, { uplink?: number; lan?: number }>>;
  readonly bird?: Partial<BirdOptions>;
  /** More about Egret as BIRD's and as FRR's neighbor. */
  readonly birdNeighbor?: Partial<BirdNeighbor>;
  readonly frrNeighbor?: Partial<FrrNeighbor>;
  /** More of BGPPeer.spec. */
  readonly peers?: Partial<Record<NetworkName, Readonly<Record<string, unknown>>>>;
  /** More files of the configuration. */
  readonly files?: Readonly<Record<string, string>>;
  /** Appliance.spec, in addition to what the scene needs. */
  readonly appliance?: Readonly<Record<string, unknown>>;
  readonly replicas?: Partial<Record<NetworkName, number>>;
  /** Runs in the gateway before Egret starts. */
  readonly before?: (figure: Figure<ClientName, NetworkName>) => Promise<void>;
}

/** What a scene is taken down with: a test of tap, or what does the same for a benchmark. */
export interface SceneOwner {
  readonly name: string;
  passing(): boolean;
  comment(text: string): void;
  teardown(close: () => Promise<void>): void;
}

export interface Scene<ClientName extends string> {
  readonly lab: Lab;
  readonly figure: Figure<ClientName, NetworkName>;
  readonly egret: Egret;
  readonly bird: Bird;
  readonly frr: Frr;
  /** The agent of a host that has none from the start, e.g. a router. */
  readonly agentOf: (host: Host) => Promise<Agent>;
}

/** Address of the client with this number. */
export function clientAddress(number: number): string {
  return `10.20.${30 + number}.40`;
}

/** The gateway's address on that client's link. */
export function clientGateway(number: number): string {
  return `10.20.${30 + number}.1`;
}

/** YAML of several documents. */
export function documents(...resources: readonly object[]): string {
  return resources.map((resource) => stringify(resource)).join('---\n');
}

export function gatewayResource(network: NetworkName, replicas = 1): object {
  return {
    apiVersion: 'operator.tigera.io/v1',
    kind: 'EgressGateway',
    metadata: { name: `exit-${network}`, namespace: 'edge' },
    spec: {
      replicas,
      externalNetworks: [network],
      ipPools: [{ cidr: networks[network].pool }],
      template: { metadata: { labels: { exit: network } } },
    },
  };
}

/** A client, attached to a network's gateway; undefined: to none. */
export function clientResource(
  name: string,
  nets: readonly string[],
  network: NetworkName | undefined,
): object {
  const annotations = { 'egress.projectcalico.org/selector': `exit == '${network}'` };
  return {
    apiVersion: 'projectcalico.org/v3',
    kind: 'NetworkSet',
    metadata: { name, namespace: 'edge', ...(network ? { annotations } : {}) },
    spec: { nets },
  };
}

/** A network and its neighbor. @param more - of BGPPeer.spec */
export function networkResources(
  name: NetworkName,
  more: Readonly<Record<string, unknown>> = {},
): object[] {
  const { table, as } = networks[name];
  const apiVersion = 'projectcalico.org/v3';
  const session = { peerIP: router, asNumber: as, sourceAddress: 'None', externalNetwork: name };
  const spec = { ...session, ...more };
  return [
    { apiVersion, kind: 'ExternalNetwork', metadata: { name }, spec: { routeTableIndex: table } },
    { apiVersion, kind: 'BGPPeer', metadata: { name: `to-${name}` }, spec },
  ];
}

/** Every file of the configuration. One a client, so that a test changes one alone. */
export function sceneConfig<ClientName extends string>(
  options: SceneOptions<ClientName>,
): Record<string, string> {
  const apiVersion = 'projectcalico.org/v3';
  const files: Record<string, string> = {
    ...options.files,
    'features.yaml': documents(
      {
        apiVersion,
        kind: 'FelixConfiguration',
        metadata: { name: 'default' },
        spec: {
          externalNetworkSupport: 'Enabled',
          egressIPSupport: 'EnabledPerNamespaceOrPerPod',
        },
      },
      {
        apiVersion,
        kind: 'BGPConfiguration',
        metadata: { name: 'default' },
        spec: { asNumber: localAs },
      },
      {
        apiVersion: 'egret.dev/v1',
        kind: 'Appliance',
        metadata: { name: 'box' },
        spec: {
          networks: [
            { name: 'north', interfaces: ['wan0'] },
            { name: 'south', interfaces: ['wan1'] },
          ],
          limits: { sessions: 50_000, routes: 20_000 },
          ...options.appliance,
        },
      },
    ),
    'network-north.yaml': documents(...networkResources('north', options.peers?.north)),
    'network-south.yaml': documents(...networkResources('south', options.peers?.south)),
    'gateway-north.yaml': documents(gatewayResource('north', options.replicas?.north)),
    'gateway-south.yaml': documents(gatewayResource('south', options.replicas?.south)),
  };
  for (const [number, name] of Object.keys(options.clients).entries()) {
    const client = options.clients[name as ClientName];
    const nets = [clientAddress(number), ...(client.more ?? [])].map((address) => `${address}/32`);
    files[`client-${name}.yaml`] = documents(clientResource(name, nets, client.network));
  }
  return files;
}

/**
 * Builds it all and waits until both networks are ready and both routers know the addresses. It is
 * taken down with the test; when that failed, egretd's log is kept.
 */
export async function openScene<const ClientName extends string>(
  t: SceneOwner,
  options: SceneOptions<ClientName>,
): Promise<Scene<ClientName>> {
  const lab = await Lab.open();
  try {
    const names = Object.keys(options.clients) as ClientName[];
    const figure = await buildFigure<ClientName, NetworkName>(
      lab,
      names.map((name, number) => ({
        name,
        address: `${clientAddress(number)}/24`,
        gatewayInterface: `cli${number}`,
        gatewayAddress: `${clientGateway(number)}/24`,
        mtu: options.clients[name].mtu ?? 1500,
      })),
      (['north', 'south'] as const).map((name) => ({
        name,
        gatewayInterface: networks[name].interface,
        gatewayAddress: `${gatewayUplink}/24`,
        routerAddress: `${router}/24`,
        serverAddress: `${server}/24`,
        routerLanAddress: '198.51.100.1/24',
        mtu: options.mtu?.[name]?.uplink ?? 1500,
        lanMtu: options.mtu?.[name]?.lan ?? 1500,
      })),
    );
    for (const name of names) {
      const more = options.clients[name].more ?? [];
      await figure.clients[name].host.ip(...more.map((a) => `address add ${a}/24 dev eth0`));
    }
    const [bird, frr] = await Promise.all([startBird(figure, options), startFrr(figure, options)]);
    await options.before?.(figure);
    const egret = await Egret.start(figure.gateway, sceneConfig(options));
    await egret.ready(['north', 'south']);
    const agents = new Map<Host, Promise<Agent>>();
    const agentOf = (host: Host): Promise<Agent> => {
      const agent = agents.get(host) ?? Agent.start(host);
      agents.set(host, agent);
      return agent;
    };
    const scene = { lab, figure, egret, bird, frr, agentOf };
    await announced(scene);
    t.teardown(async () => {
      if (!t.passing()) t.comment(`egretd's log: ${await keepLog(t.name, egret.log())}`);
      await lab.close();
    });
    return scene;
  } catch (error) {
    await lab.close();
    throw error;
  }
}

/** @returns the path of the file that now holds a log */
async function keepLog(test: string, log: string): Promise<string> {
  const path = join(resultsFolder, `${test.replace(/\W+/g, '-')}.log`);
  await mkdir(resultsFolder, { recursive: true });
  await writeFile(path, log);
  return path;
}

function startBird(
  figure: Figure<string, NetworkName>,
  options: SceneOptions<string>,
): Promise<Bird> {
  return Bird.start(figure.networks.north.router, {
    routerId: router,
    localAs: networks.north.as,
    neighbors: [
      {
        name: 'egret',
        address: gatewayUplink,
        remoteAs: localAs,
        ...options.birdNeighbor,
      },
    ],
    announce: { web: [prefix] },
    ...options.bird,
  });
}

function startFrr(
  figure: Figure<string, NetworkName>,
  options: SceneOptions<string>,
): Promise<Frr> {
  return Frr.start(figure.networks.south.router, {
    routerId: router,
    localAs: networks.south.as,
    neighbors: [{ address: gatewayUplink, remoteAs: localAs, ...options.frrNeighbor }],
    announce: [prefix],
  });
}

/** Waits until both routers can answer: they have the gateway addresses in their kernels. */
export async function announced(scene: {
  readonly figure: Figure<string, NetworkName>;
}): Promise<void> {
  for (const name of ['north', 'south'] as const) {
    await until(`router of ${name} has ${source[name]}`, () => hasEgressRoute(scene.figure, name));
  }
}

/** Whether a router's kernel has the route to its network's first gateway address. */
export async function hasEgressRoute(
  figure: Figure<string, NetworkName>,
  name: NetworkName,
): Promise<boolean> {
  const { stdout } = await figure.networks[name].router.run(['ip', 'route', 'show', source[name]]);
  return stdout.includes(`via ${gatewayUplink} `);
}

/** Lines of the kernel's table in the gateway. */
export async function kernelTable(scene: Scene<string>, table: number): Promise<string[]> {
  const argv = ['ip', 'route', 'show', 'table', `${table}`];
  // iproute2 fails when no table of that number was ever used.
  const { stdout } = await scene.figure.gateway.run(argv, { statuses: 'any' });
  return stdout.split('\n').filter(Boolean);
}
