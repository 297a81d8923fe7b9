// SPDX-License-Identifier: Apache-2.0
/**
 * `kill -9` of the forwarder with 100,000 sessions (EGRET_FULL=1: a million): how long a flow is silent,
 * compared with the same when the flow's session is the only one.
 */
import { clientResource, documents } from '../appliance/scene.ts';
import { steadyFlow } from '../appliance/witness.ts';
import { until } from '../lab/process.ts';
import type { Row } from './row.ts';
import { withScene } from './with-scene.ts';

const sessionCount = process.env['EGRET_FULL'] === '1' ? 1_000_000 : 100_000;

export function measureForwarderKilled(): Promise<Row[]> {
  const options = {
    clients: { alpha: { network: 'north' } },
    replicas: { north: 4 },
    files: { 'crowd.yaml': documents(clientResource('crowd', ['10.20.30.128/26'], 'north')) },
    appliance: { limits: { sessions: 1.5 * sessionCount, routes: 20_000 } },
  } as const;
  return withScene(options, async (scene) => {
    const { egret, figure } = scene;
    const { alpha } = figure.clients;
    await figure.networks.north.router.ip('route add blackhole 198.51.100.128/25');
    const silenceS = async (): Promise<number> => {
      const flow = await steadyFlow(scene, 'alpha', 'north', 1000);
      const old = await egret.forwarderPid();
      await egret.killForwarder();
      await until('another runs', async () => (await egret.forwarderPid()) !== old, 10);
      await flow.advances(1000);
      const { up } = await flow.finish();
      return up.silenceMsMax / 1000;
    };
    const aloneS = await silenceS();
    const crowd = {
      interface: 'eth0',
      sourceMac: await alpha.host.mac('eth0'),
      gatewayMac: await figure.gateway.mac('cli0'),
      firstSource: '10.20.30.128',
      sources: 64,
      firstRemote: '198.51.100.130',
      remotes: 10,
      firstPort: 2000,
      perSecond: 60_000,
    };
    const isComplete = async (): Promise<boolean> => {
      await alpha.agent.call('sendCrowd', { ...crowd, from: 0, count: sessionCount });
      return (await egret.counter('sessions')) >= sessionCount;
    };
    await until('every session is there', isComplete);
    const figureS = await silenceS();
    const what = `forwarder killed with ${sessionCount} sessions, silence`;
    return [{ what, figure: figureS, unit: 's', reference: { what: 'with one', figure: aloneS } }];
  });
}
