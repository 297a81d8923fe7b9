// SPDX-License-Identifier: Apache-2.0
/**
 * SIGHUP with ten thousand Pods under traffic: the change comes into force, and a client that it does not concern loses nothing. Two in a row: the newest counts.
 */
import { test } from 'tap';
import { clientAddress, clientResource, documents, openScene, server } from '../appliance/scene.ts';
import { lostNothing, steadyFlow } from '../appliance/witness.ts';
import { until } from '../lab/process.ts';
import { pods } from './pods.ts';

const podCount = 10_000;

test('ten thousand Pods', async (t) => {
  const scene = await openScene(t, {
    clients: { alpha: { network: 'north' }, beta: { network: 'south' } },
  });
  const { egret, figure } = scene;
  const { alpha } = figure.clients;
  const calm = await steadyFlow(scene, 'beta', 'south', 1000);

  const alphaResource = (network: 'north' | 'south' | undefined): string =>
    documents(clientResource('alpha', [`${clientAddress(0)}/32`], network));
  /** Takes files, and waits until alpha is where they say. @returns milliseconds since SIGHUP */
  const move = async (files: Record<string, string | undefined>, to: string): Promise<number> => {
    await egret.writeConfig(files);
    const reloadedMs = egret.reload();
    await until(
      `alpha is in ${to}`,
      async () => (await alpha.agent.ask('udp', server, 1000)).network === to,
      20,
    );
    return Math.round(performance.now() - reloadedMs);
  };

  await t.test('a small configuration', async (t) => {
    const tookMs = await move({ 'client-alpha.yaml': alphaResource('south') }, 'south');
    t.pass(`in force after ${tookMs} ms`);
  });

  await t.test('ten thousand Pods', async (t) => {
    const files = {
      'client-alpha.yaml': alphaResource('north'),
      'pods.yaml': pods(podCount, 'north'),
    };
    const tookMs = await move(files, 'north');
    t.pass(`in force after ${tookMs} ms`);
    t.equal((await egret.show('clients')).length, podCount + 2);
    t.match(await egret.why('10.100.39.15', server), /Pod team-39\/web-9999/);
  });

  await t.test('the newest of two counts', async (t) => {
    const generation = await egret.generation();
    await egret.writeConfig({ 'pods.yaml': pods(podCount, 'south') });
    egret.reload();
    await egret.writeConfig({
      'client-alpha.yaml': alphaResource('south'),
      'pods.yaml': undefined,
    });
    egret.reload();
    await until('both are taken', async () => (await egret.generation()) === generation + 2);
    t.equal((await egret.show('clients')).length, 2);
    t.match(await alpha.agent.ask('udp', server), { network: 'south' });
  });

  await t.test('the untouched client lost nothing', async (t) => {
    const { up } = await lostNothing(t, calm);
    t.equal(up.sources.length, 1);
  });

  const delayMs = (await egret.counter('loop_delay_microseconds_max')) / 1000;
  t.comment(`timers of egretd waited for ${delayMs} ms at most`);
});
