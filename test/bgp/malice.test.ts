// SPDX-License-Identifier: Apache-2.0
/**
 * A hostile BGP speaker among honest ones: whatever it sends, in whatever state, harms itself alone.
 *
 * Sixty neighbors of network north live on one hostile host, on a link of its own, so that each attack
 * meets a neighbor that is not damped yet. BIRD (north) and FRR (south) are honest and must not notice;
 * traffic in both networks must lose nothing; egretd must neither grow nor stay busy.
 */
import { test } from 'tap';
import { seededRandom } from '../../src/lib/random.ts';
import {
  documents,
  gatewayUplink,
  openScene,
  type Scene,
  sceneConfig,
  server,
} from '../appliance/scene.ts';
import { staysIdle } from '../appliance/witness.ts';
import { checksum, ethernetHeader, ipv4Packet } from '../lab/frames.ts';
import { patienceMs, until } from '../lab/process.ts';
import { NumberedFlow, patientRounds } from '../lab/traffic.ts';
import { message, openMessage } from './hostile-program.ts';
import { HostileSpeaker } from './hostile-speaker.ts';
import {
  asPath,
  discards,
  hexOf,
  hostileAs,
  nextHop,
  origin,
  ownPrefix,
  resets,
  update,
  withdrawals,
} from './update-faults.ts';

const seed = 20240611;
const remote = '100.64.10.1';
const locals = Array.from({ length: 60 }, (_, i) => `100.64.10.${100 + i}`);
/** On the link, but no neighbor. */
const stranger = '100.64.10.99';

const options = {
  clients: { alpha: { network: 'north' }, beta: { network: 'south' } },
} as const;

/** What the honest neighbors say of their sessions; any flap changes it. */
async function honestSessions(scene: Scene<string>): Promise<object> {
  const line = (await scene.bird.ask('show', 'protocols', 'egret')).trim().split('\n').at(-1);
  const frr = await scene.frr.neighbor(gatewayUplink);
  return {
    bird: line,
    frr: frr.bgpState,
    frrEstablished: frr.connectionsEstablished,
  };
}

