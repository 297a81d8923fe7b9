/**
 * Malice and arithmetic: random, truncated and malformed frames from both sides harm nothing, and
 * once traffic has stopped every frame is accounted for, on each interface and in total.
 */
import { test } from 'tap';
import { ethernetHeader, ipv4Packet, udpFrame } from '../../images/lab/frames.ts';
import { until } from '../../images/lab/process.ts';
import { NumberedFlow } from '../../images/lab/traffic.ts';
import { seededRandom } from '../../src/lib/random.ts';
import { gatewayUplink, openScene, type Scene, server, source } from './scene.ts';

const seed = 20240607;
const framesOfEachKind = 400;

test('the balance of frames', { timeout: 300_000 }, async (t) => {
  const scene = await openScene({
    clients: { alpha: { network: 'north' }, beta: { network: 'south' } },
  });
  t.teardown(() => scene.lab.close());
  const { figure, egret, bird, frr } = scene;
  const { alpha, beta } = figure.clients;
  const { north, south } = figure.networks;
  t.comment(`seed ${seed}`);
  const sessionsBefore = await frr.neighbor(gatewayUplink);
  const random = seededRandom(seed);

  await t.test('an honest flow beside rubbish loses nothing', async (t) => {
    const honest = await NumberedFlow.open(beta.agent, south.serverAgent, server, {
      packetsPerSecond: 1000,
    });
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

    const { up, down } = await honest.finish();
    t.match([up, down], [{ missingCount: 0 }, { missingCount: 0 }]);
    t.match(await alpha.agent.ask('tcp', server), { network: 'north' }, 'who sent it still may');
    await until('all are counted', async () => {
      const seen = (await kernelReceived(scene, 'cli0')) - kernel;
      const counted = (await egret.counter('received', { interface: 'cli0' })) - received;
      const lost = await egret.counter('kernel_lost', { interface: 'cli0' });
      return counted + lost === seen && seen >= clientFrames.length;
    });
    t.pass("the generator's count, the kernel's and Egret's agree");
  });

  await t.test('nothing crashed', async (t) => {
    t.equal(await bird.state('egret'), 'Established');
    const after = await frr.neighbor(gatewayUplink);
    t.equal(after.connectionsEstablished, sessionsBefore.connectionsEstablished);
    t.ok((await egret.forwarderPid()) > 0);
    t.equal(await egret.counter('sessions_rebuilt'), 0, 'the forwarder is the first one');
  });

  await t.test('received + generated = sent + kernel + dropped + absorbed + held', async (t) => {
    const imbalance = async (): Promise<string[]> => {
      const rows = await egret.show('counters');
      const names = [...new Set(rows.map((row) => row.interface).filter((name) => name))];
      return names.flatMap((name) => {
        const of = (counter: string): number =>
          rows.find((row) => row.interface === name && row.name === counter)?.value ?? 0;
        const dropped = rows
          .filter((row) => row.interface === name && row.name.startsWith('dropped.'))
          .reduce((sum, row) => sum + row.value, 0);
        const inward = of('received') + of('generated');
        const outward = of('sent') + of('kernel') + dropped + of('absorbed') + of('held');
        return inward === outward ? [] : [`${name}: ${inward} in, ${outward} out`];
      });
    };
    await until('it balances', async () => {
      const wrong = await imbalance();
      if (wrong.length > 0) throw new Error(wrong.join('; '));
      return true;
    });
    t.strictSame(await imbalance(), []);
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

/** Another address of the same /24, that of no client. */
function neighborOf(address: string): string {
  return address.replace(/\d+$/, '99');
}

function withBytes(frame: Buffer, at: number, value: number): Buffer {
  frame[at] = value;
  return frame;
}
