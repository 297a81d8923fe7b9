// SPDX-License-Identifier: Apache-2.0
/**
 * Two routers of one network announce the same prefix: flows spread over both, lose nothing when one
 * is shut down, and soon go by the other when one falls silent.
 *
 *   alpha ── gateway ┬ wan0 ── router ─┬── server
 *                    └ wan2 ── second ─┘
 */
import { type Test, test } from 'tap';
import { Bird } from '../lab/bird.ts';
import { until } from '../lab/process.ts';
import type { NumberedFlow } from '../lab/traffic.ts';
import {
  documents,
  kernelTable,
  localAs,
  networkResources,
  networks,
  openScene,
  prefix,
  sceneConfig,
  server,
  source,
} from './scene.ts';
import { lostNothing, steadyFlow } from './witness.ts';

const secondUplink = '100.64.8.1';
const secondRouter = '100.64.8.77';
/** Of so many, some go by each router. */
const flowCount = 16;

test('two paths', async (t) => {
  const options = { clients: { alpha: { network: 'north' } } } as const;
  const scene = await openScene(t, options);
  const { lab, figure, egret } = scene;
  const { alpha } = figure.clients;
  const { north } = figure.networks;

  const second = await lab.host('second');
  await second.sysctl({ 'net.ipv4.ip_forward': 1, 'net.ipv4.conf.all.rp_filter': 0 });
  await lab.link(
    { host: second, name: 'up0', addresses: [`${secondRouter}/24`] },
    { host: figure.gateway, name: 'wan2', addresses: [`${secondUplink}/24`] },
  );
  await lab.link(
    { host: second, name: 'lan0', addresses: ['198.51.101.1/24'] },
    { host: north.server, name: 'eth1', addresses: ['198.51.101.10/24'] },
  );
  await north.server.sysctl({ 'net.ipv4.conf.eth1.rp_filter': 0 });
  await second.ip(`route add ${prefix} via 198.51.101.10`);
  const bird = await Bird.start(second, {
    routerId: secondRouter,
    localAs: networks.north.as,
    neighbors: [{ name: 'egret', address: secondUplink, remoteAs: localAs }],
    announce: { web: [prefix] },
  });

  const nextHops = async (): Promise<string[]> =>
    (await kernelTable(scene, networks.north.table)).filter((line) => line.includes('via'));
  const hasBoth = async (): Promise<boolean> => (await nextHops()).length === 2;
  const flows = (): Promise<NumberedFlow[]> =>
    Promise.all(Array.from({ length: flowCount }, () => steadyFlow(scene, 'alpha', 'north', 100)));

  await t.test('flows spread over both', async (t) => {
    const [, peer] = networkResources('north', { peerIP: secondRouter });
    const interfaces = [
      { name: 'north', interfaces: ['wan0', 'wan2'] },
      { name: 'south', interfaces: ['wan1'] },
    ];
    await egret.writeConfig({
      ...sceneConfig({ ...options, appliance: { networks: interfaces } }),
      'second.yaml': documents({ ...peer, metadata: { name: 'to-north-too' } }),
    });
    egret.reload();
    await until('both are in the table', hasBoth);
    t.equal(
      (await egret.ask(['show', 'route', 'table', `${networks.north.table}`])).stdout.trimEnd(),
      (await kernelTable(scene, networks.north.table)).join('\n').trimEnd(),
    );
    const passed = await (await scene.agentOf(second)).watch('passed', 'up0', {
      source: `${source.north}/32`,
    });
    const crowd = { remote: server, port: 7, firstLocalPort: 20_000, count: 200, perSecond: 1000 };
    t.match(await alpha.agent.call('manyUdp', crowd), { answered: 200 });
    const { count } = await passed.seen();
    t.ok(count > 50 && count < 150, `${count} of 200 by the second router`);
    await passed.close();
  });

  await t.test('one is shut down: nothing is lost', async (t) => {
    const running = await flows();
    await bird.stop();
    await until('one is left', async () => !(await hasBoth()));
    await Promise.all(running.map((flow) => lostNothing(t, flow)));
    await bird.restart();
    await until('both are back', hasBoth);
  });

  await t.test('one falls silent: its flows go by the other within seconds', async (t) => {
    const running = await flows();
    await second.nft(`table netdev mute {
      chain in {
        type filter hook ingress device "up0" priority 0;
        ip daddr ${server} counter drop
        drop
      }
    }`);
    await until('some went there', async () => {
      const { stdout } = await second.run(['nft', 'list', 'table', 'netdev', 'mute']);
      return Number(/packets (\d+)/.exec(stdout)?.[1]) > 0;
    });
    await Promise.all(running.map((flow) => flow.advances(50))); // all flow again
    const silences = await finish(t, running);
    t.comment(`silent for ${Math.max(...silences)} ms at most`);
    t.ok(await hasBoth(), 'though BGP has not noticed');
  });
});

/** @returns how long each flow was silent on its way up */
async function finish(t: Test, flows: readonly NumberedFlow[]): Promise<number[]> {
  const accounts = await Promise.all(flows.map((flow) => flow.finish()));
  t.ok(
    accounts.every(({ up }) => up.sources.length === 1),
    'each kept its session',
  );
  return accounts.map(({ up }) => up.silenceMsMax);
}
