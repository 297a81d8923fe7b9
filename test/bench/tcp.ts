// SPDX-License-Identifier: Apache-2.0
/**
 * iperf3 over TCP through the gateway, compared with the same topology forwarded by the kernel with
 * nftables SNAT: one stream up, one down, four up.
 */
import { Bird } from '../lab/bird.ts';
import { Egret } from '../lab/egret.ts';
import { startKernelGateway } from '../lab/kernel-gateway.ts';
import { type Host, Lab } from '../lab/namespace.ts';
import { until } from '../lab/process.ts';
import { buildFigure } from '../lab/topology.ts';
import type { Row } from './row.ts';

const seconds = 3;
const server = '192.0.2.10';

const config = `
apiVersion: projectcalico.org/v3
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
kind: BGPPeer
metadata: { name: red }
spec: { peerIP: 172.16.1.140, asNumber: 64512, sourceAddress: None, externalNetwork: red }
---
apiVersion: operator.tigera.io/v1
kind: EgressGateway
metadata: { name: egress-red, namespace: default }
spec: { externalNetworks: [red], ipPools: [{ cidr: 10.50.0.2/31 }] }
---
apiVersion: v1
kind: Pod
metadata:
  name: client
  namespace: default
  annotations: { egress.projectcalico.org/selector: "all()" }
status: { podIPs: [{ ip: 10.1.1.2 }] }
`;

/** What iperf3 -J prints, as far as it is read. */
interface Iperf {
  readonly end: { readonly sum_received?: { readonly bits_per_second: number } };
}

/** Gb/s. */
interface Rates {
  readonly up: number;
  readonly down: number;
  readonly up4: number;
}

async function ratesThrough(start: (host: Host, router: Host) => Promise<void>): Promise<Rates> {
  const lab = await Lab.open();
  try {
    const figure = await buildFigure(
      lab,
      [
        {
          name: 'client',
          address: '10.1.1.2/24',
          gatewayInterface: 'ens3',
          gatewayAddress: '10.1.1.1/24',
        },
      ],
      [
        {
          name: 'red',
          gatewayInterface: 'ens5',
          gatewayAddress: '172.16.1.1/24',
          routerAddress: '172.16.1.140/24',
          serverAddress: `${server}/24`,
          routerLanAddress: '192.0.2.1/24',
        },
      ],
    );
    const { client } = figure.clients;
    const { red } = figure.networks;
    await start(figure.gateway, red.router);
    await until('the server answers', () => client.agent.ask('tcp', server, 1000));
    red.server.start(['iperf3', '-s']);
    const gigabits = async (...words: string[]): Promise<number> => {
      const argv = ['iperf3', '-J', '-t', `${seconds}`, '-c', server, ...words];
      const { bits_per_second } = await until('iperf3 runs', async () => {
        const { stdout } = await client.host.run(argv);
        // Absent when the server was not there yet, or was busy.
        return (JSON.parse(stdout) as Iperf).end.sum_received;
      });
      return bits_per_second / 1e9;
    };
    return {
      up: await gigabits(),
      down: await gigabits('-R'),
      up4: await gigabits('-P', '4'),
    };
  } finally {
    await lab.close();
  }
}

async function startKernel(host: Host, router: Host): Promise<void> {
  await router.ip('route add 10.50.0.2/32 via 172.16.1.1');
  await startKernelGateway(host, [
    {
      client: '10.1.1.2',
      table: 500,
      destination: '192.0.2.0/24',
      nextHop: '172.16.1.140',
      interface: 'ens5',
      source: '10.50.0.2',
    },
  ]);
}

async function startEgret(host: Host, router: Host): Promise<void> {
  await Bird.start(router, {
    routerId: '172.16.1.140',
    localAs: 64512,
    neighbors: [{ name: 'egret', address: '172.16.1.1', remoteAs: 64512 }],
    announce: { web: ['192.0.2.0/24'] },
  });
  const daemon = await Egret.start(host, { 'all.yaml': config });
  await daemon.ready(['red']);
}

export async function measureTcp(): Promise<Row[]> {
  const kernel = await ratesThrough(startKernel);
  const egret = await ratesThrough(startEgret);
  const rows = { up: 'one stream up', down: 'one stream down', up4: 'four streams up' } as const;
  return (['up', 'down', 'up4'] as const).map((each) => ({
    what: `TCP, ${rows[each]}`,
    figure: egret[each],
    unit: 'Gb/s',
    reference: { what: 'kernel, nftables SNAT', figure: kernel[each] },
  }));
}
