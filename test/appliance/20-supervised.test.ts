// SPDX-License-Identifier: Apache-2.0
/**
 * Egret as systemd runs it: the forwarder is started first, by its own unit, and waits for the arena; both
 * have no more capabilities than their units leave them, and report that they are ready and alive.
 */
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { forwarderPath } from '../../src/dataplane/native.ts';
import { until } from '../lab/process.ts';
import { confinedAs, NotifySocket, Supervised, unitSetting } from '../lab/supervisor.ts';
import { openScene, type SceneOptions } from './scene.ts';
import { comesBack, lostNothing, sawNoLeak, steadyFlow, watchLeaks } from './witness.ts';

const options = {
  clients: { alpha: { network: 'north' }, beta: { network: 'south' } },
} as const satisfies SceneOptions<'alpha' | 'beta'>;

/** native/arena/arena.h: struct arena_preamble. */
const abiHashAt = 8;

/** Bits of capabilities(7), by name as in a unit. */
const capabilityBits: Readonly<Record<string, number>> = {
  ...{ CAP_CHOWN: 0, CAP_KILL: 5, CAP_SETGID: 6, CAP_SETUID: 7, CAP_NET_BIND_SERVICE: 10 },
  ...{ CAP_NET_ADMIN: 12, CAP_NET_RAW: 13 },
};

function statusOf(pid: number): Readonly<Record<string, string>> {
  const lines = readFileSync(`/proc/${pid}/status`, 'latin1').trimEnd().split('\n');
  return Object.fromEntries(lines.map((line) => line.split(/:\s+/, 2)));
}

function maskOf(names: readonly string[]): bigint {
  return names.reduce((mask, name) => mask | (1n << BigInt(capabilityBits[name]!)), 0n);
}

const capabilities = (pid: number): bigint => BigInt(`0x${statusOf(pid)['CapEff']}`);

/** The forwarder has a user of its own, one capability, and a filter of system calls. */
function isConfined(t: Test, pid: number): void {
  const { Uid, Gid, Groups, NoNewPrivs, Seccomp, CapPrm } = statusOf(pid);
  const users = `${Uid} ${Gid}`.split(/\s+/);
  t.equal(users.includes('0'), false, `it is no user or group of root's: ${users}`);
  t.equal(Groups?.trim() ?? '', '', 'in no other group');
  t.strictSame({ NoNewPrivs, Seccomp }, { NoNewPrivs: '1', Seccomp: '2' });
  t.equal(capabilities(pid), maskOf(['CAP_NET_ADMIN']));
  t.equal(BigInt(`0x${CapPrm}`), maskOf(['CAP_NET_ADMIN']));
}

