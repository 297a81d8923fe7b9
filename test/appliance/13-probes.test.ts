// SPDX-License-Identifier: Apache-2.0
/**
 * Failure detection: a gateway whose targets do not answer is taken out of use, and comes back with
 * them; probes that are added, and a restart of egretd, take nothing out of use that works.
 */
import { readFile } from 'node:fs/promises';
import { test } from 'tap';
import { until } from '../lab/process.ts';
import {
  announced,
  documents,
  gatewayResource,
  gatewayUplink,
  hasEgressRoute,
  openScene,
  type Scene,
  server,
  source,
} from './scene.ts';
import { lostNothing, steadyFlow } from './witness.ts';

const ICMP = 1;
/** On no link and in no table. */
const nowhere = '203.0.113.9';
/** A target that answers stays answered for longer than a busy machine holds anything up. */
const pace = { intervalSeconds: 1, timeoutSeconds: 5 };

type Names = 'alpha' | 'beta';

test('probes of gateways', async (t) => {
  const scene = await openScene(t, {
    clients: { alpha: { network: 'north' }, beta: { network: 'south' } },
    // As many a box has it: without the network's mark the kernel would drop every answer.
    before: ({ gateway }) => gateway.sysctl({ 'net.ipv4.conf.all.rp_filter': 2 }),
  });
  const { figure, egret } = scene;
  const { alpha } = figure.clients;
  const { north, south } = figure.networks;

  await t.test('probes that are added to a gateway in use disturb no flow', async (t) => {
    const flow = await steadyFlow(scene, 'alpha', 'north', 200);
    const echoes = await north.serverAgent.watch('echo', 'eth0', { protocol: ICMP });
    const foreign = await south.serverAgent.watch('echo', 'eth0', { protocol: ICMP });
    await probe(scene, { icmpProbe: { ips: [server], ...pace } });
    await until('answers', async () => (await egret.counter('probes_answered')) >= 2);
    const { frames } = await echoes.seen();
    const sources = new Set(frames.map(({ hex }) => hex.slice(52, 60)));
    t.strictSame([...sources], [hexOf(gatewayUplink)], "with the box's own source");
    t.equal((await foreign.seen()).count, 0, 'and in its own network only');
    await lostNothing(t, flow);
    await Promise.all([echoes.close(), foreign.close()]);
  });

  await t.test('the target stops to answer and answers again', async (t) => {
    const calm = await steadyFlow(scene, 'beta', 'south', 200);
    const errors = await alpha.agent.watch('icmp', 'eth0', { protocol: ICMP });
    await north.server.sysctl({ 'net.ipv4.icmp_echo_ignore_all': 1 });
    const reason = await notReady(scene);
    t.match(reason, /^no ICMP probe target answers: 198\.51\.100\.10 for \d+s$/);
    await until('it is withdrawn', async () => !(await hasEgressRoute(figure, 'north')));
    await t.rejects(alpha.agent.ask('tcp', server), /EHOSTUNREACH|EACCES/, 'no way for TCP');
    const { frames } = await errors.seen();
    t.match(frames[0]?.hex.slice(68, 72), '030d', 'prohibited');
    await errors.close();

    await north.server.sysctl({ 'net.ipv4.icmp_echo_ignore_all': 0 });
    await ready(scene);
    await announced(scene);
    t.match(await alpha.agent.ask('tcp', server), { network: 'north', address: source.north });
    await lostNothing(t, calm);
  });

  await t.test('HTTP likewise; of several targets one is enough', async (t) => {
    const urls = [`http://${server}/health?q=1`, `http://${nowhere}/`];
    const answers = await egret.counter('probes_answered');
    await probe(scene, { httpProbe: { urls, ...pace } });
    await until('answers', async () => (await egret.counter('probes_answered')) >= answers + 3);
    t.match(await rowOf(scene), { ready: true });
    await north.server.run(['nft', '-f', '-'], { stdin: withoutWeb });
    t.match(
      await notReady(scene),
      /^no HTTP probe target answers: .*q=1 for \d+s, .* \(no route in network north\)$/,
    );
    await north.server.run(['nft', 'delete', 'table', 'ip', 'web']);
    await ready(scene);
  });

  await t.test('with both kinds, both are needed', async (t) => {
    const httpProbe = { urls: [`http://${server}/`], ...pace };
    await probe(scene, { icmpProbe: { ips: [nowhere, server], ...pace }, httpProbe });
    const answers = await egret.counter('probes_answered');
    await until('answers', async () => (await egret.counter('probes_answered')) >= answers + 4);
    t.match(await rowOf(scene), { ready: true });
    await north.server.sysctl({ 'net.ipv4.icmp_echo_ignore_all': 1 });
    const reason = await notReady(scene);
    t.match(reason, /no ICMP probe target answers/);
    t.notMatch(reason, /HTTP/);
    await north.server.sysctl({ 'net.ipv4.icmp_echo_ignore_all': 0 });
    await ready(scene);
    await announced(scene);
  });

  await t.test('a restart of egretd takes no gateway out of use', async (t) => {
    const flow = await steadyFlow(scene, 'alpha', 'north', 200);
    await egret.killDaemon();
    await egret.launch();
    const answers = await egret.counter('probes_answered');
    await until('answers', async () => (await egret.counter('probes_answered')) >= answers + 3);
    t.match(await rowOf(scene), { ready: true });
    t.ok(await hasEgressRoute(figure, 'north'));
    await lostNothing(t, flow);
  });

  await t.test('a gateway that was not in use waits for its first answer', async () => {
    // Until then, a gateway that the previous instance announced counts as in use.
    await until('the takeover is over', () => egret.log().includes('forwards by its own routes'));
    await egret.writeConfig({ 'gateway-north.yaml': undefined });
    egret.reload();
    await until('it is removed', async () => !(await egret.show('gateways')).some(isNorth));
    await probe(scene, { icmpProbe: { ips: [nowhere], ...pace } });
    const waiting = 'ICMP probes have not answered yet: 203.0.113.9 (no route in network north)';
    await until('it waits', async () => (await rowOf(scene)).reason === waiting);
    await until('it fails', async () => /for \d+s/.test((await rowOf(scene)).reason));
    // Another target on the network's own link, and it is ready.
    await probe(scene, { icmpProbe: { ips: [nowhere, '100.64.9.77'], ...pace } });
    await ready(scene);
    await announced(scene);
  });

  await t.test('without the mirror only what is on a link is probed', async (t) => {
    const features = await readFile(`${egret.configDir}/features.yaml`, 'utf8');
    await egret.writeConfig({
      'features.yaml': features.replace('  limits:', '  routes:\n    mirror: false\n  limits:'),
    });
    await probe(scene, { icmpProbe: { ips: [server], ...pace } });
    t.match(await notReady(scene), /routes\.mirror is off, and it is on no link of network north/);
    await probe(scene, { icmpProbe: { ips: ['100.64.9.77'], ...pace } });
    await ready(scene);
  });
});

