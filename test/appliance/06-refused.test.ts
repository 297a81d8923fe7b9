// SPDX-License-Identifier: Apache-2.0
/**
 * A configuration whose text is wrong is refused, at start and while egretd runs; the running one stays, and
 * this is reported even when the log is not read. What does not fit the host is no error: see
 * 19-host-facts.test.ts.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'tap';
import { egretProgram } from '../lab/egret.ts';
import { until } from '../lab/process.ts';
import { networks, openScene, router, server } from './scene.ts';

const felix = `
apiVersion: projectcalico.org/v3
kind: FelixConfiguration
metadata: { name: default }
spec: { externalNetworkSupport: Enabled }
---
apiVersion: projectcalico.org/v3
kind: ExternalNetwork
metadata: { name: third }
spec: { routeTableIndex: 1400 }
`;
const peer = `${felix}---
apiVersion: projectcalico.org/v3
kind: BGPPeer
metadata: { name: third }
spec: { peerIP: ${router}, asNumber: 64512, externalNetwork: third }
`;

interface LogLine {
  readonly name?: string;
  readonly generation?: number;
}

/** A line of the log, of either process: pino's level, and ISO 8601's time. */
function parsed(text: string): LogLine {
  const line = JSON.parse(text) as LogLine & { level: number; time: string };
  const isTime = new Date(line.time).toISOString() === line.time;
  if (!isTime || ![10, 20, 30, 40, 50, 60].includes(line.level)) throw new Error(text);
  return line;
}

test('refused at start, refused while it runs', async (t) => {
  const scene = await openScene(t, { clients: { alpha: { network: 'north' } } });
  const { egret, figure } = scene;
  const { gateway } = figure;
  const start = async (name: string, text: string) => {
    const path = join(gateway.folder, `${name}.yaml`);
    await writeFile(path, text);
    const argv = [egretProgram, 'run', '--config', path, '--run-dir', `${path}.run`];
    return gateway.run(argv, { statuses: 'any' });
  };

  const wrong = await start('wrong', peer.replace('64512', 'many'));
  t.equal(wrong.status, 2, 'a text that is wrong ends egretd with status 2');
  const line = peer.slice(0, peer.indexOf('peerIP')).split('\n').length;
  t.match(wrong.stderr, `wrong.yaml:${line}:`, 'and says where');
  t.match(wrong.stderr, 'spec.asNumber');
  const { stdout: tables } = await gateway.run(['nft', 'list', 'tables']);
  t.equal(tables.match(/netdev/g)?.length, 1, 'no guard of it is left');
  const { stdout: rules } = await gateway.run(['ip', 'rule']);
  t.notMatch(rules, 'lookup 1400', 'and no rule');
  const { stdout: pids } = await gateway.run(['ip', 'netns', 'pids', gateway.namespace]);
  const names = await Promise.all(
    pids
      .split('\n')
      .filter(Boolean)
      .map((pid) => gateway.run(['ps', '-o', 'args=', '-p', pid], { statuses: 'any' })),
  );
  const forwarders = names.filter(({ stdout }) => /egret-forwarder/.test(stdout));
  t.equal(forwarders.length, 1, 'nor a forwarder');

  const shown = async (): Promise<number> => {
    const { stdout } = await egret.ask(['show', 'networks', '--json']);
    return (JSON.parse(stdout) as { generation: number }).generation;
  };
  const lines = () => egret.log().split('\n').filter(Boolean).map(parsed);
  const logged = () => lines().findLast((line) => line.generation !== undefined)?.generation;
  t.equal(logged(), await shown(), 'the generation is logged at the start');
  egret.reload();
  await until('a reload without a change is nothing to do', () =>
    egret.log().includes('the configuration is the one that runs'),
  );
  for (const generation of [2, 3]) {
    await egret.writeConfig({ 'remark.yaml': `# ${generation}\n` });
    egret.reload();
    await until(`generation ${generation}`, async () => (await shown()) === generation);
    await until('it is logged by the same number', () => logged() === generation);
  }
  const writers = new Set(lines().map(({ name }) => name ?? 'egretd'));
  t.strictSame([...writers].sort(), ['egret-forwarder', 'egretd'], 'both write into one log');

  const quiet = await egret.ask(['show', 'networks']);
  t.equal(quiet.stderr, '', 'nothing is said while the newest configuration runs');
  await egret.writeConfig({ 'broken.yaml': peer.replace('64512', 'many') });
  egret.reload();
  const warned = await until('a refusal is shown', async () => {
    const asked = await egret.ask(['show', 'networks', '--json']);
    return asked.stderr !== '' && asked;
  });
  t.match(warned.stderr, 'the newest configuration was refused, an older one runs');
  t.match(warned.stderr, /broken\.yaml:\d+:\d+: spec\.asNumber/, 'with every error');
  t.equal(
    JSON.parse(warned.stdout).rows.length,
    Object.keys(networks).length,
    'in addition to the view',
  );
  const { agent } = figure.clients.alpha;
  t.match(await agent.ask('tcp', server), { network: 'north' }, 'and traffic continues');
  await egret.writeConfig({ 'broken.yaml': undefined });
  egret.reload();
  await until('nothing is said any more', async () => {
    return (await egret.ask(['show', 'networks'])).stderr === '';
  });
  await egret.ask(['apply']);

  await egret.stop();
  const daemon = egret.begin();
  await egret.ready(['north']);
  daemon.child.stderr?.pause();
  const many = Array.from({ length: 400 }, () => peer.replace('64512', 'many')).join('---\n');
  await egret.writeConfig({ 'broken.yaml': many });
  for (let round = 0; round < 20; round += 1) {
    egret.reload();
    await sleep(50);
  }
  await egret.killForwarder();
  await until('the log is not read, and traffic continues', () => agent.ask('tcp', server, 1000));
  daemon.child.stderr?.resume();
  await egret.writeConfig({ 'broken.yaml': undefined });
  egret.reload();
  await until('it is logged', () =>
    /"lost":[1-9]\d*,"msg":"log lines were lost"/.test(daemon.output()),
  );
});
