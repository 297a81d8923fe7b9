// SPDX-License-Identifier: Apache-2.0
/**
 * What of the host does not fit makes its network not ready, with the reason, and nothing else: egretd
 * starts, the other network forwards, and when the host is mended the network comes up by itself.
 * `egret check --on-box` says the same before, over every kind of fact.
 */
import { rm } from 'node:fs/promises';
import { type Test, test } from 'tap';
import type { Egret } from '../lab/egret.ts';
import { until } from '../lab/process.ts';
import {
  documents,
  hasEgressRoute,
  networks,
  openScene,
  router,
  type Scene,
  sceneConfig,
  server,
} from './scene.ts';
import { comesBack, lostNothing, steadyFlow } from './witness.ts';

type TwoClients = Scene<'alpha' | 'beta'>;

const options = {
  clients: { alpha: { network: 'north' }, beta: { network: 'south' } },
} as const;

const { table, interface: uplink } = networks.south;
const away = `${router} on its link`;
const foreignRoute = `203.0.113.0/24 via ${router} dev wan0 table ${table}`;

/** Appliance.spec.networks[] of south; north has wan0. */
const withSouth = (south: Readonly<Record<string, unknown>>) => ({
  ...sceneConfig({
    ...options,
    appliance: {
      networks: [
        { name: 'north', interfaces: ['wan0'] },
        { name: 'south', ...south },
      ],
    },
  }),
});

interface Fact {
  readonly breaks: readonly string[];
  readonly mends: readonly string[];
  /** Lines of `ip` that leave the host as it was. */
  readonly after?: readonly string[];
  /** Of south. */
  readonly network?: Readonly<Record<string, unknown>>;
  readonly reason: string;
}

const facts: Readonly<Record<string, Fact>> = {
  'a missing interface': {
    breaks: [`link set ${uplink} down`, `link set ${uplink} name away9`],
    mends: [`link set away9 name ${uplink}`, `link set ${uplink} up`],
    reason: `interface ${uplink} does not exist`,
  },
  'an interface that is down': {
    breaks: [`link set ${uplink} down`],
    mends: [`link set ${uplink} up`],
    reason: `interface ${uplink} is down`,
  },
  'an address that is not there yet': {
    breaks: [`address del 100.64.9.1/24 dev ${uplink}`],
    mends: [`address add 100.64.9.1/24 dev ${uplink}`],
    network: {},
    reason: `no interface of network south has ${away}, and no route leads there`,
  },
  'an address that is not there yet, of a named interface': {
    breaks: [`address del 100.64.9.1/24 dev ${uplink}`],
    mends: [`address add 100.64.9.1/24 dev ${uplink}`],
    reason: `interface ${uplink} has no address`,
  },
  'a static next hop on no link': {
    breaks: [],
    mends: [`address add 100.64.8.1/24 dev ${uplink}`],
    after: [`address del 100.64.8.1/24 dev ${uplink}`],
    network: {
      interfaces: [uplink],
      staticRoutes: [{ destination: '203.0.113.0/24', nextHop: '100.64.8.9' }],
    },
    reason: 'no interface of network south has the next hop 100.64.8.9 on its link',
  },
  'a neighbor on two links': {
    breaks: ['address add 100.64.9.200/24 dev cli1'],
    mends: ['address del 100.64.9.200/24 dev cli1'],
    network: {},
    reason: `${router} is on the link of cli1 and ${uplink}`,
  },
  'routes of another program in the table': {
    breaks: [`route add ${foreignRoute}`],
    mends: [`route del ${foreignRoute}`],
    reason: `table ${table} holds routes that are not ours: 203.0.113.0/24 via ${router} dev wan0`,
  },
  'routes that another program put there under our protocol': {
    breaks: [`route add ${foreignRoute} proto bgp`],
    mends: [`route del ${foreignRoute} proto bgp`],
    reason: `table ${table} holds routes that are not ours: 203.0.113.0/24 via ${router} dev wan0 proto bgp`,
  },
};

test('facts of the host at a start', async (t) => {
  const scene = await openScene(t, options);
  const { egret, figure } = scene;
  const { gateway } = figure;
  for (const [name, fact] of Object.entries(facts)) {
    await t.test(name, async (t) => {
      await egret.stop();
      if (fact.breaks.length > 0) await gateway.ip(...fact.breaks);
      await egret.writeConfig(fact.network ? withSouth(fact.network) : sceneConfig(options));
      await saysBefore(t, egret, fact.reason);
      // The first start takes the files; later ones begin with what was applied last.
      await rm(egret.stateDir, { recursive: true });
      await egret.launch();
      await isHindered(t, scene, fact.reason);
      await gateway.ip(...fact.mends);
      await comesBack(t, scene);
      const note = await egret.ask(['check', '--on-box', egret.configDir]);
      t.notMatch(note.stdout, 'not be ready', 'check has nothing more to say while it runs');
      if (fact.after) {
        await gateway.ip(...fact.after);
        await isHindered(t, scene, fact.reason);
      }
    });
  }
});

