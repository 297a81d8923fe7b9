// SPDX-License-Identifier: Apache-2.0
/**
 * A box as status reads it, for goldens: red with two BGP paths, blue without a ready gateway, two
 * clients, four sessions. The RIBs, the Model and the clock are real; the data plane answers from a table.
 */
import type { NeighborRow as BgpRow, LastError } from '../../src/bgp/status.ts';
import { resolveDocuments } from '../../src/config/resolve/resolve.ts';
import { parseFile } from '../../src/config/yaml/documents.ts';
import { makeReport } from '../../src/config/yaml/located.ts';
import type { DataPlane, NatSession } from '../../src/dataplane/dataplane.ts';
import type { HostLink, PortChoice } from '../../src/egress/ports.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { EgretError } from '../../src/lib/errors.ts';
import { systemRandom } from '../../src/lib/random.ts';
import { WorkQueue } from '../../src/lib/work-queue.ts';
import type { Model } from '../../src/model/model.ts';
import { parseIpv4, parseIpv4Prefix } from '../../src/net/ipv4.ts';
import { InternedAttributes } from '../../src/rib/attributes.ts';
import { Rib } from '../../src/rib/rib.ts';
import { noAttributes } from '../../src/rib/route.ts';
import { type DaemonCounter, daemonCounterMeanings } from '../../src/status/daemon-counters.ts';
import type { LiveParts } from '../../src/status/parts.ts';
import { ManualClock } from './manual-clock.ts';

const config = `apiVersion: projectcalico.org/v3
kind: FelixConfiguration
metadata: { name: default }
spec: { externalNetworkSupport: Enabled, egressIPSupport: EnabledPerNamespaceOrPerPod }
---
apiVersion: projectcalico.org/v3
kind: ExternalNetwork
metadata: { name: red }
spec: { routeTableIndex: 500 }
---
apiVersion: projectcalico.org/v3
kind: ExternalNetwork
metadata: { name: blue }
spec: { routeTableIndex: 501 }
---
apiVersion: operator.tigera.io/v1
kind: EgressGateway
metadata: { name: egress-red, namespace: prod }
spec:
  replicas: 2
  externalNetworks: [red]
  ipPools: [{ cidr: 10.50.0.0/30 }]
  template: { metadata: { labels: { exit: red } } }
---
apiVersion: operator.tigera.io/v1
kind: EgressGateway
metadata: { name: egress-blue, namespace: prod }
spec:
  replicas: 1
  externalNetworks: [blue]
  ipPools: [{ cidr: 10.51.0.0/30 }]
  template: { metadata: { labels: { exit: blue } } }
---
apiVersion: projectcalico.org/v3
kind: NetworkSet
metadata:
  name: shop
  namespace: prod
  annotations: { egress.projectcalico.org/selector: "exit == 'red'" }
spec: { nets: [10.1.0.0/24, 10.1.9.0/24] }
---
apiVersion: projectcalico.org/v3
kind: GlobalNetworkSet
metadata: { name: office }
spec: { nets: [10.2.0.0/16] }
---
apiVersion: egret.dev/v1
kind: Appliance
metadata: { name: box }
spec:
  interfaces:
    - { name: mgmt0, role: Management }
    - { name: ens7, role: Clients }
  networks:
    - { name: red, interfaces: [ens5] }
    - { name: blue, interfaces: [ens6] }
`;

const ip = (text: string): number => parseIpv4(text)!;

function resolved(): Model {
  const report = makeReport();
  const resolution = resolveDocuments(parseFile('t.yaml', Buffer.from(config), report), report);
  if (resolution.kind === 'errors') throw new Error(JSON.stringify(resolution.errors));
  return resolution.model;
}

/** Two equal paths and one that lost, a static route and the link that all of them resolve by. */
function redRib(): Rib {
  const clock = new ManualClock();
  const attributes = new InternedAttributes({ queue: clock.queue });
  const rib = new Rib({ name: 'red', clock, queue: clock.queue, attributes });
  const link = rib.openLocal({ kind: 'connected', name: 'ens5', bgp: undefined });
  link.announceDirect(ip('172.16.1.0'), 24, { interface: 'ens5', address: 0 });
  const fixed = rib.openLocal({ kind: 'static', name: 'static', bgp: undefined });
  fixed.announceDirect(0, 0, { interface: 'ens5', address: ip('172.16.1.1') });
  for (const [last, asNumbers] of [
    [140, [64512]],
    [141, [64512]],
    [142, [64512, 64513, 64514]],
  ] as const) {
    const address = ip(`172.16.1.${last}`);
    const peer = { isExternal: true, remoteAs: 64512, localAs: 65000 };
    const bgp = { ...peer, remoteId: address, remoteAddress: address };
    const source = rib.openSource({ kind: 'bgp', name: `172.16.1.${last}`, bgp });
    const asPath = [
      { kind: 'AS_SEQUENCE', asNumbers },
      { kind: 'AS_SET', asNumbers: [65100, 65101] },
    ] as const;
    const prefix = parseIpv4Prefix('192.0.2.0/24')!;
    const path = { ...noAttributes, asPath: last === 142 ? asPath : asPath.slice(0, 1) };
    const key = new TextEncoder().encode(`${last}`);
    const id = attributes.intern(key, () => ({ ...path, nextHop: address }));
    source.announce(prefix.address, prefix.length, id);
  }
  clock.settle();
  return rib;
}

