// SPDX-License-Identifier: Apache-2.0
/**
 * What egretd finds of the previous instance and cannot use as it is: interfaces that were removed and
 * added again, a forwarder on another arena, or one that does not answer. Another build is 18-upgrade's.
 */
import { existsSync } from 'node:fs';
import { mkdir, readFile, readlink, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'tap';
import { egretProgram } from '../lab/egret.ts';
import { until } from '../lab/process.ts';
import { gatewayUplink, networks, openScene, prefix, router } from './scene.ts';
import { comesBack, sawNoLeak, steadyFlow, watchLeaks } from './witness.ts';

test('what the previous instance left', async (t) => {
  const scene = await openScene(t, {
    clients: { alpha: { network: 'north' }, beta: { network: 'south' } },
    before: async ({ gateway }) => gateway.sysctl({ 'net.ipv4.ip_forward': 1 }),
  });
  const { lab, figure, egret } = scene;
  const { north } = figure.networks;
  const leaks = await watchLeaks(scene);

  await t.test('a link goes down and up, then away and back, while egretd is dead', async () => {
    const flow = await steadyFlow(scene, 'alpha', 'north', 1000);
    await egret.killDaemon();
    await figure.gateway.ip('link set wan0 down');
    await sleep(300);
    await figure.gateway.ip('link set wan0 up');
    // BIRD's session went down with the link, so there is no route for answers; but everything is still
    // sent northward.
    await flow.advances(500);
    await flow.finish();
    await figure.gateway.ip('link delete wan0');
    await sleep(300);
    await newUplink();
    await sleep(300);
    await egret.launch();
    await comesBack(t, scene);
  });

  await t.test(
    'an interface is removed and added again while only the forwarder is dead',
    async () => {
      process.kill(await egret.forwarderPid(), 'SIGKILL');
      await figure.gateway.ip('link delete wan0');
      await newUplink();
      await comesBack(t, scene);
    },
  );

  await t.test('an interface is removed at the moment at which the forwarder dies', async (t) => {
    const flow = await steadyFlow(scene, 'beta', 'south', 1000);
    // egretd is stopped meanwhile, so that it learns of both at once.
    process.kill(egret.daemonPid, 'SIGSTOP');
    await egret.killForwarder();
    await figure.gateway.ip('link delete wan0');
    process.kill(egret.daemonPid, 'SIGCONT');
    await flow.advances(500); // more than was on its way: south continues
    await flow.finish();
    await newUplink();
    await comesBack(t, scene);
  });

  await t.test('a forwarder on an arena that was removed is replaced', async (t) => {
    const forwarder = await egret.forwarderPid();
    await egret.killDaemon();
    await rm(await readlink(join(egret.runDir, 'arena')));
    await egret.launch();
    t.match(egret.log(), /"reason":"it works on another arena"/);
    t.notOk(isRunning(forwarder), 'the old one has exited');
    await comesBack(t, scene);
  });

  await t.test('a forwarder that does not answer is replaced', async (t) => {
    const forwarder = await egret.forwarderPid();
    await egret.killDaemon();
    process.kill(forwarder, 'SIGSTOP');
    await egret.launch();
    t.notOk(isRunning(forwarder), 'the old one has exited');
    await comesBack(t, scene);
  });

  await t.test('a start that fails leaves the guard of the previous instance', async (t) => {
    const forwarder = await egret.forwarderPid();
    await egret.killDaemon();
    process.kill(forwarder, 'SIGKILL');
    const arena = await readlink(join(egret.runDir, 'arena'));
    await rm(arena);
    const folders = ['--config', egret.configDir, '--run-dir', egret.runDir];
    const states = ['--state-dir', egret.stateDir];
    // Which no program starts.
    const argv = [egretProgram, 'run', ...folders, ...states, '--forwarder', 'external'];
    const failed = await figure.gateway.run(argv, { statuses: 'any' });
    t.equal(failed.status, 1);
    t.match(failed.stderr, /The forwarder did not start: it does not listen/);
    t.notOk(existsSync(arena), 'and no arena');
    const { stdout } = await figure.gateway.run(['nft', 'list', 'tables']);
    t.match(stdout, /table inet egret_/);
    await egret.launch();
    await comesBack(t, scene);
  });

  await t.test(
    'a run directory that was deleted: the old forwarder does not continue next to the new one',
    async (t) => {
      const forwarder = await egret.forwarderPid();
      await egret.killDaemon();
      await rm(egret.runDir, { recursive: true });
      // Whose the routes in the tables are is forgotten, too.
      for (const { table } of Object.values(networks)) {
        await figure.gateway.ip(`route flush table ${table}`);
      }
      await egret.launch();
      t.notOk(isRunning(forwarder), 'the old one has exited');
      await comesBack(t, scene);
    },
  );

  await t.test('a full run directory costs the state file and nothing else', async (t) => {
    // A directory where the new file would be stands for a disk that takes none.
    const inTheWay = join(egret.runDir, 'state.json.new');
    await egret.killDaemon();
    await mkdir(inTheWay);
    await egret.launch();
    await comesBack(t, scene);
    t.match(egret.log(), /the state file was not written/);
    t.notMatch(egret.log(), /the kernel refused a change/);
    await rm(inTheWay, { recursive: true });
    const previous = join(egret.runDir, 'state.json');
    const { mtimeMs } = await stat(previous);
    await until('it is written again', async () => (await stat(previous)).mtimeMs > mtimeMs);
  });

  await t.test('a table that a network of the previous instance had is emptied', async (t) => {
    const inKernel = async (table: number): Promise<string> => {
      const argv = ['ip', 'route', 'show', 'table', String(table)];
      return (await figure.gateway.run(argv, { statuses: 'any' })).stdout;
    };
    const file = 'network-south.yaml';
    const text = await readFile(join(egret.configDir, file), 'utf8');
    const { table } = networks.south;
    for (const [before, after] of [
      [table, table + 1],
      [table + 1, table],
    ] as const) {
      t.match(await inKernel(before), prefix);
      await egret.killDaemon();
      await egret.writeConfig({ [file]: text.replace(String(table), String(after)) });
      // Without its history egretd reads the files.
      await rm(egret.stateDir, { recursive: true });
      await egret.launch();
      await until('the new table is filled', async () => (await inKernel(after)).includes(prefix));
      t.equal(await inKernel(before), '');
    }
    await comesBack(t, scene);
  });

  await t.test("at no moment did a packet leave with a client's source", async (t) => {
    await sawNoLeak(t, leaks);
  });

  async function newUplink(): Promise<void> {
    await lab.link(
      { host: north.router, name: 'up0', addresses: [`${router}/24`] },
      { host: figure.gateway, name: 'wan0', addresses: [`${gatewayUplink}/24`] },
    );
  }
});

function isRunning(pid: number): boolean {
  return existsSync(`/proc/${pid}/exe`);
}
