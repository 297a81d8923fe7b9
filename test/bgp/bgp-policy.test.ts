// SPDX-License-Identifier: Apache-2.0
/**
 * What an operator may ask of a session, with real BIRD and FRR: keys that only one side has, filters
 * changed under a running session, communities, paths with our own AS, neighbors behind a router,
 * other ports, the box's own address as source, old speakers, silence.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'tap';
import {
  clientGateway,
  documents,
  gatewayUplink,
  kernelTable,
  localAs,
  networkResources,
  networks,
  openScene,
  prefix,
  router,
  sceneConfig,
  server,
  source,
} from '../appliance/scene.ts';
import type { BirdNeighbor, BirdOptions } from '../lab/bird.ts';
import { patienceMs, until } from '../lab/process.ts';
import { HostileSpeaker } from './hostile-speaker.ts';

const apiVersion = 'projectcalico.org/v3';
const loopback = '10.255.0.77';
const nodeAddress = '10.255.0.1';
const oldAs = 65_010;

const plain: BirdNeighbor = { name: 'egret', address: gatewayUplink, remoteAs: localAs };
const birdOptions: BirdOptions = {
  routerId: router,
  localAs: networks.north.as,
  neighbors: [plain],
  announce: { web: [prefix], marked: ['203.0.113.0/24'], looped: ['203.0.112.0/24'] },
};

/** BIRD's end of a session over several hops. */
const multihop = {
  extra: 'multihop 4;',
  channelExtra: 'export where source = RTS_STATIC && proto != "ways";',
};
/** Where next hops lead that are not on the link. */
const ways = `protocol direct { ipv4; interface "up0"; }
  protocol static ways { ipv4; route ${nodeAddress}/32 via ${gatewayUplink}; }`;

/** BIRD's export: routes of one group get a change. */
function exporting(group: string, change: string): BirdNeighbor {
  const channel = `export filter { if source != RTS_STATIC then reject; if proto = "${group}" then { ${change} } accept; };`;
  return { ...plain, channelExtra: channel };
}

function keyOf(key: string): object {
  return { secretKeyRef: { name: 'bgp-keys', key } };
}

const secret = {
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 'bgp-keys', namespace: 'kube-system' },
  stringData: { right: 'a key', wrong: 'another key' },
};

function filter(name: string, spec: object): object {
  return { apiVersion, kind: 'BGPFilter', metadata: { name }, spec };
}