const withoutWeb = `table ip web {
  chain in { type filter hook input priority 0; tcp dport 80 drop; }
}
`;

const isNorth = (row: { name: string }): boolean => row.name === 'exit-north';

function hexOf(address: string): string {
  return Buffer.from(address.split('.').map(Number)).toString('hex');
}

/** Gives north's gateway these probes. */
async function probe(scene: Scene<Names>, detection: object): Promise<void> {
  const resource = gatewayResource('north') as { spec: object };
  const spec = { ...resource.spec, egressGatewayFailureDetection: detection };
  await scene.egret.writeConfig({ 'gateway-north.yaml': documents({ ...resource, spec }) });
  const generation = await scene.egret.generation();
  scene.egret.reload();
  await until('it is taken', async () => (await scene.egret.generation()) > generation);
}

async function rowOf(scene: Scene<Names>): Promise<{ ready: boolean; reason: string }> {
  const row = (await scene.egret.show('gateways')).find(isNorth);
  if (!row) throw new Error('There is no gateway of north.');
  return row;
}

async function ready(scene: Scene<Names>): Promise<void> {
  await until('the gateway is ready', async () => (await rowOf(scene)).ready);
}

/** @returns why, once it is not ready */
function notReady(scene: Scene<Names>): Promise<string> {
  return until('the gateway is not ready', async () => {
    const row = await rowOf(scene);
    return !row.ready && row.reason;
  });
}
