// SPDX-License-Identifier: Apache-2.0
/**
 * Malice and arithmetic: random, truncated and malformed frames from both sides harm nothing, and
 * once traffic has stopped every frame is accounted for, on each interface and in total.
 */
import { type Test, test } from 'tap';
import { seededRandom } from '../../src/lib/random.ts';
import { ethernetHeader, ipv4Packet, udpFrame } from '../lab/frames.ts';
import { until } from '../lab/process.ts';
import { clientGateway, gatewayUplink, openScene, type Scene, server, source } from './scene.ts';
import { lostNothing, steadyFlow } from './witness.ts';

const seed = 20240607;
const framesOfEachKind = 400;

test('the balance of frames', async (t) => {
  const scene = await openScene(t, {
    clients: { alpha: { network: 'north' }, beta: { network: 'south' } },
  });
  const { figure, egret, bird, frr } = scene;
  const { alpha, beta } = figure.clients;
  const { north } = figure.networks;
  t.comment(`seed ${seed}`);
  const sessionsBefore = await frr.neighbor(gatewayUplink);
  const random = seededRandom(seed);

  await t.test('an honest flow loses nothing while malformed packets are sent', async (t) => {
    const honest = await steadyFlow(scene, 'beta', 'south', 1000);
    const received = await egret.counter('received', { interface: 'cli0' });
    const kernel = await kernelReceived(scene, 'cli0');
    const clientFrames = rubbish(random, {
      sourceMac: await alpha.host.mac('eth0'),
      destinationMac: await figure.gateway.mac('cli0'),
      source: alpha.address,
      destination: server,
    });
    const networkFrames = rubbish(random, {
      sourceMac: await north.router.mac('up0'),
      destinationMac: await figure.gateway.mac('wan0'),
      source: server,
      destination: source.north,
    });
    const attacker = await scene.agentOf(north.router);
    const [fromClient, fromNetwork] = await Promise.all([
      alpha.agent.call('sendFrames', { interface: 'eth0', frames: clientFrames }),
      attacker.call('sendFrames', { interface: 'up0', frames: networkFrames }),
    ]);
    t.equal(fromClient, clientFrames.length);
    t.equal(fromNetwork, networkFrames.length);

    await lostNothing(t, honest);
    t.match(await alpha.agent.ask('tcp', server), { network: 'north' }, 'who sent it still may');
    await until('all are counted', async () => {
      const seen = (await kernelReceived(scene, 'cli0')) - kernel;
      const counted = (await egret.counter('received', { interface: 'cli0' })) - received;
      const lost = await egret.counter('kernel_lost', { interface: 'cli0' });
      return counted + lost === seen && seen >= clientFrames.length;
    });
    t.pass("the generator's count, the kernel's and Egret's agree");
  });

  // The link of alpha is silent but for these floods, so that their count is that of the interface:
  // there are no answers, and no ARP requests.
  await north.server.nft(`table ip silence {
    chain in {
      type filter hook input priority 0
      udp dport 9 drop
    }
  }`);
  const ends: Ends = {
    sourceMac: await alpha.host.mac('eth0'),
    destinationMac: await figure.gateway.mac('cli0'),
    source: alpha.address,
    destination: server,
  };
  const { sourceMac, destinationMac } = ends;
  await alpha.host.ip(`neigh replace ${clientGateway(0)} lladdr ${destinationMac} dev eth0`);
  await figure.gateway.ip(`neigh replace ${alpha.address} lladdr ${sourceMac} dev cli0`);
  /** Sends from alpha while `meanwhile` runs. What was received and what was lost add up to what was sent. */
  const flood = async (
    t: Test,
    frames: readonly string[],
    rounds: number,
    meanwhile: () => Promise<void> = async () => {},
  ): Promise<{ lost: number; drops: Readonly<Record<string, number>> }> => {
    const before = await egret.frames('cli0');
    const order = { interface: 'eth0', frames, rounds };
    const [sent] = await Promise.all([alpha.agent.call('sendFrames', order), meanwhile()]);
    const counted = async (): Promise<number> => {
      const { received, lost } = await egret.frames('cli0');
      return received + lost - before.received - before.lost;
    };
    await until('all are counted', async () => (await counted()) >= sent);
    t.equal(await counted(), sent, `${sent} frames: received and lost are what was sent`);
    await balances(t, scene, 'cli0');
    const { lost, drops } = await egret.frames('cli0');
    const more = Object.entries(drops).map(([name, n]) => [name, n - (before.drops[name] ?? 0)]);
    t.comment(JSON.stringify({ lost: lost - before.lost, ...nonZero(more) }));
    return { lost: lost - before.lost, drops: Object.fromEntries(more) };
  };

  await t.test('malformed packets as fast as possible', async (t) => {
    await flood(t, rubbish(random, ends), 10);
  });

  await t.test('a forwarder that stands still: what its queue cannot hold is lost', async (t) => {
    const forwarder = await egret.forwarderPid();
    process.kill(forwarder, 'SIGSTOP');
    const { lost } = await flood(t, fullFrames(ends), 1000, async () => {
      await new Promise((resolve) => setTimeout(resolve, 1500));
      process.kill(forwarder, 'SIGCONT');
    });
    t.ok(lost > 0, `${lost} were lost`);
    t.equal(await egret.forwarderPid(), forwarder);
  });

  await t.test(
    'a link that takes less than its MTU was: each failed transmit is a drop',
    async (t) => {
      // An egretd that stands still does not hear of it.
      process.kill(egret.daemonPid, 'SIGSTOP');
      const mtu = async (bytes: number): Promise<void> =>
        figure.gateway.ip(`link set wan0 mtu ${bytes}`);
      await mtu(1000);
      const sent = await alpha.agent.call('sendFrames', {
        interface: 'eth0',
        frames: fullFrames(ends),
        rounds: 20,
      });
      await mtu(1500);
      process.kill(egret.daemonPid, 'SIGCONT');
      await until('they failed', async () => {
        const { drops } = await egret.frames('cli0');
        return (drops.tx_failed ?? 0) >= sent;
      });
      await balances(t, scene, 'cli0');
    },
  );

  await t.test('a link that goes down in the middle of a flood', async (t) => {
    const { drops } = await flood(t, fullFrames(ends), 2000, async () => {
      await figure.gateway.ip('link set wan0 down');
    });
    const { tx_failed = 0, port_down = 0, no_neighbor = 0, hold_full = 0, no_route = 0 } = drops;
    t.ok(tx_failed + port_down + no_neighbor + hold_full + no_route > 0, 'with a reason');
    await figure.gateway.ip('link set wan0 up');
    await egret.ready(['north']);
    await bird.established('egret');
    const reached = await until('it is back', () => alpha.agent.ask('tcp', server));
    t.match(reached, { network: 'north' });
  });

  await t.test('an interface that is removed while frames wait for it to be read', async (t) => {
    const forwarder = await egret.forwarderPid();
    const { received } = await egret.frames('cli1');
    process.kill(forwarder, 'SIGSTOP');
    const order = { interface: 'eth0', frames: fullFrames(ends), rounds: 20 };
    const sent = await beta.agent.call('sendFrames', order);
    await figure.gateway.ip('link delete cli1');
    process.kill(forwarder, 'SIGCONT');
    await scene.lab.link(
      { host: beta.host, name: 'eth0', addresses: [`${beta.address}/24`] },
      { host: figure.gateway, name: 'cli1', addresses: [`${clientGateway(1)}/24`] },
    );
    await until('it is a port again', async () => (await egret.frames('cli1')).received > 0);
    await balances(t, scene, 'cli1');
    const now = await egret.frames('cli1');
    const since = await kernelReceived(scene, 'cli1');
    // What comes by the new interface before it is a port is the kernel's alone.
    const counted = now.received - received;
    t.ok(counted >= sent && counted <= sent + since, `${counted} of ${sent}, and ${since} since`);
    t.ok((now.drops.stale ?? 0) > 0, 'most were stale');
  });

  await t.test('nothing crashed', async (t) => {
    t.equal(await bird.state('egret'), 'Established');
    const after = await frr.neighbor(gatewayUplink);
    t.equal(after.connectionsEstablished, sessionsBefore.connectionsEstablished);
    t.ok((await egret.forwarderPid()) > 0);
    t.equal(await egret.counter('sessions_rebuilt'), 0, 'the forwarder is the first one');
  });

  await t.test('received + generated = sent + kernel + dropped + absorbed + held', async (t) => {
    for (const name of ['cli0', 'cli1', 'wan0', 'wan1']) await balances(t, scene, name);
    for (const drop of [
      'too_short',
      'bad_header',
      'bad_checksum',
      'martian_source',
      'not_a_client',
      'no_session',
    ]) {
      t.ok((await egret.counter(`dropped.${drop}`)) > 0, `${drop} was met`);
    }
  });
});