test('facts of the host while egretd runs', async (t) => {
  const scene = await openScene(t, options);
  const { egret, figure } = scene;
  const { gateway } = figure;
  const flow = await steadyFlow(scene, 'alpha', 'north', 200);
  for (const [name, { breaks, mends, network, reason }] of Object.entries(facts)) {
    // A route under our own protocol is taken for ours there.
    if (breaks.length === 0 || /our protocol/.test(name)) continue;
    await t.test(name, async (t) => {
      await egret.writeConfig(network ? withSouth(network) : sceneConfig(options));
      egret.reload();
      await egret.ready(['north', 'south']);
      await gateway.ip(...breaks);
      await isHindered(t, scene, reason);
      await gateway.ip(...mends);
      await comesBack(t, scene);
    });
  }

  await t.test('a change that breaks one network keeps the other', async (t) => {
    const fact = facts['a static next hop on no link']!;
    await egret.writeConfig(withSouth(fact.network!));
    await saysBefore(t, egret, fact.reason);
    egret.reload();
    await isHindered(t, scene, fact.reason);
    const quiet = await egret.ask(['show', 'networks']);
    t.equal(quiet.stderr, '', 'it was not refused');
    await gateway.ip(`route add 203.0.113.0/24 via ${router} dev wan0 table 1400`);
    await egret.writeConfig({ 'third.yaml': third });
    egret.reload();
    await until('a new network whose table is not ours is not ready', async () => {
      const row = (await egret.show('networks')).find((one) => one.name === 'third');
      return row?.ready === false && row.reason.startsWith('table 1400 holds routes');
    });
    await egret.writeConfig({ 'third.yaml': undefined, ...sceneConfig(options) });
    egret.reload();
    await comesBack(t, scene);
    await gateway.ip('route flush table 1400');
  });

  await t.test('a layer-3 device is no port', async (t) => {
    await gateway.ip('tuntap add dev tun9 mode tun', 'link set tun9 up');
    await gateway.ip('address add 100.64.7.1/24 dev tun9');
    await egret.writeConfig(withSouth({ interfaces: ['tun9'] }));
    egret.reload();
    const reason = 'interface tun9 cannot be a port: it is a layer-3 device (tun)';
    await isHindered(t, scene, reason);
    const row = (await egret.show('interfaces')).find(({ name }) => name === 'tun9');
    t.match(row, { driver: 'none', reason: /not a port: it is a layer-3 device \(tun\)/ });
    await egret.writeConfig(sceneConfig(options));
    egret.reload();
    await comesBack(t, scene);
  });

  await lostNothing(t, flow, "north's flow, all the time");
  const count = (pattern: RegExp): number => egret.log().match(pattern)?.length ?? 0;
  const appeared = count(/"msg":"interface wan1 is down"/g);
  t.ok(appeared > 0 && appeared === count(/"msg":"no longer: interface wan1 is down"/g));
});

test('another program has the port of BGP', async (t) => {
  const scene = await openScene(t, options);
  const { egret, figure } = scene;
  await egret.stop();
  // It closes what it accepts: a router would wait minutes for the OPEN of one that stays silent.
  const closing = 'require("net").createServer((socket) => socket.destroy())';
  const listen = `${closing}.listen(179, "0.0.0.0", () => console.log("on"))`;
  const other = figure.gateway.start([process.execPath, '-e', listen]);
  await until('it listens', () => other.output().includes('on'));
  await egret.launch();
  await comesBack(t, scene);
  await until('it is logged', () => /BGP: no listener/.test(egret.log()));
  await other.stop();
  await until('egretd listens', async () => {
    const { stdout } = await figure.gateway.run(['ss', '-tlnH', 'sport = :179']);
    return stdout !== '';
  });
});

const third = documents({
  apiVersion: 'projectcalico.org/v3',
  kind: 'ExternalNetwork',
  metadata: { name: 'third' },
  spec: { routeTableIndex: 1400 },
});

/** `egret check --on-box` accepts the configuration, and notes that south will not be ready, and why. */
async function saysBefore(t: Test, egret: Egret, reason: string): Promise<void> {
  const { status, stdout } = await egret.ask(['check', '--on-box', egret.configDir]);
  t.equal(status, 0, 'check accepts it');
  const line = stdout.split('\n').find((text) => text.includes(reason));
  t.match(line, /\.yaml:\d+:\d+: note: network south will not be ready: /, `and notes: ${reason}`);
  const json = await egret.ask(['check', '--on-box', '--json', egret.configDir]);
  const { notes } = JSON.parse(json.stdout) as { notes: { message: string; line: number }[] };
  t.ok(
    notes.some(({ message, line }) => message.includes(reason) && line > 0),
    'also as JSON',
  );
  const text = await egret.ask(['check', egret.configDir]);
  t.notMatch(text.stdout, reason, 'which is not in the text');
}

/** South is not ready for a reason, announces nothing and forwards nothing; north does. */
async function isHindered(t: Test, scene: TwoClients, reason: string): Promise<void> {
  const { egret, figure } = scene;
  await egret.ready(['north']);
  await until(`south is not ready: ${reason}`, async () => {
    const row = (await egret.show('networks')).find(({ name }) => name === 'south');
    if (row?.ready !== false || !row.reason.includes(reason)) throw new Error(row?.reason);
    return true;
  });
  await until('north knows its address', () => hasEgressRoute(figure, 'north'));
  const { alpha, beta } = figure.clients;
  const answer = await until('alpha is answered', () => alpha.agent.ask('tcp', server, 1000));
  t.match(answer, { network: 'north' });
  await t.rejects(beta.agent.ask('tcp', server, 500), 'beta is not forwarded');
  const neighbor = (await egret.show('neighbors')).find(({ network }) => network === 'south');
  t.ok(neighbor?.state !== undefined, 'its neighbor is shown');
  if (neighbor?.state !== 'Established') t.ok(neighbor?.warning?.length, neighbor?.warning ?? '');
  const gateways = await egret.show('gateways');
  const exit = gateways.find(({ name }) => name === 'exit-south');
  t.match(exit, { ready: false, reason: `network south: ` });
  t.equal(neighbor?.announced, 0, 'nothing is announced');
}
