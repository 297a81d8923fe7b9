// SPDX-License-Identifier: Apache-2.0
/**
 * Ten thousand UDP sessions and two thousand short TCP connections of one client: none is lost, each
 * has an outside tuple of its own, and all ports come back.
 */
import { test } from 'tap';
import { openScene, type SceneOptions, sceneConfig, server, source } from '../appliance/scene.ts';
import { until } from '../lab/process.ts';

const udpCount = 10_000;
const tcpCount = 2000;

/** @param udp - for how long a UDP session outlives its last packet */
const optionsWith = (udp: string) =>
  ({
    clients: { alpha: { network: 'north' } },
    appliance: { nat: { timeouts: { udp, tcpTransitory: '5s' }, portQuarantine: '2s' } },
  }) as const satisfies SceneOptions<'alpha'>;

test('many sessions', async (t) => {
  const scene = await openScene(t, optionsWith('2h'));
  const { egret } = scene;
  const { agent } = scene.figure.clients.alpha;
  const udp = { remote: server, port: 7, perSecond: 4000 };
  const sources = [source.north];

  await t.test('all UDP sessions are answered, each by its own outside tuple', async (t) => {
    const first = { ...udp, firstLocalPort: 20_000, count: udpCount };
    const report = await agent.call('manyUdp', first);
    t.match(report, { answered: udpCount, outsideCount: udpCount, sources, networks: ['north'] });
    t.strictSame(report.failures, {});
    const rows = await egret.show('sessions');
    t.equal(new Set(rows.map((row) => row.outside)).size, rows.length, 'unique in status too');
    t.ok((await used()) >= udpCount, `${await used()} ports are used`);
  });

  await t.test('all TCP connections are, too', async (t) => {
    const tcp = { remote: server, port: 7, count: tcpCount, atOnce: 50 };
    const report = await agent.call('manyTcp', tcp);
    t.match(report, { answered: tcpCount, sources });
    // A port of a closed connection may be used again, by the client and so by Egret.
    t.ok(report.outsideCount > tcpCount * 0.8, `${report.outsideCount} outside ports`);
    t.strictSame(report.failures, {});
  });

  await t.test('the forwarder dies and knows them all again', async (t) => {
    const before = new Set((await egret.show('sessions')).filter(isUdp).map((row) => row.outside));
    const old = await egret.forwarderPid();
    await egret.killForwarder();
    await until('another runs', async () => (await egret.forwarderPid()) !== old, 20);
    await agent.ask('udp', server); // it serves again; the datagrams below are sent once only
    const report = await agent.call('askAgain', udp);
    t.match(report, { answered: udpCount, outsideCount: udpCount, sources });
    const after = new Set((await egret.show('sessions')).filter(isUdp).map((row) => row.outside));
    t.equal([...before].filter((outside) => !after.has(outside)).length, 0, 'as they were');
  });

  await t.test('every port comes back without a packet arriving', async (t) => {
    await agent.call('closeMany', {});
    const { 'features.yaml': shorter } = sceneConfig(optionsWith('2s'));
    await egret.writeConfig({ 'features.yaml': shorter });
    egret.reload();
    await until('no session is left', async () => (await egret.show('sessions')).length === 0, 500);
    await until('no port is used', async () => (await used()) === 0, 200);
    t.equal(await egret.counter('sessions'), 0);
    t.ok((await egret.counter('sessions_expired')) >= udpCount);
  });

  async function used(): Promise<number> {
    const rows = await egret.show('pools');
    return rows.reduce((sum, row) => sum + row.portsUsed, 0);
  }
});

function isUdp(row: { readonly protocol: string }): boolean {
  return row.protocol === 'udp';
}
