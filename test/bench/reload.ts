// SPDX-License-Identifier: Apache-2.0
/**
 * SIGHUP with 10,000 Pods in one file, until a client is where the files say: compared with a small
 * configuration and with a bare read of the bytes.
 */
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { clientAddress, clientResource, documents, server } from '../appliance/scene.ts';
import { until } from '../lab/process.ts';
import { pods } from '../scale/pods.ts';
import { type Row, timed } from './row.ts';
import { withScene } from './with-scene.ts';

const podCount = 10_000;

export function measureReload(): Promise<Row[]> {
  const clients = { alpha: { network: 'north' } } as const;
  return withScene({ clients }, async ({ egret, figure }) => {
    const { agent } = figure.clients.alpha;
    const moves = async (to: 'north' | 'south', more: Record<string, string>): Promise<number> => {
      const alpha = documents(clientResource('alpha', [`${clientAddress(0)}/32`], to));
      await egret.writeConfig({ 'client-alpha.yaml': alpha, ...more });
      const [, seconds] = await timed(async () => {
        egret.reload();
        const isThere = async () => (await agent.ask('udp', server, 1000)).network === to;
        await until(`alpha is in ${to}`, isThere, 5);
      });
      return seconds;
    };
    const smallS = await moves('south', {});
    const largeS = await moves('north', { 'pods.yaml': pods(podCount, 'north') });
    const path = join(egret.configDir, 'pods.yaml');
    const [, readS] = await timed(() => readFile(path, 'utf8'));
    const mebibytes = ((await stat(path)).size / 2 ** 20).toFixed(1);
    const reference = { what: `a read of the ${mebibytes} MiB`, figure: readS };
    return [
      {
        what: `SIGHUP with ${podCount} Pods, until in force`,
        figure: largeS,
        unit: 's',
        reference,
      },
      { what: 'SIGHUP with a small configuration', figure: smallS, unit: 's' },
    ];
  });
}