function localRib(name: string, connected: string, on: string): Rib {
  const clock = new ManualClock();
  const rib = new Rib({
    name,
    clock,
    queue: clock.queue,
    attributes: new InternedAttributes({ queue: clock.queue }),
  });
  const { address, length } = parseIpv4Prefix(connected)!;
  const source = rib.openLocal({ kind: 'connected', name: on, bgp: undefined });
  source.announceDirect(address, length, { interface: on, address: 0 });
  clock.settle();
  return rib;
}

const end = (address: string, port: number) => ({ address: ip(address), port });
const sessions: NatSession[] = [
  {
    ...{ protocol: 6, inside: end('10.1.0.2', 40000), outside: end('10.50.0.1', 1024) },
    ...{ remote: end('192.0.2.10', 443), network: 1, state: 'established', idleMs: 12_345.6 },
  },
  {
    ...{ protocol: 17, inside: end('10.1.0.3', 5353), outside: end('10.50.0.2', 2048) },
    ...{ remote: end('192.0.2.53', 53), network: 1, state: 'established', idleMs: 850 },
  },
  {
    ...{ protocol: 1, inside: end('10.1.0.2', 77), outside: end('10.50.0.1', 77) },
    ...{ remote: end('192.0.2.10', 77), network: 1, state: 'established', idleMs: 61_000 },
  },
  {
    ...{ protocol: 47, inside: end('10.2.0.1', 0), outside: end('10.2.0.1', 0) },
    ...{ remote: end('10.9.0.1', 0), network: 0, state: 'closing', idleMs: 11_100_000 },
  },
];

const portSlots = ['ens5', 'ens6', 'ens7'];

/** Answers what status asks, from tables; `why` is for one client of red. */
const dataPlane: Partial<DataPlane> = {
  networkSlot: (index) => (index === undefined ? 0 : index - 499),
  portSlot: (name) => portSlots.indexOf(name),
  portCounter: (slot, counter) => (counter === 'received' ? 1000 + slot : 0),
  dropCounter: (slot, drop) => (drop === 'no_route' && slot === 2 ? 7 : 0),
  workerCounter: (counter) => (counter === 'sessions' ? sessions.length : 0),
  readSessions: (cursor, rowsMax) => {
    const rows = sessions.slice(cursor, cursor + Math.min(rowsMax, 3));
    return { rows, cursor: cursor + rows.length, isLast: cursor + rows.length >= sessions.length };
  },
  readPool: (address) =>
    address === ip('10.50.0.1')
      ? { tcpUsed: 1, udpUsed: 0, icmpUsed: 1, quarantined: 3 }
      : undefined,
  readNeighbors: () => [
    {
      ...{ address: ip('172.16.1.140'), portSlot: 0, state: 'reachable', ageMs: 61_000 },
      mac: [2, 1, 172, 16, 1, 140],
    },
    {
      ...{ address: ip('172.16.2.1'), portSlot: 1, state: 'failed', ageMs: undefined },
      mac: [0, 0, 0, 0, 0, 0],
    },
  ],
  why: (client) => ({
    client: client === ip('10.1.0.2') ? 0 : undefined,
    rule: client === ip('10.1.0.2') ? 0 : undefined,
    outsideAddress: client === ip('10.1.0.2') ? ip('10.50.0.1') : undefined,
    network: client === ip('10.1.0.2') ? 1 : 0,
    group: 1,
    nextHop: client === ip('10.1.0.2') ? ip('172.16.1.140') : undefined,
    portSlot: client === ip('10.1.0.2') ? 0 : undefined,
    drop: client === ip('10.1.0.2') ? undefined : 'not_a_client',
  }),
};

const link = (name: string, ifindex: number, addresses: HostLink['addresses']): HostLink => ({
  ...{ name, ifindex, addresses, isUp: true, isLoopback: false, mtu: 1500 },
  mac: Buffer.from([2, 0, 0, 0, 0, ifindex]),
});

const ports: PortChoice[] = [
  { name: 'ens5', role: 'Networks', networks: ['red'], reason: 'belongs to network red' },
  { name: 'ens6', role: 'Networks', networks: ['blue'], reason: 'belongs to network blue' },
  { name: 'ens7', role: 'Clients', networks: [], reason: 'listed in Appliance.spec.interfaces' },
];

