// SPDX-License-Identifier: Apache-2.0
/**
 * The laboratory itself, with the kernel in the gateway's place: what its tools say of a gateway
 * that is known to work. When this fails, no other test here means anything.
 */
import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { test } from 'tap';
import { Bird } from './bird.ts';
import { udpFrame } from './frames.ts';
import { Frr } from './frr.ts';
import { startKernelGateway } from './kernel-gateway.ts';
import { Lab, sweep } from './namespace.ts';
import { start, until } from './process.ts';
import { buildFigure } from './topology.ts';
import {
  NumberedFlow,
  pathMtuBack,
  patientRounds,
  ping,
  traceroute,
  transferPort,
} from './traffic.ts';

const uplink = { gatewayAddress: '172.20.3.1/24', routerAddress: '172.20.3.99/24' };
const lan = { serverAddress: '203.0.113.20/24', routerLanAddress: '203.0.113.1/24' };

/** What bears a lab's prefix on this machine. */
function leftBehind(prefix: string): string[] {
  const names = [...readdirSync('/run/netns'), ...readdirSync(tmpdir())];
  return names.filter((name) => name.startsWith(prefix));
}

test('a lab that was killed is swept by the next, one that lives is not', async (t) => {
  const url = new URL('./namespace.ts', import.meta.url);
  const program = `import { Lab } from '${url}';
    const lab = await Lab.open();
    const host = await lab.host('h');
    host.start(['sleep', '1000']);
    console.log(lab.prefix);
    setInterval(() => {}, 1000);`;
  const argv = [process.execPath, '--input-type=module', '-e', program];
  const victim = start(argv);
  t.teardown(() => victim.stop('SIGKILL'));
  const prefix = await until('it is up', () => /^eg\S+$/m.exec(victim.output())?.[0]);

  sweep();
  t.equal(leftBehind(prefix).length, 2, 'a namespace and a folder');
  process.kill(victim.pid, 'SIGKILL');
  await victim.ended;
  sweep();
  // A lab that opens elsewhere at this moment may have begun to sweep the same.
  await until('nothing is left', () => leftBehind(prefix).length === 0);

  const polite = start(argv);
  const other = await until('it is up', () => /^eg\S+$/m.exec(polite.output())?.[0]);
  await polite.stop('SIGTERM');
  t.strictSame(leftBehind(other), [], 'one that is stopped needs no sweep');
});

