// SPDX-License-Identifier: Apache-2.0
/**
 * The figure: each client reaches its own network although both use the same addresses, with the
 * source of its own gateway, and nothing else.
 */
import { test } from 'tap';
import { udpFrame } from '../lab/frames.ts';
import { until } from '../lab/process.ts';
import { ping, traceroute } from '../lab/traffic.ts';
import {
  clientAddress,
  gatewayUplink,
  kernelTable,
  networks,
  openScene,
  router,
  server,
  source,
} from './scene.ts';

test('two networks with the same addresses', async (t) => {
  const scene = await openScene(t, {
    clients: { alpha: { network: 'north' }, beta: { network: 'south' } },
  });
  const { figure, egret, bird, frr } = scene;
  const { alpha, beta } = figure.clients;
  const { north, south } = figure.networks;

  await t.test('every client reaches its own network, as its gateway', async (t) => {
    for (const protocol of ['tcp', 'udp', 'http'] as const) {
      const [toNorth, toSouth] = await Promise.all([
        alpha.agent.ask(protocol, server),
        beta.agent.ask(protocol, server),
      ]);
      t.match(toNorth, { network: 'north', address: source.north }, `${protocol} of alpha`);
      t.match(toSouth, { network: 'south', address: source.south }, `${protocol} of beta`);
    }
    const seen = await north.serverAgent.watch('echo', 'eth0', { protocol: 1 });
    t.match(await ping(alpha.host, server), { sent: 3, received: 3 }, 'ping of alpha');
    t.match(await ping(beta.host, server), { sent: 3, received: 3 }, 'ping of beta');
    const { count, frames } = await seen.seen();
    t.equal(count, 3, "alpha's echo requests, and no others, are in north");
    const sources = frames.map(({ hex }) => hex.slice(52, 60));
    t.strictSame([...new Set(sources)], ['c0000210'], 'with the source of the gateway');
  });

  await t.test('both tables are printed to the letter', async (t) => {
    for (const { table, interface: name } of Object.values(networks)) {
      const line = `198.51.100.0/24 via ${router} dev ${name} proto bgp`;
      const kernel = await kernelTable(scene, table);
      t.strictSame(
        kernel.map((text) => text.trimEnd()),
        [line],
        `the kernel's table ${table}`,
      );
      const { stdout } = await egret.ask(['show', 'route', 'table', `${table}`]);
      t.equal(stdout.trimEnd(), line, `egret's table ${table}`);
    }
  });

  await t.test('status says what is', async (t) => {
    const [rows, neighbors, gateways, sessions] = await Promise.all([
      egret.show('networks'),
      egret.show('neighbors'),
      egret.show('gateways'),
      egret.show('sessions'),
    ]);
    t.match(
      rows.find(({ name }) => name === 'south'),
      { table: 1300, routes: 1, mirrored: 1 },
    );
    t.equal(neighbors.length, 2);
    for (const row of neighbors) {
      t.match(row, { address: router, state: 'Established', accepted: 1, announced: 1 });
    }
    t.strictSame(gateways.map(({ addresses }) => addresses).sort(), [
      [source.north],
      [source.south],
    ]);
    t.ok(sessions.some((row) => row.network === 'north' && row.outside.startsWith(source.north)));
    t.match(await egret.why(clientAddress(0), server), /exit-north/);
    t.strictSame(await bird.learned('egret'), [`${source.north}/32`], 'exactly one /32 in north');
    t.strictSame(await frr.learned(gatewayUplink), [`${source.south}/32`], 'and one in south');
  });

  await t.test('each router can ping the gateway and sees it on the way', async (t) => {
    for (const name of ['north', 'south'] as const) {
      const { router: host } = figure.networks[name];
      t.match(await ping(host, gatewayUplink), { received: 3 }, `ping from ${name}`);
      const [first] = await traceroute(host, source[name], 'udp', 1);
      t.equal(first, gatewayUplink, `traceroute from ${name}`);
    }
  });

  await t.test('a five-tuple of one network means nothing in the other', async (t) => {
    const answer = await alpha.agent.ask('udp', server);
    const atAlpha = await alpha.agent.watch('replay', 'eth0', {
      source: `${server}/32`,
      protocol: 17,
    });
    const frame = async (name: 'north' | 'south'): Promise<string> =>
      udpFrame({
        sourceMac: await figure.networks[name].router.mac('up0'),
        destinationMac: await figure.gateway.mac(networks[name].interface),
        source: server,
        destination: source.north,
        sourcePort: 7,
        destinationPort: answer.port,
        payload: 'replayed',
      });
    const before = await egret.counter('dropped.wrong_network');
    const foreign = { interface: 'up0', frames: Array(20).fill(await frame('south')) };
    const sender = await scene.agentOf(south.router);
    t.equal(await sender.call('sendFrames', foreign), 20);
    await until(
      'they are counted',
      async () => (await egret.counter('dropped.wrong_network')) >= before + 20,
    );
    t.equal((await atAlpha.seen()).count, 0, 'no client received what came from the wrong network');
    // The same frame from the right network does arrive: the test can see.
    const own = await scene.agentOf(north.router);
    await own.call('sendFrames', { interface: 'up0', frames: [await frame('north')] });
    await until('the right one arrives', async () => (await atAlpha.seen()).count === 1);
  });

  await t.test("a packet from a network with a client's source is not forwarded", async (t) => {
    const match = { destination: `${server}/32`, protocol: 17 };
    const watches = await Promise.all(
      [north, south].map((network) => network.serverAgent.watch('spoof', 'eth0', match)),
    );
    const sender = await scene.agentOf(north.router);
    for (const [number, name] of (['alpha', 'beta'] as const).entries()) {
      const spoofed = udpFrame({
        sourceMac: await north.router.mac('up0'),
        destinationMac: await figure.gateway.mac('wan0'),
        source: figure.clients[name].address,
        destination: server,
        sourcePort: 4000 + number,
        destinationPort: 7,
        payload: 'spoofed',
      });
      await sender.call('sendFrames', { interface: 'up0', frames: Array(10).fill(spoofed) });
    }
    await new Promise((resolve) => setTimeout(resolve, 500));
    for (const watch of watches) t.equal((await watch.seen()).count, 0);
    const sessions = await egret.show('sessions');
    t.notOk(
      sessions.some((row) => /:400[01]$/.test(row.inside)),
      'and makes no session',
    );
  });

  await t.test('it stops in order', async (t) => {
    await egret.stop();
    t.strictSame(await kernelTable(scene, 1200), [], 'the mirror is removed');
    t.strictSame(await bird.learned('egret'), [], 'the address is withdrawn');
    const { stdout } = await figure.gateway.run(['nft', 'list', 'ruleset']);
    t.equal(stdout.trim(), '', 'the guard is removed');
  });
});
