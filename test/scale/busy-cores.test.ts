// SPDX-License-Identifier: Apache-2.0
/**
 * Fifty networks with hold times of 9 s, while every core has another process that is always busy:
 * routes come in all of them at once, then many more in one, and every session stays up.
 */
import { availableParallelism } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'tap';
import { Egret } from '../lab/egret.ts';
import { Feed } from '../lab/feed.ts';
import { Lab } from '../lab/namespace.ts';
import { makePrefixes } from '../lab/prefixes.ts';
import { until } from '../lab/process.ts';

const networkCount = 50;
const holdTimeS = 9;

test('sessions stay up while every core is busy', async (t) => {
  const lab = await Lab.open();
  t.teardown(() => lab.close());
  const feed = await Feed.open(lab, networkCount, holdTimeS);
  const appliance = { limits: { sessions: 1000, routes: 5_500_000 } }; // as scattered as can be
  const egret = await Egret.start(feed.gateway, { 'all.yaml': feed.config(appliance) });
  await feed.established();
  for (let core = 0; core < availableParallelism(); core += 1) {
    feed.gateway.start(['sh', '-c', 'while :; do :; done']);
  }
  const networks = Array.from({ length: networkCount }, (_, number) => number);
  const prefixes = makePrefixes(150_000, 9);

  const few = prefixes.slice(0, 5000);
  await feed.announce(networks, few);
  await until('every network has its routes', () => haveRoutes(networks, few.length));
  await feed.announce([0], prefixes);
  await until('one has many more', () => haveRoutes([0], prefixes.length));
  // The mirror may be at work still; any session that was neglected ends meanwhile.
  await sleep(2 * holdTimeS * 1000);

  const sessions = await feed.sessions();
  const kept = sessions.filter((each) => each.isEstablished && each.opens === 1);
  t.equal(kept.length, networkCount, 'each network has the session that it began with');
  t.strictSame(
    sessions.filter(({ notifications }) => notifications > 0),
    [],
    'nothing was complained of',
  );
  const neighbors = await egret.show('neighbors');
  t.strictSame(
    neighbors.filter(({ state }) => state !== 'Established'),
    [],
  );
  const silenceMs = Math.max(...sessions.map(({ silenceMsMax }) => silenceMsMax));
  const delayMs = (await egret.counter('loop_delay_microseconds_max')) / 1000;
  t.comment(`longest silence ${(silenceMs / 1000).toFixed(1)} s of ${holdTimeS}`);
  t.comment(`timers of egretd waited for ${delayMs.toFixed(1)} ms at most`);

  async function haveRoutes(numbers: readonly number[], count: number): Promise<boolean> {
    const rows = await egret.show('networks');
    return numbers.every((n) => rows.find(({ name }) => name === `net${n}`)?.routes === count);
  }
});
