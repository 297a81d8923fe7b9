// SPDX-License-Identifier: Apache-2.0
/** CPU of both processes in ten seconds without a packet: with 10,000 sessions, compared with none. */
import { setTimeout as sleep } from 'node:timers/promises';
import { server } from '../appliance/scene.ts';
import type { Row } from './row.ts';
import { withScene } from './with-scene.ts';

const sessionCount = 10_000;
const idleMs = 10_000;

export function measureIdle(): Promise<Row[]> {
  const options = {
    clients: { alpha: { network: 'north' } },
    appliance: { nat: { timeouts: { udp: '2h' } } },
  } as const;
  return withScene(options, async ({ egret, figure }) => {
    const cpuS = async (): Promise<number> => {
      await sleep(1000);
      const before = await egret.cpuSeconds();
      await sleep(idleMs);
      return (await egret.cpuSeconds()) - before;
    };
    const emptyS = await cpuS();
    await figure.clients.alpha.agent.call('manyUdp', {
      ...{ remote: server, port: 7, perSecond: 4000 },
      ...{ firstLocalPort: 20_000, count: sessionCount },
    });
    const fullS = await cpuS();
    const what = `idle with ${sessionCount} sessions, CPU in ${idleMs / 1000} s`;
    return [{ what, figure: fullS, unit: 's', reference: { what: 'with none', figure: emptyS } }];
  });
}