test('supervised', async (t) => {
  const scene = await openScene(t, options);
  const { egret, figure } = scene;
  const { gateway } = figure;
  const leaks = await watchLeaks(scene);

  await t.test('a forwarder that egretd started is confined, too', async (t) => {
    await comesBack(t, scene);
    isConfined(t, await egret.forwarderPid());
  });
  await egret.stop();

  const notified = {
    egretd: new NotifySocket(join(gateway.folder, 'notify-egretd')),
    forwarder: new NotifySocket(join(gateway.folder, 'notify-forwarder')),
  };
  const has = (name: keyof typeof notified, line: string): number =>
    notified[name].received().filter((state) => state.split('\n').includes(line)).length;
  const forwarder = new Supervised(gateway, [
    ...confinedAs('egret-forwarder', notified.forwarder),
    ...[forwarderPath, '--wait', '--arena', join(egret.runDir, 'arena')],
    ...['--socket', join(egret.runDir, 'forwarder.sock')],
    ...['--pid-file', join(egret.runDir, 'forwarder.pid')],
  ]);
  t.teardown(async () => {
    await forwarder.stop();
    for (const socket of Object.values(notified)) socket.close();
  });
  const launch = (): Promise<void> =>
    egret.launch({
      before: [...confinedAs('egretd', notified.egretd), 'WATCHDOG_USEC=4000000'],
      words: ['--forwarder', 'external'],
    });

  await t.test('the forwarder is ready before there is an arena, and waits', async (t) => {
    await until('it says so', () => has('forwarder', 'READY=1') > 0);
    t.equal(has('forwarder', 'STATUS=waits for the arena of egretd'), 1);
    await until('and that it is alive', () => has('forwarder', 'WATCHDOG=1') >= 3);
  });

  await t.test('egretd makes it, and both forward', async (t) => {
    await launch();
    await comesBack(t, scene);
    t.equal(has('egretd', 'READY=1'), 1);
    await until(
      'it says how many networks',
      () => has('egretd', 'STATUS=2 of 2 networks ready') > 0,
    );
    t.equal(await egret.forwarderPid(), forwarder.pid, "the supervisor's forwarder");
    isConfined(t, forwarder.pid);
    const left = unitSetting('egretd', 'CapabilityBoundingSet').split(' ');
    t.equal(capabilities(egret.daemonPid), maskOf(left), 'egretd has what its unit leaves it');
  });

  await t.test('egretd dies: the forwarder is adopted, and not one number is lost', async (t) => {
    const flow = await steadyFlow(scene, 'alpha', 'north', 1000);
    const { pid } = forwarder;
    await egret.killDaemon();
    await launch();
    await egret.ready(['north', 'south']);
    t.equal(forwarder.pid, pid);
    await lostNothing(t, flow);
  });

  await t.test('the forwarder dies: the next one of the supervisor takes over', async (t) => {
    const { pid } = forwarder;
    await egret.killForwarder();
    await until('another one', () => forwarder.pid !== pid);
    await comesBack(t, scene);
    isConfined(t, forwarder.pid);
  });

  await t.test('both die, and the arena is of another build: it is replaced', async (t) => {
    const sessions = (await egret.show('sessions')).length;
    t.ok(sessions > 0);
    await egret.killDaemon();
    const arena = openSync(join(egret.runDir, 'arena'), 'r+');
    writeSync(arena, Buffer.from('anotherB'), 0, 8, abiHashAt);
    closeSync(arena);
    const { pid } = forwarder;
    await egret.killForwarder();
    await until('the forwarder cannot use it', () => forwarder.pid !== pid);
    await launch();
    await comesBack(t, scene);
    t.match(egret.log(), /its sessions are kept/);
    t.ok((await egret.counter('sessions_rebuilt')) >= sessions);
    t.equal(await egret.forwarderPid(), forwarder.pid);
  });

  await t.test('a reload is reported, and the loop beats', async (t) => {
    const [ready, beats] = [has('egretd', 'READY=1'), has('egretd', 'WATCHDOG=1')];
    egret.reload();
    await until('RELOADING', () => has('egretd', 'RELOADING=1') > 0);
    await until('READY again', () => has('egretd', 'READY=1') > ready);
    await until('more beats', () => has('egretd', 'WATCHDOG=1') >= beats + 3);
    process.kill(egret.daemonPid, 'SIGSTOP');
    const [last, others] = [has('egretd', 'WATCHDOG=1'), has('forwarder', 'WATCHDOG=1')];
    await until('the forwarder beats', () => has('forwarder', 'WATCHDOG=1') >= others + 5);
    t.equal(has('egretd', 'WATCHDOG=1'), last, 'a loop that hangs does not');
    process.kill(egret.daemonPid, 'SIGCONT');
  });

  await t.test('an orderly stop of egretd leaves a forwarder that waits', async (t) => {
    await egret.stop();
    t.equal(has('egretd', 'STOPPING=1'), 1);
    const waiting = has('forwarder', 'STATUS=waits for the arena of egretd');
    await until(
      'it waits',
      () => has('forwarder', 'STATUS=waits for the arena of egretd') > waiting,
    );
    await launch();
    await comesBack(t, scene);
    await egret.stop();
  });

  await t.test("at no moment did a packet leave with a client's source", (t) =>
    sawNoLeak(t, leaks),
  );
});