test('the laboratory, with the kernel as gateway', async (t) => {
  const lab = await Lab.open();
  t.teardown(() => lab.close());
  const figure = await buildFigure(
    lab,
    [
      {
        name: 'ann',
        address: '10.7.1.9/24',
        gatewayInterface: 'in1',
        gatewayAddress: '10.7.1.1/24',
      },
      {
        name: 'bob',
        address: '10.7.2.9/24',
        gatewayInterface: 'in2',
        gatewayAddress: '10.7.2.1/24',
        mtu: 1300,
      },
    ],
    [
      { name: 'oak', gatewayInterface: 'out1', ...uplink, ...lan, lanMtu: 1400 },
      { name: 'elm', gatewayInterface: 'out2', ...uplink, ...lan },
    ],
  );
  const { ann, bob } = figure.clients;
  const { oak, elm } = figure.networks;
  const remote = oak.serverAddress;
  const route = { destination: '203.0.113.0/24', nextHop: '172.20.3.99' };
  await startKernelGateway(figure.gateway, [
    { client: ann.address, table: 610, interface: 'out1', source: '10.60.0.8', ...route },
    { client: bob.address, table: 620, interface: 'out2', source: '10.60.0.9', ...route },
  ]);
  for (const { router } of [oak, elm]) await router.ip('route add 10.60.0.8/31 via 172.20.3.1');

  await t.test('each client reaches its own network, and is seen as its gateway', async (t) => {
    for (const protocol of ['tcp', 'udp', 'http'] as const) {
      const [toOak, toElm] = await Promise.all([
        ann.agent.ask(protocol, remote),
        bob.agent.ask(protocol, remote),
      ]);
      t.match(toOak, { network: 'oak', address: '10.60.0.8' }, protocol);
      t.match(toElm, { network: 'elm', address: '10.60.0.9' }, protocol);
    }
    t.match(await ping(ann.host, remote), { sent: 3, received: 3 });
    t.strictSame(await traceroute(ann.host, remote), ['10.7.1.1', '172.20.3.99', remote]);
  });

  await t.test(
    'a flow of numbered datagrams loses nothing, and a lost one is reported',
    async (t) => {
      const flow = await NumberedFlow.open(ann.agent, oak.serverAgent, remote, {
        packetsPerSecond: 2000,
      });
      const order = { direction: 'down', bytes: 8 << 20, bytesPerSecond: 0 } as const;
      const down = await ann.agent.call('transfer', { remote, port: transferPort, ...order });
      t.match(down, { isIntact: true, bytes: 8 << 20 });
      await flow.advances(300);
      const { up, down: back } = await flow.finish(patientRounds);
      t.match(up, { missingCount: 0, duplicates: 0, refused: 0 });
      t.match(back, { missingCount: 0, duplicates: 0, refused: 0 });
      t.match(up.sources, [/^10\.60\.0\.8 \d+$/]);

      const broken = await NumberedFlow.open(bob.agent, elm.serverAgent, remote, {
        packetsPerSecond: 1000,
      });
      await until('the flow runs', async () => (await broken.now()).up.received > 50);
      const cut = 'chain forward { type filter hook forward priority 0; policy drop; }';
      await figure.gateway.nft(`table ip cut {\n${cut}\n}`);
      await broken.advances(200, false);
      const account = await broken.finish();
      t.ok(account.up.missingCount > 100, `${account.up.missingCount} are missing`);
      await figure.gateway.nft('delete table ip cut');
    },
  );

  await t.test('transfers go both ways; a path MTU is found', async (t) => {
    const order = { direction: 'up', bytes: 3_000_001, bytesPerSecond: 6_000_000 } as const;
    const up = await ann.agent.call('transfer', { remote, port: transferPort, ...order });
    t.match(up, { isIntact: true });
    t.ok(up.ms > 350, `paced: ${up.ms} ms`);
    const udp = { remote, port: 7, bytes: 1500 };
    t.match(await ann.agent.call('discoverPathMtu', udp), { mtu: 1400, isAnswered: true });
    const back = await pathMtuBack(elm.serverAgent, bob.agent, { ...udp, port: 6000 });
    t.match(back, { mtu: 1300, isAnswered: true });
  });

  await t.test('many sessions are counted one by one', async (t) => {
    const udp = { remote, port: 7, firstLocalPort: 20000, count: 2000, perSecond: 4000 };
    const sources = ['10.60.0.9'];
    const all = { answered: 2000, outsideCount: 2000, networks: ['elm'], sources };
    t.match(await bob.agent.call('manyUdp', udp), all);
    t.match(await bob.agent.call('askAgain', udp), all);
    await bob.agent.call('closeMany', {});
    const tcp = { remote, port: 7, count: 500, atOnce: 20 };
    const { answered, outsideCount } = await bob.agent.call('manyTcp', tcp);
    t.equal(answered, 500);
    t.ok(outsideCount > 400, `${outsideCount}: a closed connection's port may be used again`);
  });

  await t.test('a watch sees what it matches and nothing else; raw frames are sent', async (t) => {
    const { agent } = ann;
    const pings = await agent.watch('pings', 'eth0', { protocol: 1, source: `${remote}/32` });
    const never = await agent.watch('never', 'eth0', { source: '10.99.0.0/16' });
    await ping(ann.host, remote, 4);
    t.match(await pings.seen(), { count: 4, lost: 0 });
    t.match(await never.seen(), { count: 0, lost: 0 });
    const removed = await agent.watch('removed', 'eth0', { protocol: 1, direction: 'out' });
    const { frames } = await pings.seen();
    t.equal(
      await agent.call('sendFrames', { interface: 'eth0', frames: [frames[0]?.hex ?? ''] }),
      1,
    );
    await until('the frame left', async () => (await removed.seen()).count === 1);
    await pings.close();

    const echoes = await agent.watch('echoes', 'any', { protocol: 17, source: `${remote}/32` });
    const frame = udpFrame({
      sourceMac: await ann.host.mac('eth0'),
      destinationMac: await figure.gateway.mac('in1'),
      source: ann.address,
      destination: remote,
      sourcePort: 4444,
      destinationPort: 7,
      payload: 'by hand',
    });
    await agent.call('sendFrames', { interface: 'eth0', frames: [frame] });
    await until('it is answered', async () => (await echoes.seen()).count === 1);
  });

  await t.test('BIRD and FRR tell each other routes', async (t) => {
    const common = { remoteAs: 65020, password: 'secret' };
    const bird = await Bird.start(oak.router, {
      routerId: '172.20.3.99',
      localAs: 65010,
      neighbors: [{ name: 'ann', address: '10.60.1.2', ...common }],
      announce: { web: ['203.0.113.0/24'] },
    });
    t.notMatch(await bird.state('ann'), 'Established');
    await lab.link(
      { host: oak.router, name: 'x0', addresses: ['10.60.1.1/24'] },
      { host: elm.router, name: 'x0', addresses: ['10.60.1.2/24'] },
    );
    const frr = await Frr.start(elm.router, {
      routerId: '172.20.3.98',
      localAs: 65020,
      neighbors: [{ address: '10.60.1.1', remoteAs: 65010, password: 'secret' }],
      announce: ['198.51.100.0/24'],
    });
    await bird.established('ann');
    await until('FRR learns', async () => (await frr.learned('10.60.1.1')).length === 1);
    await until('BIRD learns', async () => (await bird.learned('ann')).length === 1);
    t.strictSame(await bird.learned('ann'), ['198.51.100.0/24']);
    await bird.withdraw('web');
    await until('FRR forgets', async () => (await frr.learned('10.60.1.1')).length === 0);
  });

  await t.test('nothing is left behind', async (t) => {
    await lab.close();
    t.strictSame(leftBehind(lab.prefix), []);
  });
});
