// SPDX-License-Identifier: Apache-2.0
/** What an operator tries from the box: ping, traceroute and tcp-check through the data plane, and what clears. */
import { test } from 'tap';
import { until } from '../lab/process.ts';
import { clientAddress, openScene, router, server, source } from './scene.ts';

test('ping, traceroute and tcp-check meet what a packet meets', async (t) => {
  const scene = await openScene(t, {
    clients: { ada: { network: 'north' }, bob: { network: 'south' } },
  });
  const { egret, figure } = scene;
  const say = (...words: string[]) => egret.ask(words, { statuses: 'any', timeoutMs: 60_000 });
  const ada = clientAddress(0);

  await t.test('a client: its policy, its egress address, its network', async (t) => {
    const { stdout, status, stderr } = await say('ping', server, 'from', ada, '--count', '2');
    t.equal(status, 0, stderr);
    t.match(stdout, `leaves as ${source.north} by wan0 to ${router}, network north`);
    t.match(stdout, /64 bytes from 198\.51\.100\.10: seq=2 ttl=\d+ time=\d/);
    t.match(stdout, '2 packets transmitted, 2 received, 0% packet loss');
    const byName = await say('ping', server, 'from', 'edge/bob', '--count', '1');
    t.match(byName.stdout, `leaves as ${source.south} by wan1`, byName.stderr);
    t.equal(byName.status, 0);
  });

  await t.test('a gateway and a network: their own addresses and routes', async (t) => {
    const gateway = await say('ping', server, 'from', 'edge/exit-south', '--count', '2');
    t.equal(gateway.status, 0, gateway.stdout + gateway.stderr);
    t.match(gateway.stdout, `leaves as ${source.south} by wan1 to ${router}, network south`);
    const network = await say('ping', router, 'from', 'network', 'south', '--count', '1');
    t.equal(network.status, 0, network.stdout + network.stderr);
    t.match(network.stdout, 'leaves as 100.64.9.1 by wan1');
  });

  await t.test('what drops says why, and the exit status is 5', async (t) => {
    const lost = await say('ping', '203.0.113.9', 'from', ada, '--count', '1');
    t.equal(lost.status, 5);
    t.match(lost.stdout, 'seq=1 dropped: no_route');
    const unknown = await say('ping', server, 'from', '10.99.0.1', '--count', '1');
    t.match(unknown.stdout, 'dropped: not_a_client');
    t.equal((await say('ping', server, 'from', 'nothing')).status, 3);
    t.equal((await say('ping', server)).status, 1);
    const own = await say('ping', '100.64.9.1', 'from', ada, '--count', '1');
    t.match(own.stdout, "the address is the box's own");
    t.equal(own.status, 5);
  });

  await t.test('traceroute: the box, the router, the server', async (t) => {
    const { stdout, status, stderr } = await say('traceroute', server, 'from', ada);
    t.equal(status, 0, stdout + stderr);
    t.match(
      stdout,
      new RegExp(`^ 1  10\\.20\\.30\\.1 .*\\n 2  ${router} .*\\n 3  ${server} `, 'm'),
    );
    const gateway = await say('traceroute', server, 'from', 'edge/exit-north');
    t.match(gateway.stdout, new RegExp(`^ 1  ${router} .*\\n 2  ${server} `, 'm'), gateway.stderr);
  });

  await t.test('tcp-check: open, refused, no answer', async (t) => {
    const open = await say('tcp-check', server, '80', 'from', ada);
    t.match(open.stdout, 'open: answered after', open.stderr);
    t.equal(open.status, 0);
    const refused = await say('tcp-check', server, '81', 'from', ada);
    t.match(refused.stdout, 'closed: refused after', refused.stderr);
    t.equal(refused.status, 5);
    t.equal((await say('tcp-check', server, '80', 'from', 'network', 'north')).status, 0);
    t.equal((await say('tcp-check', server, '0', 'from', ada)).status, 1);
  });

  await t.test('the client itself sees nothing of it, and its own ping works', async (t) => {
    const { stdout } = await figure.clients.ada.host.run(['ping', '-c1', '-W5', server]);
    t.match(stdout, '1 received');
  });

  await t.test('clear sessions: of a client, a network, a gateway, all', async (t) => {
    const count = async () => (await egret.show('sessions')).length;
    const begin = async () => {
      for (const client of [figure.clients.ada, figure.clients.bob]) {
        await client.host.run(['ping', '-c1', '-W5', server]);
      }
    };
    await say('clear', 'sessions');
    t.equal(await count(), 0, 'all');
    for (const words of [
      ['client', ada],
      ['client', 'edge/ada'],
      ['network', 'north'],
      ['gateway', 'edge/exit-north'],
    ]) {
      await begin();
      t.equal(await count(), 2);
      const { stdout, status } = await say('clear', 'sessions', ...words);
      t.equal(stdout, '1 sessions removed\n', words.join(' '));
      t.equal(status, 0);
      const [left] = await egret.show('sessions');
      t.equal(left?.network, 'south');
      await say('clear', 'sessions');
    }
    t.equal((await say('clear', 'sessions', 'network', 'none')).status, 3);
    t.equal((await say('clear', 'sessions', 'all', 'of', 'them')).status, 1);
  });

  await t.test('clear neighbor: soft keeps the session, hard starts it over', async (t) => {
    const row = async () =>
      (await egret.show('neighbors')).find(({ network }) => network === 'north')!;
    t.equal((await say('clear', 'neighbor', router)).status, 1, 'two networks have it');
    const before = (await row()).detail;
    const soft = await say('clear', 'neighbor', 'north', router, 'soft');
    t.equal(soft.status, 0, soft.stderr);
    t.equal((await row()).detail.establishedCount, before.establishedCount);
    const hard = await say('clear', 'neighbor', 'north', router);
    t.equal(hard.status, 0, hard.stderr);
    await until('it is up again', async () => {
      const { state, detail } = await row();
      return state === 'Established' && detail.establishedCount === before.establishedCount + 1;
    });
  });

  await t.test('neighbor down is kept, also by the next egretd, until up', async (t) => {
    const row = async () =>
      (await egret.show('neighbors')).find(({ network }) => network === 'north')!;
    const down = await say('neighbor', 'north', router, 'down', '--message', 'line card swap');
    t.equal(down.status, 0, down.stderr);
    t.match((await row()).warning ?? '', 'kept down by the operator: line card swap');
    t.match((await row()).state, 'Idle');
    t.match(await scene.bird.ask('show', 'protocols', 'all', 'egret'), 'line card swap');
    await egret.stop();
    await egret.launch();
    t.match((await row()).warning ?? '', 'kept down by the operator: line card swap');
    t.equal((await say('clear', 'neighbor', 'north', router)).status, 5);
    const up = await say('neighbor', 'north', router, 'up');
    t.equal(up.status, 0, up.stderr);
    await until('it is up', async () => (await row()).state === 'Established');
  });

  await t.test('show nexthops and show system', async (t) => {
    await say('ping', server, 'from', ada, '--count', '1');
    const { stdout } = await say('show', 'nexthops');
    t.match(stdout, /100\.64\.9\.77 +wan0 .*([0-9a-f]{2}:){5}[0-9a-f]{2} +reachable/);
    const system = await say('show', 'system');
    t.match(system.stdout, /egret +\d/, system.stderr);
    t.match(system.stdout, /memory +\d+ MiB of/);
  });
});
