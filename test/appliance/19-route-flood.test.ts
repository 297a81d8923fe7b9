// SPDX-License-Identifier: Apache-2.0
/**
 * A neighbor of one network announces more than the FIB has room for, each route as costly as it can
 * be. Its own network is degraded and says why; the other takes new routes and loses no packet.
 */
import { test } from 'tap';
import { until } from '../lab/process.ts';
import { openScene, server, source } from './scene.ts';
import { lostNothing, steadyFlow } from './witness.ts';

/** Each in a /24 and most in a /16 of its own: some 2 KiB of FIB a route. */
const flood = Array.from(
  { length: 2_000 },
  (_, i) => `${11 + (i >> 8)}.${i & 255}.${i % 251}.1/32`,
);
/** More new routes of the other network than its neighbor's packets could bring by chance. */
const fresh = Array.from({ length: 40 }, (_, i) => `203.${i}.113.7/32`);

test('a flood of routes from one network', async (t) => {
  const scene = await openScene(t, {
    clients: { alpha: { network: 'north' }, beta: { network: 'south' } },
    bird: { announce: { web: ['198.51.100.0/24'], flood }, withdrawn: ['flood'] },
  });
  const { egret, bird, frr, figure } = scene;
  const rowOf = async (name: string) =>
    (await egret.show('networks')).find((row) => row.name === name)!;
  const flow = await steadyFlow(scene, 'beta', 'south', 100);

  await bird.announce('flood');
  await until('the FIB has no room for all', async () => (await rowOf('north')).refused > 0);
  const north = await rowOf('north');
  t.equal(north.ready, false);
  t.match(north.reason, /^degraded: \d+ route\(s\) of it do not fit/);
  t.match(egret.log(), /the FIB has no room for routes/);
  await until('its gateway is not ready', async () => {
    const rows = await egret.show('gateways');
    return rows.find(({ name }) => name === 'exit-north')?.ready === false;
  });
  await until('its address is withdrawn', async () => {
    const learned = await bird.learned('egret');
    return !learned.some((prefix) => prefix.startsWith(source.north));
  });

  await t.test('new routes of the other are forwarded', async (t) => {
    for (const prefix of fresh) await frr.announce(prefix);
    await until('they are there', async () => {
      const { routes, refused } = await rowOf('south');
      return routes > fresh.length && refused === 0;
    });
    t.equal((await rowOf('south')).ready, true);
    const address = fresh[7]!.split('/')[0]!;
    await figure.networks.south.server.ip(`address add ${address}/32 dev eth0`);
    await figure.networks.south.router.ip(`route add ${address} via ${server}`);
    const { stdout } = await figure.clients.beta.host.run(['ping', '-c', '3', '-q', address]);
    t.match(stdout, /3 received/);
  });

  await t.test('a withdrawal ends it', async (t) => {
    await bird.withdraw('flood');
    await egret.ready(['north', 'south']);
    t.equal((await rowOf('north')).refused, 0);
    t.match(await egret.why('10.20.30.40', server), `forwarded from ${source.north}`);
  });
  await lostNothing(t, flow);
});