test('a hostile speaker', async (t) => {
  const scene = await openScene(t, options);
  t.comment(`seed ${seed}`);
  const { lab, figure, egret } = scene;
  const { alpha, beta } = figure.clients;
  const host = await lab.host('hostile');
  await lab.link(
    {
      host,
      name: 'up0',
      addresses: [...locals, stranger].map((address) => `${address}/24`),
    },
    { host: figure.gateway, name: 'wan2', addresses: [`${remote}/24`] },
  );
  const withLink = sceneConfig({
    ...options,
    appliance: {
      networks: [
        { name: 'north', interfaces: ['wan0', 'wan2'] },
        { name: 'south', interfaces: ['wan1'] },
      ],
    },
  });
  const peers = locals.map((peerIP, i) => ({
    apiVersion: 'projectcalico.org/v3',
    kind: 'BGPPeer',
    metadata: { name: `hostile-${i}` },
    spec: { peerIP, asNumber: hostileAs, sourceAddress: 'None', externalNetwork: 'north' },
  }));
  await egret.writeConfig({
    'features.yaml': withLink['features.yaml'],
    'hostile.yaml': documents(...peers),
  });
  egret.reload();
  await until(
    'the neighbors are configured',
    async () => (await egret.show('neighbors')).length === locals.length + 2,
  ).catch((error) => {
    throw new Error(egret.log().slice(-4000), { cause: error });
  });
  const speaker = await HostileSpeaker.start(host);
  const daemonPid = egret.daemonPid;
  const forwarderPid = await egret.forwarderPid();
  const honest = await honestSessions(scene);
  const memory = await egret.memoryBytes();
  const flows = await Promise.all([
    NumberedFlow.open(alpha.agent, figure.networks.north.serverAgent, server, {
      packetsPerSecond: 200,
    }),
    NumberedFlow.open(beta.agent, figure.networks.south.serverAgent, server, {
      packetsPerSecond: 200,
    }),
  ]);
  let used = 0;
  /** The next neighbor that nothing has been done to. */
  const fresh = (): string => {
    const local = locals[used];
    used += 1;
    if (local === undefined) throw new Error('There are too few neighbors for so many attacks.');
    return local;
  };
  const prefixesInNorth = async (): Promise<Set<string>> =>
    new Set((await egret.show('route', 'network', 'north')).map((row) => row.prefix));

  await t.test(
    'RFC 7606: an attribute is dropped, a route withdrawn, or the session reset',
    async (t) => {
      const cases = [...discards, ...withdrawals, ...resets];
      const sessions = await Promise.all(
        cases.map(async (fault, number) => {
          const local = fresh();
          const wire = await speaker.call('open', { local, remote, as: hostileAs });
          const { text, nlri } = ownPrefix(number);
          const good = origin + asPath + nextHop(local);
          const send = (bytes: Buffer) =>
            speaker.call('send', { wire, hex: bytes.toString('hex') });
          return { fault, local, wire, text, nlri, good, send };
        }),
      );
      const announcing = sessions.filter(({ fault }) => !discards.includes(fault));
      for (const { send, good, nlri } of announcing) await send(update(good, nlri));
      await until('all sound routes are there', async () => {
        const seen = await prefixesInNorth();
        return announcing.every(({ text }) => seen.has(text));
      });
      for (const { fault, send, good, nlri, local } of sessions) {
        await send(fault.make(good, nlri, local));
      }
      const expected = sessions.filter(({ fault }) => discards.includes(fault));
      await until('the rest stays, and nothing else', async () => {
        const seen = await prefixesInNorth();
        const right = sessions.every(
          ({ text, fault }) => seen.has(text) === discards.includes(fault),
        );
        if (!right) throw new Error([...seen].join(' '));
        return true;
      });
      t.equal(expected.length, discards.length);
      for (const { fault, wire } of sessions) {
        const isReset = resets.includes(fault);
        const heard = await speaker.call('heard', { wire, waitMs: isReset ? patienceMs : 0 });
        t.equal(
          heard.isOpen && !heard.messages.some(({ type }) => type === 3),
          !isReset,
          fault.name,
        );
        if (!isReset) continue;
        const notification = heard.messages.find(({ type }) => type === 3)?.body ?? '';
        const [code, subcode] = hexOf(notification);
        t.strictSame([code, subcode], [3, fault.subcode], fault.name);
      }
      for (const { wire } of sessions) await speaker.call('close', { wire });
    },
  );

  await t.test('rubbish in every state', async (t) => {
    const random = seededRandom(seed);
    const attacks = rubbishInEveryState(random);
    // Damping refuses a neighbor for a second and more after an error: many take turns.
    const turns = Array.from({ length: 20 }, fresh);
    for (let at = 0; at < attacks.length; at += turns.length) {
      await Promise.all(
        attacks.slice(at, at + turns.length).map((pieces, i) => {
          const local = turns[i] ?? '';
          const hex = pieces.map((piece) => piece.toString('hex'));
          return speaker.call('blurt', { local, remote, pieces: hex, waitMs: 250 });
        }),
      );
    }
    t.strictSame(await honestSessions(scene), honest);
  });

  await t.test('a wrong AS number, BGP identifier or version gets its NOTIFICATION', async (t) => {
    const wrong: [string, Buffer, number][] = [
      ['AS', openMessage({ as: hostileAs + 1, bgpId: '1.2.3.4' }), 2],
      ['identifier', openMessage({ as: hostileAs, bgpId: '0.0.0.0' }), 3],
      ['version', changed(openMessage({ as: hostileAs, bgpId: '1.2.3.4' }), 19, 5), 1],
      ['hold time', openMessage({ as: hostileAs, bgpId: '1.2.3.4', holdTimeS: 2 }), 6],
    ];
    for (const [name, open, subcode] of wrong) {
      const pieces = [open.toString('hex')];
      const heard = await speaker.call('blurt', {
        local: fresh(),
        remote,
        pieces,
        waitMs: patienceMs,
      });
      const notification = heard.messages.find(({ type }) => type === 3)?.body ?? '';
      t.strictSame([...hexOf(notification).subarray(0, 2)], [2, subcode], name);
    }
  });

  await t.test('floods of connections, from neighbors and from unknown addresses', async (t) => {
    const neighbor = fresh();
    const keep = await speaker.call('open', { local: fresh(), remote, as: hostileAs });
    const crowd = { remote, count: 500, holdMs: 500 };
    await speaker.call('crowd', { ...crowd, locals: [neighbor] });
    await speaker.call('crowd', { ...crowd, locals: [stranger] });
    const open = openMessage({ as: hostileAs, bgpId: '9.9.9.9' }).toString('hex');
    await speaker.call('crowd', { ...crowd, locals: [neighbor], hex: open });
    // Half-open ones: SYNs whose answer is ignored.
    const agent = await scene.agentOf(host);
    const macs = {
      sourceMac: await host.mac('up0'),
      destinationMac: await figure.gateway.mac('wan2'),
    };
    const frames = Array.from({ length: 3_000 }, (_, i) =>
      synFrame({
        ...macs,
        source: `100.64.10.${2 + (i % 90)}`,
        destination: remote,
        port: i + 1024,
      }),
    );
    await agent.call('sendFrames', { interface: 'up0', frames });
    const heard = await speaker.call('heard', { wire: keep });
    t.ok(heard.isOpen, "the flooder's own other session stays");
    t.strictSame(await honestSessions(scene), honest);
  });

  await t.test('one that asks and never listens costs no memory', async (t) => {
    const wire = await speaker.call('open', { local: fresh(), remote, as: hostileAs });
    const { daemon } = await egret.memoryBytes();
    await speaker.call('deafen', { wire });
    const refresh = message(5, hexOf('0001 00 01')).toString('hex');
    await speaker.call('send', { wire, hex: refresh, times: 500_000 });
    await until('it loses the session', async () => {
      const rows = await egret.show('neighbors');
      return rows.some(({ lastError }) => lastError?.includes('does not read'));
    });
    const after = await egret.memoryBytes();
    t.ok(after.daemon - daemon < 64 << 20, `${(after.daemon - daemon) >> 20} MiB more`);
    t.strictSame(await honestSessions(scene), honest);
  });

  await t.test('who answers the connection of Egret with rubbish gains nothing', async (t) => {
    const local = fresh();
    await speaker.call('answerWith', { local, hex: '00'.repeat(64) });
    const row = await until('it is reported', async () => {
      const rows = await egret.show('neighbors');
      return rows.find(
        ({ address, lastError }) => address === local && lastError?.includes('marker'),
      );
    });
    t.not(row.state, 'Established');
  });

  await t.test('no flow has lost anything', async (t) => {
    for (const flow of flows) {
      const { up, down } = await flow.finish(patientRounds);
      t.match([up, down], [{ missingCount: 0 }, { missingCount: 0 }]);
    }
    t.strictSame(await honestSessions(scene), honest);
    t.equal(egret.daemonPid, daemonPid, egret.log().slice(-2000));
    t.equal(await egret.forwarderPid(), forwarderPid);
    const after = await egret.memoryBytes();
    t.ok(after.daemon - memory.daemon < 128 << 20, `egretd: ${after.daemon >> 20} MiB`);
    t.ok(after.forwarder - memory.forwarder < 8 << 20, `forwarder: ${after.forwarder >> 20} MiB`);
    await speaker.stop();
    await staysIdle(t, egret);
  });
});

