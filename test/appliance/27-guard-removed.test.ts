// SPDX-License-Identifier: Apache-2.0
/**
 * Another program removes the guard, or one rule of it: egretd puts it back and says so, and what it
 * is forwarding continues.
 */
import { test } from 'tap';
import { until } from '../lab/process.ts';
import { openScene, server, source } from './scene.ts';

test('the guard is put back', async (t) => {
  const scene = await openScene(t, {
    clients: { alpha: { network: 'north' }, beta: { network: 'south' } },
  });
  const { gateway } = scene.figure;
  const { alpha } = scene.figure.clients;
  const rules = async (): Promise<string> =>
    (await gateway.run(['nft', '-s', 'list', 'ruleset'])).stdout;
  const sorted = (text: string): string =>
    text
      .split(/[\s,]+/)
      .sort()
      .join(' ');
  const first = await rules();
  const before = sorted(first);
  const said = (): number =>
    scene.egret.log().split('another program changed the guard').length - 1;
  t.match(first, /table netdev egret_/);
  t.equal(said(), 0, 'its own transactions are no change');

  await gateway.nft('flush ruleset');
  await until('the guard is back', async () => sorted(await rules()) === before);
  await until('that is said', () => said() === 1);

  const table = /table inet (egret_\w+)/.exec(first)?.[1] ?? '';
  await gateway.nft(`flush chain inet ${table} forward`);
  await until('its chain is full again', async () => sorted(await rules()) === before);
  await until('that is said', () => said() === 2);

  await gateway.nft('add table inet other\nadd chain inet other input\n');
  const answer = await alpha.agent.ask('tcp', server);
  t.match(answer, { network: 'north', address: source.north });
  t.equal(said(), 2, 'tables of others are theirs');
});
