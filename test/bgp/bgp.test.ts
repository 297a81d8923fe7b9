// SPDX-License-Identifier: Apache-2.0
/**
 * Egret's speaker with real BIRD (eBGP, 4-octet AS) and real FRR (iBGP), at the same address in two
 * networks: keys, GTSM, collisions, filters, restarts, a neighbor that offers IPv6 too, equal-cost paths.
 */
import { test } from 'tap';
import {
  documents,
  gatewayUplink,
  kernelTable,
  localAs,
  networkResources,
  networks,
  openScene,
  prefix,
  router,
  server,
} from '../appliance/scene.ts';
import { Bird } from '../lab/bird.ts';
import { until } from '../lab/process.ts';

const apiVersion = 'projectcalico.org/v3';
const crowd = Array.from({ length: 200 }, (_, i) => `203.${i}.0.0/16`);
const filtered = '192.88.99.0/24';

function keyOf(network: string): object {
  return { secretKeyRef: { name: 'bgp-keys', key: network } };
}

function secret(keys: Readonly<Record<string, string>>): object {
  const metadata = { name: 'bgp-keys', namespace: 'kube-system' };
  return { apiVersion: 'v1', kind: 'Secret', metadata, stringData: keys };
}

test('BGP with BIRD and FRR', async (t) => {
  const peers = {
    north: { password: keyOf('north'), ttlSecurity: 1, filters: ['no-relay'] },
    south: { password: keyOf('south'), ttlSecurity: 1 },
  };
  const scene = await openScene(t, {
    clients: { alpha: { network: 'north' }, beta: { network: 'south' } },
    peers,
    birdNeighbor: { password: 'north-key', hasTtlSecurity: true, hasIpv6: true },
    frrNeighbor: { password: 'south-key', ttlSecurityHops: 1 },
    bird: {
      announce: { web: [prefix], crowd, relay: [filtered], six: ['2001:db8::/32'] },
      withdrawn: ['crowd'],
    },
    files: {
      'secret.yaml': documents(secret({ north: 'north-key', south: 'south-key' })),
      'filter.yaml': documents({
        apiVersion,
        kind: 'BGPFilter',
        metadata: { name: 'no-relay' },
        spec: { importV4: [{ cidr: filtered, matchOperator: 'In', action: 'Reject' }] },
      }),
    },
  });
  const { lab, figure, egret, bird, frr } = scene;
  const { alpha, beta } = figure.clients;
  const north = async () =>
    (await egret.show('neighbors')).find(({ network }) => network === 'north');
  const south = async () =>
    (await egret.show('neighbors')).find(({ network }) => network === 'south');

  await t.test('two keys for one address, both with GTSM', async (t) => {
    t.match(await north(), { state: 'Established', address: router, remoteAs: networks.north.as });
    t.match(await south(), { state: 'Established', address: router, remoteAs: localAs });
    t.match(await alpha.agent.ask('tcp', server), { network: 'north' });
    t.match(await beta.agent.ask('tcp', server), { network: 'south' });
  });

  await t.test('IPv6 is not negotiated, even when BIRD offers it', async (t) => {
    const detail = (await north())?.detail;
    t.ok(detail?.capabilitiesReceived.includes('ipv6-unicast'));
    t.notOk(detail?.capabilitiesAdvertised.includes('ipv6-unicast'));
    t.ok(detail?.capabilitiesNegotiated.includes('ipv4-unicast'));
    t.notOk(detail?.capabilitiesNegotiated.includes('ipv6-unicast'));
  });

  await t.test('what a filter rejects is received and not used', async (t) => {
    const row = await north();
    t.ok(row && row.received > row.accepted, JSON.stringify(row));
    const kernel = (await kernelTable(scene, networks.north.table)).join('\n');
    t.notMatch(kernel, filtered);
  });

  await t.test('announcements and withdrawals reach the table', async () => {
    const lines = async (): Promise<number> =>
      (await kernelTable(scene, networks.north.table)).length;
    for (let round = 0; round < 3; round += 1) {
      await bird.announce('crowd');
      await until('all are there', async () => (await lines()) === crowd.length + 1);
      await bird.ask('reload', 'out', 'egret');
      await bird.withdraw('crowd');
      await until('none is there', async () => (await lines()) === 1);
    }
  });

  await t.test('why a session went down is kept, with the words of its operator', async (t) => {
    const why = { sender: 'remote', code: 6, subcode: 2, words: 'maintenance' };
    const lastDown = async () => (await north())?.detail.lastDown;
    await bird.ask('disable', 'egret', '"maintenance"');
    await until('the session is down', async () => (await north())?.state !== 'Established');
    t.match(await lastDown(), why);
    await until('an attempt has failed', async () => {
      return !(await north())?.lastError?.includes('maintenance');
    });
    t.match(await lastDown(), why);
    await bird.ask('enable', 'egret');
    await bird.established('egret');
  });

  await t.test('both sides connect at once, and one session is left', async (t) => {
    for (let round = 0; round < 3; round += 1) {
      await bird.ask('restart', 'egret');
      await until('the session is back', async () => (await north())?.state === 'Established');
      await bird.established('egret');
    }
    const { stdout } = await figure.networks.north.router.run([
      'ss',
      '-Htn',
      'state',
      'established',
      '( sport = :179 or dport = :179 )',
    ]);
    t.equal(stdout.trim().split('\n').length, 1, stdout);
  });

  await t.test('a crashed neighbor keeps its routes until it is back', async (t) => {
    await bird.stop('SIGKILL');
    let missing = 0;
    let isBack = false;
    const restarted = bird.restart().then(() => bird.established('egret'));
    void restarted.finally(() => {
      isBack = true;
    });
    while (!isBack) {
      if ((await kernelTable(scene, networks.north.table)).length === 0) missing += 1;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await restarted;
    t.equal(missing, 0, 'RFC 4724 §4.2');
    const answer = await until('alpha reaches north', () => alpha.agent.ask('tcp', server, 1000));
    t.match(answer, { network: 'north' });
  });

  await t.test('a wrong key is refused, the new one accepted', async (t) => {
    await frr.ask(
      'configure terminal',
      `router bgp ${localAs}`,
      `neighbor ${gatewayUplink} password other-key`,
      'end',
      `clear bgp ${gatewayUplink}`,
    );
    await until('south is down', async () => (await south())?.state !== 'Established');
    await new Promise((resolve) => setTimeout(resolve, 3000));
    t.not((await south())?.state, 'Established');
    t.match(await north(), { state: 'Established' }, 'the other network does not notice');
    await egret.writeConfig({
      'secret.yaml': documents(secret({ north: 'north-key', south: 'other-key' })),
    });
    egret.reload();
    await until('south is up', async () => (await south())?.state === 'Established');
    t.match(await north(), { state: 'Established' });
  });

  await t.test('a wrong AS number is named', async (t) => {
    const wrong = { ...peers.north, asNumber: 65123 };
    await egret.writeConfig({
      'network-north.yaml': documents(...networkResources('north', wrong)),
    });
    egret.reload();
    // Other errors may come before: both sides connect, and each end tells the other.
    const named = await until('it says so', async () => {
      const { lastError } = (await north()) ?? {};
      return /Bad Peer AS/.exec(lastError ?? '')?.input;
    });
    t.match(named, 'not 65123');
    await egret.writeConfig({
      'network-north.yaml': documents(...networkResources('north', peers.north)),
    });
    egret.reload();
    await until('north is up', async () => (await north())?.state === 'Established');
  });

  await t.test('two neighbors with one prefix share the traffic', async (t) => {
    const second = await lab.host('router-second');
    await lab.link(
      { host: second, name: 'up0', addresses: ['100.64.10.77/24'] },
      { host: figure.gateway, name: 'wan2', addresses: ['100.64.10.1/24'] },
    );
    const other = await Bird.start(second, {
      routerId: '100.64.10.77',
      localAs: networks.north.as,
      neighbors: [{ name: 'egret', address: '100.64.10.1', remoteAs: localAs }],
      announce: { web: [prefix] },
    });
    const appliance = {
      apiVersion: 'egret.dev/v1',
      kind: 'Appliance',
      metadata: { name: 'box' },
      spec: {
        networks: [
          { name: 'north', interfaces: ['wan0', 'wan2'] },
          { name: 'south', interfaces: ['wan1'] },
        ],
        limits: { sessions: 50_000, routes: 20_000 },
      },
    };
    const features = {
      apiVersion,
      kind: 'FelixConfiguration',
      metadata: { name: 'default' },
      spec: { externalNetworkSupport: 'Enabled' },
    };
    const bgp = {
      apiVersion,
      kind: 'BGPConfiguration',
      metadata: { name: 'default' },
      spec: { asNumber: localAs },
    };
    const session = { peerIP: '100.64.10.77', asNumber: networks.north.as, sourceAddress: 'None' };
    const peer = {
      apiVersion,
      kind: 'BGPPeer',
      metadata: { name: 'second' },
      spec: { ...session, externalNetwork: 'north' },
    };
    await egret.writeConfig({
      'features.yaml': documents(features, bgp, appliance),
      'second.yaml': documents(peer),
    });
    egret.reload();
    await other.established('egret');
    const wanted = [
      `${prefix} proto bgp`,
      `\tnexthop via 100.64.9.77 dev wan0 weight 1`,
      `\tnexthop via 100.64.10.77 dev wan2 weight 1`,
    ];
    const table = await until('both are in the table', async () => {
      const lines = await kernelTable(scene, networks.north.table);
      return lines.length === 3 && lines.map((line) => line.trimEnd());
    });
    t.strictSame(table, wanted);
    const { stdout } = await egret.ask(['show', 'route', 'table', `${networks.north.table}`]);
    t.strictSame(
      stdout
        .trimEnd()
        .split('\n')
        .map((line) => line.trimEnd()),
      wanted,
    );
    await other.stop();
    await until('one is left', async () => {
      const lines = await kernelTable(scene, networks.north.table);
      return lines.length === 1;
    });
  });
});