test('sessions as an operator shapes them', async (t) => {
  const options = { clients: { alpha: { network: 'north' } }, bird: birdOptions } as const;
  const scene = await openScene(t, {
    ...options,
    files: { 'secret.yaml': documents(secret), 'filter.yaml': documents(filter('rules', {})) },
  });
  const { figure, egret, bird, frr } = scene;
  const { alpha } = figure.clients;
  const { router: northRouter } = figure.networks.north;

  const neighbor = async (network: string, address = router) =>
    (await egret.show('neighbors')).find(
      (row) => row.network === network && row.address === address,
    );
  const isUp = async (network: string, address = router): Promise<boolean> =>
    (await neighbor(network, address))?.state === 'Established';
  const up = (network: string, address = router) =>
    until(`${address} in ${network} is up`, () => isUp(network, address));
  const configure = async (more: object, files: Record<string, string> = {}): Promise<void> => {
    await egret.writeConfig({
      'network-north.yaml': documents(...networkResources('north', { ...more })),
      ...files,
    });
    egret.reload();
  };
  /** The features file, with more about north. */
  const withNorth = (more: object): string => {
    const north = { name: 'north', interfaces: ['wan0'], ...more };
    const appliance = { networks: [north, { name: 'south', interfaces: ['wan1'] }] };
    return sceneConfig({ ...options, appliance })['features.yaml'] ?? '';
  };
  const table = async (): Promise<string> =>
    (await kernelTable(scene, networks.north.table)).join('\n');
  const since = async (): Promise<string | undefined> =>
    (await bird.ask('show', 'protocols', 'egret')).trim().split('\n').at(-1);

  await t.test('TCP-MD5: only both with one key talk', async (t) => {
    const cases = [
      ['Egret alone', { password: keyOf('right') }, {}],
      ['BIRD alone', {}, { password: 'a key' }],
      ['different keys', { password: keyOf('wrong') }, { password: 'a key' }],
    ] as const;
    for (const [name, ours, theirs] of cases) {
      await configure(ours);
      await bird.configure({ ...birdOptions, neighbors: [{ ...plain, ...theirs }] });
      await bird.ask('restart', 'egret');
      await until(`${name}: down`, async () => !(await isUp('north')));
      await new Promise((resolve) => setTimeout(resolve, 2_000));
      t.notOk(await isUp('north'), name);
      t.ok(await isUp('south'), 'the other network does not care');
    }
    await configure({ password: keyOf('right') });
    await bird.configure({ ...birdOptions, neighbors: [{ ...plain, password: 'a key' }] });
    await up('north');
    await configure({});
    await bird.configure(birdOptions);
    await up('north');
  });

  await t.test('filters change under a session that stays', async (t) => {
    await configure({ filters: ['rules'] });
    await until('all are there', async () => (await table()).includes('203.0.113.0/24'));
    const before = await since();
    const rules = (spec: object): Promise<void> =>
      configure({ filters: ['rules'] }, { 'filter.yaml': documents(filter('rules', spec)) });

    await rules({
      importV4: [{ cidr: '203.0.113.0/24', matchOperator: 'Equal', action: 'Reject' }],
    });
    await until('it is rejected', async () => !(await table()).includes('203.0.113.0/24'));
    t.match(await table(), prefix);
    await rules({});
    await until('it is back, by route refresh', async () =>
      (await table()).includes('203.0.113.0/24'),
    );

    await rules({
      exportV4: [{ cidr: `${source.north}/32`, matchOperator: 'Equal', action: 'Reject' }],
    });
    await until('BIRD loses our address', async () => (await bird.learned('egret')).length === 0);
    await rules({
      exportV4: [
        {
          action: 'Accept',
          operations: [
            { addCommunity: { value: '64999:77' } },
            { prependASPath: { prefix: [localAs, localAs] } },
          ],
        },
      ],
    });
    await until('BIRD has it again', async () => (await bird.learned('egret')).length === 1);
    const route = await bird.ask('show', 'route', 'protocol', 'egret', 'all');
    t.match(route, /BGP.community: \(64999,77\)/);
    t.match(route, new RegExp(`BGP.as_path: ${localAs} ${localAs} ${localAs}\\n`));
    t.equal(await since(), before, 'one session all along');
    await configure({}, { 'filter.yaml': documents(filter('rules', {})) });
  });

  await t.test('NO_EXPORT and NO_ADVERTISE are used and go no further', async (t) => {
    for (const [name, value] of [
      ['no-export', '65535,65281'],
      ['no-advertise', '65535,65282'],
    ]) {
      const neighbors = [exporting('marked', `bgp_community.add((${value}));`)];
      await bird.configure({ ...birdOptions, neighbors });
      await bird.ask('reload', 'out', 'egret');
      const row = await until(`${name} is used`, async () => {
        const rows = await egret.show('route', 'network', 'north', '203.0.113.0/24');
        return rows.find((each) => each.isBest);
      });
      t.match(row, { protocol: 'bgp' });
      t.match(await table(), '203.0.113.0/24');
    }
    t.strictSame(await frr.learned(gatewayUplink), [`${source.south}/32`]);
    t.strictSame(await bird.learned('egret'), [`${source.north}/32`]);
  });

  await t.test('a path with our own AS is a loop, unless it may hold it', async (t) => {
    const neighbors = [exporting('looped', `bgp_path.prepend(${localAs});`)];
    await bird.configure({ ...birdOptions, neighbors });
    await bird.ask('reload', 'out', 'egret');
    await until('it is refused', async () => !(await table()).includes('203.0.112.0/24'));
    t.match(await table(), prefix, 'the others stay');
    const before = await since();
    await configure({ numAllowedLocalASNumbers: 1 });
    await until('it is used', async () => (await table()).includes('203.0.112.0/24'));
    t.equal(await since(), before, 'asked for again without a new session');
    await configure({});
    await bird.configure(birdOptions);
    await until('all is as before', async () => (await table()).split('\n').length === 3);
  });

  await t.test('an old speaker: AS numbers of two octets', async (t) => {
    const old = { ...plain, extra: 'enable as4 off;' };
    const announcing = exporting('marked', 'bgp_path.prepend(4200000020);');
    await configure({ asNumber: oldAs });
    await bird.configure({
      ...birdOptions,
      localAs: oldAs,
      neighbors: [{ ...announcing, extra: old.extra }],
    });
    await up('north');
    const row = await until('its route comes', async () => {
      const rows = await egret.show('route', 'network', 'north', '203.0.113.0/24');
      return rows.find((each) => each.isBest) as { asPath?: string } | undefined;
    });
    t.equal(row.asPath, `${oldAs} 4200000020`, 'AS4_PATH (RFC 6793 §4.2.3)');
    t.match(await alpha.agent.ask('udp', server), { network: 'north' });
    await configure({});
    await bird.configure(birdOptions);
    await up('north');
  });

  await t.test('another port, ours and theirs', async (t) => {
    const withPort = withNorth({}).replace(
      `asNumber: ${localAs}`,
      `asNumber: ${localAs}\n  listenPort: 1790`,
    );
    await configure({ peerIP: `${router}:1791` }, { 'features.yaml': withPort });
    // BIRD connects: its port is its own affair then.
    await bird.configure({
      ...birdOptions,
      neighbors: [{ ...plain, address: `${gatewayUplink} port 1790` }],
    });
    await bird.ask('restart', 'egret');
    await up('north');
    const { stdout: listeners } = await figure.gateway.run(['ss', '-Hltn', 'sport = :1790']);
    t.match(listeners, 'LISTEN');
    // Egret connects.
    await bird.configure({
      ...birdOptions,
      neighbors: [{ ...plain, isPassive: true, localAddress: `${router} port 1791` }],
    });
    await bird.ask('restart', 'egret');
    await up('north');
    const { stdout: to } = await figure.gateway.run(['ss', '-Htn', 'dport = :1791']);
    t.match(to, 'ESTAB');
    await configure({}, { 'features.yaml': withNorth({}) });
    await bird.configure(birdOptions);
    await up('north');
    await up('south');
  });

  await t.test('a neighbor behind a router: reachableBy, and a static route', async (t) => {
    await northRouter.ip(`address add ${loopback}/32 dev lo`);
    const far: BirdNeighbor = { ...plain, localAddress: loopback, ...multihop };
    await configure({ peerIP: loopback, reachableBy: router });
    await bird.configure({ ...birdOptions, neighbors: [far], extra: ways });
    await up('north', loopback);
    await until('its routes lead there', async () =>
      (await table()).includes(`${prefix} via ${router} dev wan0`),
    );
    t.match(await until('alpha', () => alpha.agent.ask('udp', server)), { network: 'north' });

    const staticRoutes = [{ destination: `${loopback}/32`, nextHop: router }];
    const features = withNorth({ staticRoutes });
    await configure({ peerIP: loopback }, { 'features.yaml': features });
    await bird.ask('restart', 'egret');
    await up('north', loopback);
    t.match(await until('alpha', () => alpha.agent.ask('udp', server)), { network: 'north' });
    await configure({}, { 'features.yaml': withNorth({}) });
    await bird.configure(birdOptions);
    await up('north');
  });

  await t.test("UseNodeIP: the Node's address is the source", async (t) => {
    await figure.gateway.ip(`address add ${nodeAddress}/32 dev lo`);
    await northRouter.ip(`route add ${nodeAddress}/32 via ${gatewayUplink}`);
    const node = {
      apiVersion,
      kind: 'Node',
      metadata: { name: 'box' },
      spec: { bgp: { ipv4Address: `${nodeAddress}/32` } },
    };
    await configure({ sourceAddress: 'UseNodeIP' }, { 'node.yaml': documents(node) });
    await bird.configure({
      ...birdOptions,
      neighbors: [{ ...plain, address: nodeAddress, ...multihop }],
      extra: ways,
    });
    await up('north');
    t.match(await bird.ask('show', 'protocols', 'all', 'egret'), nodeAddress);
    t.match(await until('alpha', () => alpha.agent.ask('udp', server)), { network: 'north' });
    await egret.writeConfig({ 'node.yaml': undefined });
    await configure({});
    await bird.configure(birdOptions);
    await up('north');
  });

  await t.test('a neighbor of the main table is not heard on a network', async (t) => {
    // The same address: in the main table it is alpha, in north it is behind the router.
    const peerIP = alpha.address;
    const main = {
      apiVersion,
      kind: 'BGPPeer',
      metadata: { name: 'main' },
      spec: { peerIP, asNumber: 65_066, sourceAddress: 'None' },
    };
    const staticRoutes = [{ destination: `${peerIP}/32`, nextHop: router }];
    await northRouter.ip(`address add ${peerIP}/32 dev lo`);
    await configure(
      {},
      { 'features.yaml': withNorth({ staticRoutes }), 'main.yaml': documents(main) },
    );
    await until('it is configured', async () =>
      (await egret.show('neighbors')).some(({ address }) => address === peerIP),
    );
    await until('north leads there', async () =>
      (await table()).includes(`${peerIP} via ${router}`),
    );
    const dial = { local: peerIP, remote: gatewayUplink, pieces: [], waitMs: patienceMs, type: 1 };
    const inNorth = await HostileSpeaker.start(northRouter);
    const heard = await inNorth.call('blurt', dial);
    t.strictSame(heard, { isOpen: false, messages: [] }, 'closed without a word');
    await inNorth.stop();
    const atAlpha = await HostileSpeaker.start(alpha.host);
    const answered = await atAlpha.call('blurt', { ...dial, remote: clientGateway(0) });
    t.equal(answered.messages[0]?.type, 1, 'where it belongs it hears an OPEN');
    await atAlpha.stop();
    await egret.writeConfig({ 'main.yaml': undefined });
    await configure({}, { 'features.yaml': withNorth({}) });
  });

  await t.test('a neighbor that falls silent is given up after its hold time', async (t) => {
    await bird.configure({ ...birdOptions, neighbors: [{ ...plain, holdTimeS: 3 }] });
    await until('BIRD has restarted the session', async () =>
      /Hold timer:.*\/3\n/.test(await bird.ask('show', 'protocols', 'all', 'egret')),
    );
    await up('north');
    await until('its routes are there', async () => (await table()).includes(prefix));
    const pid = Number(await readFile(join(northRouter.folder, 'bird.pid'), 'utf8'));
    process.kill(pid, 'SIGSTOP');
    await until('its routes go', async () => (await table()) === '');
    await until('it says why', async () =>
      /Hold Timer Expired/.test((await neighbor('north'))?.lastError ?? ''),
    );
    t.ok(await isUp('south'));
    process.kill(pid, 'SIGCONT');
    await up('north');
    t.match(await until('alpha', () => alpha.agent.ask('udp', server)), { network: 'north' });
  });
});