/** What came by an interface is accounted for, to the frame. */
async function balances(t: Test, { egret }: Scene<string>, name: string): Promise<void> {
  await until(`${name} balances`, async () => {
    const { inward, outward } = await egret.frames(name);
    if (inward !== outward) throw new Error(`${inward} in, ${outward} out`);
    return true;
  });
  const { inward, outward } = await egret.frames(name);
  t.equal(inward, outward, name);
}

/** Frames that the kernel took from an interface of the gateway. */
async function kernelReceived(scene: Scene<string>, name: string): Promise<number> {
  const { stdout } = await scene.figure.gateway.run(['ip', '-j', '-s', 'link', 'show', name]);
  const [link] = JSON.parse(stdout) as { stats64: { rx: { packets: number } } }[];
  return link?.stats64.rx.packets ?? 0;
}

interface Ends {
  readonly sourceMac: string;
  readonly destinationMac: string;
  readonly source: string;
  readonly destination: string;
}

/** Frames of many wrong kinds, and some right ones. */
function rubbish(random: { next(): number }, ends: Ends): string[] {
  const below = (limit: number): number => Math.floor(random.next() * limit);
  const bytes = (count: number): Buffer =>
    Buffer.from(Array.from({ length: count }, () => below(256)));
  const right = (source = ends.source): Buffer => {
    const ports = { sourcePort: 1 + below(65535), destinationPort: 9 };
    return Buffer.from(udpFrame({ ...ends, ...ports, source, payload: 'balance' }), 'hex');
  };
  const header = (etherType: number): Buffer =>
    ethernetHeader(ends.destinationMac, ends.sourceMac, etherType);
  const kinds: (() => Buffer)[] = [
    () => right(),
    () => Buffer.concat([header(below(65536)), bytes(below(200))]),
    () => Buffer.concat([header(0x0800), bytes(below(200))]),
    () => Buffer.concat([header(0x86dd), bytes(40 + below(100))]),
    () => right().subarray(0, 14 + below(40)),
    () => {
      const frame = right();
      const at = 14 + below(frame.length - 14);
      frame[at] = below(256);
      return frame;
    },
    () => withBytes(right(), 14, 0x46 + below(10)),
    () => withBytes(right(), 24, below(256)),
    () => Buffer.concat([header(0x0800), ipv4Packet({ ...ends, protocol: below(256) }, bytes(40))]),
    () =>
      Buffer.concat([
        header(0x0800),
        ipv4Packet({ ...ends, source: '127.0.0.1', protocol: 17 }, bytes(20)),
      ]),
    () => right(neighborOf(ends.source)),
    () => Buffer.concat([header(0x0800), ipv4Packet({ ...ends, protocol: 1 }, bytes(below(60)))]),
    () => Buffer.concat([header(0x0800), ipv4Packet({ ...ends, protocol: 17, ttl: 1 }, bytes(16))]),
  ];
  return kinds.flatMap((make) =>
    Array.from({ length: framesOfEachKind }, () => {
      const frame = make();
      // The kernel refuses to send less than an Ethernet header.
      return Buffer.concat([frame, Buffer.alloc(Math.max(0, 15 - frame.length))]).toString('hex');
    }),
  );
}

/** Sound frames of one session, as large as they may be. */
function fullFrames(ends: Ends): string[] {
  const ports = { sourcePort: 4000, destinationPort: 9 };
  return Array.from({ length: 50 }, () =>
    udpFrame({ ...ends, ...ports, payload: 'f'.repeat(1400) }),
  );
}

function nonZero(counters: readonly (readonly (string | number)[])[]): object {
  return Object.fromEntries(counters.filter(([, value]) => value !== 0));
}

/** Another address of the same /24, that of no client. */
function neighborOf(address: string): string {
  return address.replace(/\d+$/, '99');
}

function withBytes(frame: Buffer, at: number, value: number): Buffer {
  frame[at] = value;
  return frame;
}