const counts = { open: 1, update: 3, notification: 0, keepalive: 20, routeRefresh: 0 };

const shutdown: LastError = {
  ...{ sender: 'remote', code: 6, subcode: 2, words: undefined },
  ...{ text: 'Cease: Administrative Shutdown', wallMs: 1_700_000_000_000 },
};

const idle: BgpRow = {
  ...{ name: 'to-blue', network: 'blue', address: ip('172.16.2.1'), remoteAs: 4_200_000_001 },
  ...{ localAs: 65000, state: 'Idle', sinceMs: 4_321.9, localId: ip('10.1.0.1') },
  ...{ remoteId: undefined, localAddress: undefined, localPort: undefined, remotePort: undefined },
  ...{ holdTimeConfiguredMs: 90_000, holdTimeMs: undefined, keepaliveTimeMs: undefined },
  ...{ holdRemainingMs: undefined, connectRetryRemainingMs: undefined, idleHoldRemainingMs: 800 },
  ...{ capabilitiesAdvertised: [], capabilitiesReceived: [], capabilitiesNegotiated: [] },
  ...{ received: 0, accepted: 0, announced: 0 },
  ...{ messagesSent: { ...counts, update: 0 }, messagesReceived: { ...counts, update: 0 } },
  attributeFaults: { 'attribute-discard': 0, 'treat-as-withdraw': 0, 'session-reset': 0 },
  ...{ lastRefusal: undefined, droppedCount: 0, warning: undefined },
  lastError: shutdown,
  lastDown: { ...shutdown, upMs: 60_000, isGraceful: false },
  ...{ isEndOfRibReceived: false, isStale: false, staleRemainingMs: undefined },
  ...{ establishedCount: 1, downCount: 1, refusedCount: 0 },
  events: [{ wallMs: 1_700_000_000_000, text: 'down' }],
};

const established: BgpRow = {
  ...idle,
  ...{ name: 'to-red', network: undefined, address: ip('172.16.1.140'), remoteAs: 64512 },
  ...{ state: 'Established', sinceMs: 93_600_000, received: 3, accepted: 2, announced: 2 },
  ...{ remoteId: ip('172.16.1.140'), localAddress: ip('172.16.1.2') },
  ...{ lastError: undefined, lastDown: undefined },
};

const daemonCounters = Object.fromEntries(
  Object.keys(daemonCounterMeanings).map((name) => [name, name === 'forwarder_pid' ? 321 : 0]),
) as Record<DaemonCounter, number>;

/** Makes new parts each time: nothing that a test changes reaches another. */
export function makeLiveParts(): LiveParts {
  const links = [
    link('ens5', 5, [{ address: ip('172.16.1.2'), length: 24, broadcast: ip('172.16.1.255') }]),
    link('ens7', 7, [{ address: ip('10.1.0.1'), length: 24, broadcast: undefined }]),
    link('mgmt0', 2, []),
  ];
  const ready = { isReady: true, reason: 'a neighbor is up' };
  const waiting = { isReady: false, reason: 'no neighbor is up: 172.16.2.1 is Idle' };
  return {
    facts: async () => [
      { name: 'egret', value: '0.1.0' },
      { name: 'failed units', value: 'none' },
    ],
    clock: systemClock,
    random: systemRandom,
    trials: {
      open: () => {
        throw new EgretError('FORWARDER_FAILED', { reason: 'none runs' });
      },
    },
    generation: 7,
    model: resolved(),
    queue: new WorkQueue(systemClock),
    links,
    localAddresses: [ip('172.16.1.2'), ip('10.1.0.1')],
    ports,
    assignment: new Map([
      ['prod/egress-blue', [ip('10.51.0.1')]],
      ['prod/egress-red', [ip('10.50.0.1'), ip('10.50.0.2')]],
    ]),
    networkReadiness: new Map([
      ['red', ready],
      ['blue', waiting],
    ]),
    gatewayReadiness: new Map([['prod/egress-red', { isReady: true, reason: 'red is ready' }]]),
    ribs: new Map<string | undefined, Rib>([
      [undefined, localRib('', '10.1.0.0/24', 'ens7')],
      ['red', redRib()],
      ['blue', localRib('blue', '172.16.2.0/24', 'ens6')],
    ]),
    dataPlane: dataPlane as DataPlane,
    neighbors: () => [established, idle],
    routesRefused: () => 0,
    mirroredCount: ({ name }) => (name === 'red' ? 1 : 0),
    rpFilter: (name) => (name === 'ens5' ? 2 : null),
    forwarderTrouble: undefined,
    daemonCounters: () => daemonCounters,
    configErrors: [],
  };
}
