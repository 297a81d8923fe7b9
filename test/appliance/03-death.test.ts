// SPDX-License-Identifier: Apache-2.0
/**
 * Death of each process, and of both: packets go on or stop, but never leave with a client's source
 * address. 2,000 numbered datagrams a second each way and a TCP transfer account for it.
 */
import { test } from 'tap';
import { udpFrame } from '../lab/frames.ts';
import { until } from '../lab/process.ts';
import { transferPort } from '../lab/traffic.ts';
import {
  gatewayUplink,
  hasEgressRoute,
  kernelTable,
  networks,
  openScene,
  router,
  server,
} from './scene.ts';
import { comesBack, lostNothing, sawNoLeak, steadyFlow, watchLeaks } from './witness.ts';

test('death', async (t) => {
  const scene = await openScene(t, {
    clients: { alpha: { network: 'north' }, beta: { network: 'south' } },
    before: async ({ gateway }) => gateway.sysctl({ 'net.ipv4.ip_forward': 1 }),
  });
  const { lab, figure, egret, bird, frr } = scene;
  const { alpha, beta } = figure.clients;
  const { north, south } = figure.networks;

  const leaks = await watchLeaks(scene);

  const load = async () => {
    const flow = await steadyFlow(scene, 'alpha', 'north', 2000);
    const order = { remote: server, port: transferPort, bytesPerSecond: 2 << 20 };
    const transfers = (['up', 'down'] as const).map((direction) =>
      alpha.agent.call('transfer', { ...order, direction, bytes: 10 << 20 }),
    );
    return { flow, transfers };
  };
  const outside = async (): Promise<string[]> =>
    (await egret.show('sessions')).map((row) => `${row.inside} ${row.outside}`).sort();

  await t.test('of egretd: not one number is lost', async (t) => {
    const { flow, transfers } = await load();
    const forwarder = await egret.forwarderPid();
    const before = await outside();
    const received = await egret.counter('received', { interface: 'cli0' });
    const generation = { bird: await bird.ask('show', 'protocols', 'all', 'egret') };
    t.match(generation.bird, /Graceful restart/i);
    const routes = watchRoutes(scene.figure);
    const frrSessions = (await frr.neighbor(gatewayUplink)).connectionsEstablished;

    await egret.killDaemon();
    await new Promise((resolve) => setTimeout(resolve, 2000));
    await egret.launch();
    await egret.ready(['north', 'south']);
    await until('FRR is back', async () => {
      const { bgpState, connectionsEstablished } = await frr.neighbor(gatewayUplink);
      return bgpState === 'Established' && connectionsEstablished > frrSessions;
    });
    await bird.established('egret');
    t.equal(await egret.forwarderPid(), forwarder, 'the forwarder was adopted');
    const after = await outside();
    t.strictSame(
      before.filter((session) => !after.includes(session)),
      [],
      'sessions stay',
    );
    t.ok((await egret.counter('received', { interface: 'cli0' })) > received, 'counters too');
    for (const report of await Promise.all(transfers)) t.match(report, { isIntact: true });
    const { up } = await lostNothing(t, flow);
    t.equal(up.sources.length, 1);
    t.strictSame(await routes.stop(), { north: 0, south: 0 }, 'the egress routes never left');
  });

  await t.test('of egretd, and the next hop changes its MAC address meanwhile', async (t) => {
    const { flow, transfers } = await load();
    await egret.killDaemon();
    await north.router.sysctl({ 'net.ipv4.conf.up0.arp_notify': 1 });
    await north.router.run(['ip', 'link', 'set', 'up0', 'address', '02:00:5e:00:00:77']);
    await flow.advances(1000); // more than was on its way: traffic follows
    await egret.launch();
    await egret.ready(['north', 'south']);
    for (const report of await Promise.all(transfers)) t.match(report, { isIntact: true });
    const { up } = await flow.finish();
    t.equal(up.sources.length, 1, 'in the same session');
    t.comment(`silent for ${up.silenceMsMax} ms`);
  });

  await t.test('of egretd, and the next hop changes it again without a word', async (t) => {
    // A router that announces nothing and never asks: only our own question finds it.
    await north.router.sysctl({ 'net.ipv4.conf.up0.arp_notify': 0 });
    await north.router.nft(`table arp mute {
      chain out {
        type filter hook output priority 0
        arp operation request drop
      }
    }`);
    const { stdout } = await north.router.run(['ip', '-j', 'neigh', 'show', gatewayUplink]);
    const mac = (JSON.parse(stdout) as { lladdr: string }[])[0]?.lladdr ?? '';
    const flow = await steadyFlow(scene, 'alpha', 'north', 500);
    await egret.killDaemon();
    await north.router.ip('link set up0 address 02:00:5e:00:00:78');
    await north.router.ip(`neigh replace ${gatewayUplink} lladdr ${mac} dev up0 nud permanent`);
    await flow.advances(100, false); // the old address gets what is on its way
    await flow.advances(200); // the new one is found while egretd is dead
    const { up, down: back } = await flow.finish();
    t.comment(`silent for ${up.silenceMsMax} ms up, ${back.silenceMsMax} ms down`);
    await north.router.nft('delete table arp mute');
    await north.router.ip(`neigh delete ${gatewayUplink} dev up0`);
    await egret.launch();
    await comesBack(t, scene);
  });

  await t.test('of the forwarder: the next one has its sessions', async (t) => {
    const { flow, transfers } = await load();
    const forwarder = await egret.forwarderPid();
    const before = await outside();
    await egret.killForwarder();
    await until('another runs', async () => (await egret.forwarderPid()) !== forwarder, 20);
    for (const report of await Promise.all(transfers)) t.match(report, { isIntact: true });
    const { up, down } = await flow.finish();
    t.comment(`silent for ${up.silenceMsMax} ms up, ${down.silenceMsMax} ms down`);
    t.equal(up.duplicates + down.duplicates, 0);
    t.equal(up.sources.length, 1, 'the same outside tuple');
    const after = await outside();
    t.strictSame(
      before.filter((session) => !after.includes(session)),
      [],
    );
  });

  await t.test('of both, and an interface is removed and added again meanwhile', async (t) => {
    const { flow, transfers } = await load();
    for (const transfer of transfers) transfer.catch(() => {});
    const forwarder = await egret.forwarderPid();
    const daemon = egret.daemonPid;
    process.kill(daemon, 'SIGKILL');
    process.kill(forwarder, 'SIGKILL');
    await new Promise((resolve) => setTimeout(resolve, 500));
    await figure.gateway.run(['ip', 'link', 'delete', 'wan0']);
    await new Promise((resolve) => setTimeout(resolve, 200));
    await lab.link(
      { host: north.router, name: 'up0', addresses: [`${router}/24`] },
      { host: figure.gateway, name: 'wan0', addresses: [`${gatewayUplink}/24`] },
    );
    // The kernel could forward now: ip_forward is 1 and it has a route.
    await figure.gateway.ip(`route add 198.51.100.0/24 via ${router} dev wan0`);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    await figure.gateway.ip('route delete 198.51.100.0/24');
    await egret.launch();
    await comesBack(t, scene);
    await flow.finish();
  });

  await t.test('a link loses its carrier, then its interface, and comes back', async (t) => {
    await south.router.ip('link set up0 down');
    await until(
      'no route leads there',
      async () => (await kernelTable(scene, networks.south.table)).length === 0,
    );
    t.match(await egret.why(beta.address, server), /dropped/);
    t.match(await alpha.agent.ask('udp', server), { network: 'north' }, 'the other stays');
    await figure.gateway.run(['ip', 'link', 'delete', 'wan1']);
    await new Promise((resolve) => setTimeout(resolve, 300));
    t.match(await alpha.agent.ask('udp', server), { network: 'north' }, 'the other stays');
    await lab.link(
      { host: south.router, name: 'up0', addresses: [`${router}/24`] },
      { host: figure.gateway, name: 'wan1', addresses: [`${gatewayUplink}/24`] },
    );
    await comesBack(t, scene);
  });

  await t.test("at no moment did a packet leave with a client's source", async (t) => {
    await sawNoLeak(t, leaks);
    // And a watch does see one.
    const leaked = udpFrame({
      sourceMac: await figure.gateway.mac('wan0'),
      destinationMac: await north.router.mac('up0'),
      source: alpha.address,
      destination: server,
      sourcePort: 4000,
      destinationPort: 9,
      payload: 'leak',
    });
    const sender = await scene.agentOf(figure.gateway);
    await sender.call('sendFrames', { interface: 'wan0', frames: [leaked] });
    // It is counted where it arrives and where the router sends it on.
    await until('it is seen', async () => ((await leaks[0]?.seen())?.count ?? 0) > 0);
  });
});

/** Polls both routers' tables until it is stopped. @returns how often a route was missing */
function watchRoutes(figure: Parameters<typeof hasEgressRoute>[0]): {
  stop(): Promise<{ north: number; south: number }>;
} {
  let isRunning = true;
  const missing = { north: 0, south: 0 };
  const loop = async (): Promise<void> => {
    while (isRunning) {
      for (const name of ['north', 'south'] as const) {
        if (!(await hasEgressRoute(figure, name))) missing[name] += 1;
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  const ended = loop();
  return {
    async stop() {
      isRunning = false;
      await ended;
      return missing;
    },
  };
}
