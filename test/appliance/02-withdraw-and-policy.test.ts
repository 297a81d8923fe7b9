// SPDX-License-Identifier: Apache-2.0
/**
 * Routes and rules change under traffic: exactly the sessions concerned stop, at once, and no other
 * session loses a packet.
 */
import { test } from 'tap';
import { until } from '../lab/process.ts';
import { NumberedFlow, patientRounds } from '../lab/traffic.ts';
import {
  clientAddress,
  clientResource,
  documents,
  gatewayResource,
  kernelTable,
  openScene,
  type Scene,
  server,
  source,
} from './scene.ts';
import { lostNothing, steadyFlow } from './witness.ts';

const ICMP = 1;
const errorsPerSecond = 20;
/** Addresses of gamma, whose sessions spread over two gateway addresses. */
const crowd = Array.from({ length: 8 }, (_, i) => `10.20.32.${100 + i}`);

type Names = 'alpha' | 'beta' | 'gamma';

test('withdrawal, policy and pool under traffic', async (t) => {
  const scene = await openScene(t, {
    clients: {
      alpha: { network: 'north' },
      beta: { network: 'south' },
      gamma: { network: 'north', more: crowd },
    },
    replicas: { north: 2 },
    appliance: { nat: { icmpErrorsPerSecond: errorsPerSecond } },
  });
  const { figure, egret, bird } = scene;
  const { alpha, gamma } = figure.clients;
  const { north } = figure.networks;

  await t.test('the neighbor withdraws, and comes back', async (t) => {
    const calm = await steadyFlow(scene, 'beta', 'south', 1000);
    const flow = await steadyFlow(scene, 'alpha', 'north', 200);
    const errors = await alpha.agent.watch('icmp', 'eth0', { protocol: ICMP });

    await bird.withdraw('web');
    const first = await until('an ICMP error', async () => (await errors.seen()).frames[0], 20);
    t.match(first.hex.slice(68, 70), '03', 'destination unreachable');
    await t.rejects(alpha.agent.ask('tcp', server), /EHOSTUNREACH|ENETUNREACH/, 'TCP too');
    await until('the table follows', async () => (await kernelTable(scene, 1200)).length === 0);
    const startMs = performance.now();
    const before = (await errors.seen()).count;
    await flow.advances(400, false);
    const count = (await errors.seen()).count - before;
    const mayBe = errorsPerSecond * (1 + (performance.now() - startMs) / 1000);
    t.ok(count > 0 && count <= mayBe, `${count} errors, as many as ${mayBe.toFixed(0)} may be`);

    const stopped = (await flow.now()).up.received;
    await bird.announce('web');
    await until('traffic is back', async () => (await flow.now()).up.received > stopped + 20);
    t.equal((await kernelTable(scene, 1200)).length, 1);
    const { up } = await flow.finish();
    t.equal(up.sources.length, 1, 'in the same session');
    await lostNothing(t, calm, 'the other network');
    await errors.close();
  });

  await t.test("removing a client's annotation stops its sessions alone", async (t) => {
    // What a GlobalNetworkSet around it asks for is not for a client that has a longer prefix.
    const around = clientResource('around', ['10.20.0.0/16'], 'north');
    await egret.writeConfig({
      'around.yaml': documents({ ...around, kind: 'GlobalNetworkSet' }),
    });
    const { touched, calm } = await twoFlows(scene);
    const sessions = (): Promise<number> => sessionsOf(scene, clientAddress(0));
    t.ok((await sessions()) > 0);
    await egret.writeConfig({
      'client-alpha.yaml': documents(
        clientResource('alpha', [`${clientAddress(0)}/32`], undefined),
      ),
    });
    egret.reload();
    await until('its sessions are removed', async () => (await sessions()) === 0, 20);
    await touched.advances(100, false); // what was on its way has arrived
    const { received } = (await touched.now()).up;
    await touched.advances(200, false);
    t.equal((await touched.now()).up.received, received, 'nothing passes any more');
    t.ok((await egret.counter('sessions_revoked')) > 0);
    t.match(await egret.why(clientAddress(0), server), 'not_a_client');
    t.match(await egret.why('10.20.30.41', server), source.north, 'its neighbor is the set');
    await egret.writeConfig({ 'around.yaml': undefined });
    await touched.finish();
    await lostNothing(t, calm, 'the neighbor at the same gateway');
    await restore(scene);
  });

  await t.test('changing its policy moves it to the other network', async (t) => {
    const { touched, calm } = await twoFlows(scene);
    await egret.writeConfig({
      'client-alpha.yaml': documents(clientResource('alpha', [`${clientAddress(0)}/32`], 'south')),
    });
    egret.reload();
    await until('alpha is in south', async () => {
      const { network } = await alpha.agent.ask('udp', server, 1000);
      return network === 'south';
    });
    const { received } = (await touched.now()).up;
    await touched.advances(100, false);
    const account = await touched.finish();
    const northSources = account.up.sources.filter((from) => from.startsWith(source.south));
    t.strictSame(northSources, [], 'north never sees the source of south');
    t.ok(account.up.received >= received);
    await lostNothing(t, calm, 'the neighbor at the same gateway');
    await restore(scene);
  });

  await t.test(
    'shrinking the pool stops the sessions of the address that is removed',
    async (t) => {
      const flows = await Promise.all(
        crowd.map((localAddress) =>
          NumberedFlow.open(gamma.agent, north.serverAgent, server, {
            packetsPerSecond: 100,
            localAddress,
          }),
        ),
      );
      await until('all run', async () =>
        (await Promise.all(flows.map((flow) => flow.now()))).every(({ up }) => up.received > 20),
      );
      const outsideOf = async (): Promise<string[]> =>
        Promise.all(flows.map(async (flow) => (await flow.now()).up.sources.at(-1) ?? ''));
      const before = await outsideOf();
      const leaving = before.map((outside) => !outside.startsWith(`${source.north} `));
      t.ok(leaving.includes(true) && leaving.includes(false), `spread: ${before.join(', ')}`);

      await egret.writeConfig({ 'gateway-north.yaml': documents(gatewayResource('north', 1)) });
      egret.reload();
      await until(
        'the address is empty',
        async () =>
          (await egret.show('sessions')).every((row) => !row.outside.startsWith('192.0.2.17:')),
        20,
      );
      await Promise.all(flows.map((flow) => flow.advances(50)));
      for (const [i, flow] of flows.entries()) {
        const { up, down } = await flow.finish(leaving[i] ? undefined : patientRounds);
        if (leaving[i]) {
          t.ok(up.sources.at(-1)?.startsWith(source.north), `${crowd[i]} moved`);
        } else {
          t.match(
            [up, down],
            [{ missingCount: 0 }, { missingCount: 0 }],
            `${crowd[i]} lost nothing`,
          );
          t.strictSame(up.sources, [before[i]], `${crowd[i]} kept its session`);
        }
      }
      t.strictSame(await bird.learned('egret'), [`${source.north}/32`], 'and it is withdrawn');
    },
  );

  await t.test('a broken configuration changes nothing', async (t) => {
    const { touched, calm } = await twoFlows(scene);
    const generation = await egret.generation();
    await egret.writeConfig({ 'broken.yaml': 'kind: ExternalNetwork\nspec: [' });
    egret.reload();
    await until('it is refused', async () => (await egret.ask(['show', 'networks'])).stderr !== '');
    t.equal(await egret.generation(), generation);
    await egret.writeConfig({ 'broken.yaml': undefined });
    await lostNothing(t, touched, 'alpha');
    await lostNothing(t, calm, 'gamma');
  });
});

/** A flow of alpha, which a test touches, and one of gamma at the same gateway. */
async function twoFlows(
  scene: Scene<Names>,
): Promise<{ touched: NumberedFlow; calm: NumberedFlow }> {
  const [touched, calm] = await Promise.all([
    steadyFlow(scene, 'alpha', 'north', 500),
    steadyFlow(scene, 'gamma', 'north', 500),
  ]);
  return { touched, calm };
}

async function sessionsOf(scene: Scene<Names>, address: string): Promise<number> {
  const rows = await scene.egret.show('sessions');
  return rows.filter((row) => row.inside.startsWith(`${address}:`)).length;
}

/** Alpha as it was. */
async function restore(scene: Scene<Names>): Promise<void> {
  const { egret, figure } = scene;
  await egret.writeConfig({
    'client-alpha.yaml': documents(clientResource('alpha', [`${clientAddress(0)}/32`], 'north')),
  });
  egret.reload();
  await until('alpha is in north', async () => {
    const { network } = await figure.clients.alpha.agent.ask('udp', server, 1000);
    return network === 'north';
  });
}
