// SPDX-License-Identifier: Apache-2.0
/** Ten thousand sessions and no packet: next to no CPU, and the sessions end all the same. */
import { test } from 'tap';
import { until } from '../lab/process.ts';
import { openScene, type SceneOptions, sceneConfig, server } from './scene.ts';
import { staysIdle } from './witness.ts';

const sessionCount = 10_000;

/** @param udp - for how long a UDP session outlives its last packet */
const optionsWith = (udp: string) =>
  ({
    clients: { alpha: { network: 'north' } },
    appliance: { nat: { timeouts: { udp }, portQuarantine: '1s' } },
  }) as const satisfies SceneOptions<'alpha'>;

test('idle', async (t) => {
  const scene = await openScene(t, optionsWith('2h'));
  const { egret } = scene;
  const { agent } = scene.figure.clients.alpha;

  const report = await agent.call('manyUdp', {
    ...{ remote: server, port: 7, perSecond: 4000 },
    ...{ firstLocalPort: 20_000, count: sessionCount },
  });
  t.equal(report.answered, sessionCount);
  await staysIdle(t, egret);
  t.ok((await egret.counter('sessions')) >= sessionCount, 'with all its sessions');

  const received = await egret.counter('received', { interface: 'cli0' });
  const { 'features.yaml': shorter } = sceneConfig(optionsWith('2s'));
  await egret.writeConfig({ 'features.yaml': shorter });
  egret.reload();
  await until('sessions end', async () => (await egret.counter('sessions')) === 0, 500);
  await until('ports come back', async () => {
    const rows = await egret.show('pools');
    return rows.every((row) => row.portsUsed === 0);
  });
  const arrived = (await egret.counter('received', { interface: 'cli0' })) - received;
  t.ok(arrived < 20, `while ${arrived} frames came (ARP)`);
});