/** Whole and broken messages: before OPEN, in OpenConfirm, and once Established. */
function rubbishInEveryState(random: { next(): number }): Buffer[][] {
  const below = (limit: number): number => Math.floor(random.next() * limit);
  const bytes = (count: number): Buffer =>
    Buffer.from(Array.from({ length: count }, () => below(256)));
  const open = openMessage({ as: hostileAs, bgpId: '100.64.10.100' });
  const keepalive = message(4, Buffer.alloc(0));
  const none = Buffer.alloc(0);
  const lengths = [0, 1, 18, 19, 4_097, 65_535];
  const kinds: ((turn: number) => Buffer)[] = [
    () => bytes(1 + below(5_000)),
    () => message(below(256), bytes(below(300))),
    (turn) => message(1 + (turn % 5), bytes(below(4_000))),
    () => message(2, bytes(4_077)),
    (turn) => message(1 + (turn % 5), none),
    (turn) => message(2, bytes(100), lengths[turn % lengths.length]),
    () => open.subarray(0, below(open.length)),
    () => changed(open, 19 + below(open.length - 19), below(256)),
    () => changed(open, below(open.length), below(256)),
    () => Buffer.concat([open, open, keepalive, open]),
    () => Buffer.concat([keepalive, keepalive, update('', '')]),
    () => message(3, bytes(below(40))),
    () => message(5, bytes(below(12))),
    () => none,
  ];
  const states: Buffer[][] = [[], [open], [open, keepalive]];
  const turns = Array.from({ length: 4 }, (_, turn) => turn);
  return turns.flatMap((turn) =>
    states.flatMap((sent) => kinds.map((make) => [...sent, make(turn)])),
  );
}

function changed(original: Buffer, at: number, value: number): Buffer {
  const bytes = Buffer.from(original);
  bytes[at] = value;
  return bytes;
}

/** A TCP SYN to port 179. */
function synFrame(fields: {
  sourceMac: string;
  destinationMac: string;
  source: string;
  destination: string;
  port: number;
}): string {
  const { source, destination } = fields;
  const tcp = Buffer.alloc(20);
  tcp.writeUInt16BE(fields.port, 0);
  tcp.writeUInt16BE(179, 2);
  tcp.writeUInt32BE(fields.port * 7, 4);
  tcp[12] = 5 << 4;
  tcp[13] = 2;
  tcp.writeUInt16BE(65_535, 14);
  const octets = (address: string): number[] => address.split('.').map(Number);
  const pseudo = Buffer.from([...octets(source), ...octets(destination), 0, 6, 0, tcp.length]);
  tcp.writeUInt16BE(checksum(Buffer.concat([pseudo, tcp])), 16);
  const ethernet = ethernetHeader(fields.destinationMac, fields.sourceMac, 0x0800);
  const packet = ipv4Packet({ source, destination, protocol: 6 }, tcp);
  return Buffer.concat([ethernet, packet]).toString('hex');
}
