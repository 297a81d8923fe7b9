// SPDX-License-Identifier: Apache-2.0
/**
 * The life cycle of both processes: ends in order and out of order, at any moment, and the starts
 * after them.
 */
import { existsSync } from 'node:fs';
import { readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { test } from 'tap';
import { egretProgram } from '../lab/egret.ts';
import type { Host } from '../lab/namespace.ts';
import { until } from '../lab/process.ts';
import { hasEgressRoute, openScene } from './scene.ts';
import { comesBack, lostNothing, reaches, sawNoLeak, steadyFlow, watchLeaks } from './witness.ts';

const rootDir = fileURLToPath(new URL('../..', import.meta.url));

test('life cycle', async (t) => {
  let untouched: readonly string[] = [];
  const scene = await openScene(t, {
    clients: { alpha: { network: 'north' }, beta: { network: 'south' } },
    before: async ({ gateway }) => {
      await gateway.sysctl({ 'net.ipv4.ip_forward': 1 });
      untouched = await traces(gateway);
    },
  });
  const { figure, egret } = scene;
  const leaks = await watchLeaks(scene);

  const outside = async (): Promise<string[]> =>
    (await egret.show('sessions')).map((row) => `${row.protocol} ${row.inside} ${row.outside}`);

  await t.test('a second daemon on the same run directory exits 1', async (t) => {
    const argv = [egretProgram, 'run', '--config', egret.configDir, '--run-dir', egret.runDir];
    const second = await figure.gateway.run(argv, { statuses: 'any' });
    t.equal(second.status, 1);
    t.match(second.stderr, /Another egretd owns/);
    await reaches(t, scene);
  });

  await t.test('SIGUSR2 and a new run: no NOTIFICATION, not one packet lost', async (t) => {
    const flow = await steadyFlow(scene, 'alpha', 'north', 1000);
    const forwarder = await egret.forwarderPid();
    const daemon = egret.daemonPid;
    process.kill(daemon, 'SIGUSR2');
    await until('it ends', () => !isRunning(daemon), 10);
    await sleep(500);
    for (const name of ['north', 'south'] as const) t.ok(await hasEgressRoute(figure, name), name);
    await egret.launch();
    await comesBack(t, scene);
    t.equal(await egret.forwarderPid(), forwarder, 'the forwarder was adopted');
    await lostNothing(t, flow);
  });

  await t.test('SIGKILL at ten moments of a start, and a start that finds it all', async (t) => {
    const flow = await steadyFlow(scene, 'alpha', 'north', 1000);
    const forwarder = await egret.forwarderPid();
    const before = await outside();
    await egret.killDaemon();
    for (let i = 0; i < 10; i += 1) {
      const daemon = egret.begin();
      await sleep(30 + i * 100);
      await daemon.stop('SIGKILL');
    }
    await egret.launch();
    await comesBack(t, scene);
    t.equal(await egret.forwarderPid(), forwarder, 'the forwarder was adopted');
    const after = await outside();
    t.strictSame(
      before.filter((row) => row.startsWith('udp') && !after.includes(row)),
      [],
    );
    await lostNothing(t, flow);
  });

  await t.test('SIGKILL while a configuration is taken', async (t) => {
    const flow = await steadyFlow(scene, 'alpha', 'north', 1000);
    for (const delayMs of [0, 10, 60]) {
      await egret.writeConfig({ 'remark.yaml': `# ${delayMs}\n` });
      egret.reload();
      await sleep(delayMs);
      await egret.killDaemon();
      await egret.launch();
    }
    await comesBack(t, scene);
    await lostNothing(t, flow);
  });

  await t.test('both die at once, five times', async (t) => {
    for (let i = 0; i < 5; i += 1) {
      const forwarder = await egret.forwarderPid();
      process.kill(egret.daemonPid, 'SIGKILL');
      process.kill(forwarder, 'SIGKILL');
      await sleep(i * 60);
      await egret.launch();
      const up = await egret.show('networks');
      t.equal(up.length, 2);
    }
    await comesBack(t, scene);
  });

  await t.test('SIGTERM leaves nothing behind', async (t) => {
    const arena = (await arenaOf(egret.runDir)) || '';
    t.strictNotSame(await traces(figure.gateway), untouched, 'while it runs there is something');
    await egret.stop();
    t.strictSame(await traces(figure.gateway), untouched);
    t.strictSame((await readdir(egret.runDir)).sort(), ['lock', 'state.json']);
    t.notOk(existsSync(arena), 'the arena is removed');
  });

  await t.test('SIGTERM during the start leaves nothing behind either', async (t) => {
    let isCaught = false;
    for (let round = 0; round < 20 && !isCaught; round += 1) {
      const daemon = egret.begin();
      await until('there is an arena', () => arenaOf(egret.runDir), 1);
      process.kill(daemon.pid, 'SIGSTOP');
      isCaught = !existsSync(join(egret.runDir, 'status.sock'));
      process.kill(daemon.pid, 'SIGTERM');
      process.kill(daemon.pid, 'SIGCONT');
      t.match(await daemon.ended, { status: 0 });
      t.strictSame(await traces(figure.gateway), untouched);
    }
    t.ok(isCaught, 'it was not up yet');
  });

  await t.test('SIGTERM in the middle of a change leaves nothing behind either', async (t) => {
    for (const delayMs of [0, 5, 20]) {
      await egret.launch();
      await figure.gateway.run(['ip', 'link', 'add', 'change0', 'type', 'veth']);
      await sleep(delayMs);
      await egret.stop();
      await figure.gateway.run(['ip', 'link', 'del', 'change0']);
      t.strictSame(await traces(figure.gateway), untouched, `after ${delayMs} ms`);
    }
  });

  await t.test('a supervisor runs the forwarder', async (t) => {
    const daemon = egret.begin({ words: ['--forwarder', 'external'] });
    await until('there is an arena', () => arenaOf(egret.runDir));
    const forwarder = figure.gateway.start([
      join(rootDir, 'build', 'egret-forwarder'),
      ...['--arena', join(egret.runDir, 'arena'), '--socket', join(egret.runDir, 'forwarder.sock')],
      ...['--pid-file', join(egret.runDir, 'forwarder.pid')],
    ]);
    await comesBack(t, scene);
    t.ok(daemon.isRunning && forwarder.isRunning);
    await egret.stop();
  });

  await t.test("at no moment did a packet leave with a client's source", async (t) => {
    await sawNoLeak(t, leaks);
  });
});

function isRunning(pid: number): boolean {
  return existsSync(`/proc/${pid}/exe`);
}

function arenaOf(runDir: string): Promise<string | false> {
  return readlink(join(runDir, 'arena')).catch(() => false);
}

/** All that Egret changes in a namespace, and the processes in it. */
async function traces(gateway: Host): Promise<string[]> {
  const script = `
    nft list ruleset
    ip rule
    ip route show table all | grep -v 'table local'
    ip -d neigh show nud all | grep -E 'managed|PERMANENT'
    grep -r . /proc/sys/net/ipv4/conf /proc/sys/net/ipv4/fwmark_reflect \
      /proc/sys/net/ipv4/tcp_fwmark_accept /proc/sys/net/ipv6/conf 2>/dev/null
    ps -o comm= -p "$(ip netns pids "$0" | paste -sd,)" | grep -E '^(node|MainThread|egret)'
    true`;
  const { stdout } = await gateway.run(['sh', '-c', script, gateway.namespace]);
  return stdout.split('\n').sort();
}
