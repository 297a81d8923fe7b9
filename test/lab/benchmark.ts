/**
 * iperf3 over TCP through the gateway: Egret, and beside it the same topology forwarded by the
 * kernel with nftables SNAT.
 *
 *   node test/lab/benchmark.ts [SECONDS]
 */
import { Bird } from './bird.ts';
import { Egret } from './egret.ts';
import { startKernelGateway } from './kernel-gateway.ts';
import { type Host, Lab } from './namespace.ts';
import { until } from './process.ts';
import { buildFigure } from './topology.ts';

const seconds = Number(process.argv[2] ?? 5);
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

interface Measured {
  readonly gateway: string;
  readonly up: number;
  readonly down: number;
  readonly up4: number;
}

async function measure(
  gateway: string,
  start: (host: Host, router: Host) => Promise<void>,
): Promise<Measured> {
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
        const { stdout } = await client.host.run(argv, { timeoutMs: (seconds + 20) * 1000 });
        // Absent when the server was not there yet, or was busy.
        return (JSON.parse(stdout) as Iperf).end.sum_received;
      });
      return bits_per_second / 1e9;
    };
    return {
      gateway,
      up: await gigabits(),
      down: await gigabits('-R'),
      up4: await gigabits('-P', '4'),
    };
  } finally {
    await lab.close();
  }
}

const kernel = await measure('kernel, nftables SNAT', async (host, router) => {
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
});
const egret = await measure('Egret', async (host, router) => {
  await Bird.start(router, {
    routerId: '172.16.1.140',
    localAs: 64512,
    neighbors: [{ name: 'egret', address: '172.16.1.1', remoteAs: 64512 }],
    announce: { web: ['192.0.2.0/24'] },
  });
  const daemon = await Egret.start(host, { 'all.yaml': config });
  await daemon.ready(['red']);
});

console.log('gateway                  up Gb/s  down Gb/s  4 up Gb/s');
for (const { gateway, up, down, up4 } of [kernel, egret]) {
  const figures = [
    up.toFixed(1).padStart(7),
    down.toFixed(1).padStart(9),
    up4.toFixed(1).padStart(9),
  ];
  console.log(`${gateway.padEnd(23)}  ${figures.join('  ')}`);
}
