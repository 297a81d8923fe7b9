// SPDX-License-Identifier: Apache-2.0
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { type Clock, systemClock } from '../lib/clock.ts';
import { makeLog, silentLog } from '../lib/log.ts';
import { Forwarder } from './forwarder.ts';
import { forwarderPath } from './native.ts';
import { openArena } from './open-arena.ts';

/** Processes that have this word on their command line; one that has exited has none. */
function processesWith(word: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(word);
    } catch {
      return false;
    }
  });
}

/** A forwarder on an arena of its own. Runs `use`, and leaves nothing. */
async function withForwarder(
  clock: Clock,
  use: (forwarder: Forwarder, arenaPath: string) => Promise<void>,
): Promise<void> {
  const dir = mkdtempSync('/dev/shm/egret-test-');
  const arenaPath = join(dir, 'arena');
  const limits = {
    ...{ sessions: 16, bindings: 16, networks: 4, plies: 64, groups: 16, neighbors: 16 },
    ...{ clients: 16, rules: 16, rule_addresses: 16 },
  };
  const dataPlane = await openArena({
    linkPath: join(dir, 'link'),
    sharedPath: arenaPath,
    limits,
    isEnough: () => true,
    stopForwarder: async () => {},
    log: silentLog,
  });
  const forwarder = new Forwarder({
    socketPath: join(dir, 'forwarder.sock'),
    pidPath: join(dir, 'forwarder.pid'),
    arenaPath,
    isExternal: false,
    heartbeatNs: () => dataPlane.forwarderHeartbeatNs(),
    clock,
    log: silentLog,
  });
  try {
    await use(forwarder, arenaPath);
  } finally {
    dataPlane.close();
    for (const pid of processesWith(arenaPath)) process.kill(Number(pid), 'SIGKILL');
    rmSync(dir, { recursive: true });
  }
}

test.each([
  ['before', async () => {}],
  ['just after', async () => void (await setImmediate())],
])('an orderly stop %s a forwarder is started leaves none', (_, pause) =>
  withForwarder(systemClock, async (forwarder, arenaPath) => {
    const started = forwarder.start();
    await pause();
    await forwarder.stop();
    await started;
    // Long enough to start and to listen, had it been left alone.
    await sleep(500);
    expect(processesWith(arenaPath)).toEqual([]);
  }),
);

test('an orderly stop of a forwarder that does not answer leaves none either', () => {
  // Ten times as fast, so that timeouts of seconds are short.
  const clock = { ...systemClock, nowMs: () => 10 * systemClock.nowMs() };
  return withForwarder(clock, async (forwarder, arenaPath) => {
    await forwarder.start();
    process.kill(forwarder.pid!, 'SIGSTOP');
    await forwarder.stop();
    expect(processesWith(arenaPath)).toEqual([]);
  });
});

test('its log lines have the form of those of egretd', () => {
  const argv = ['--arena', '/nonexistent', '--socket', '/nonexistent'];
  const { stderr } = spawnSync(forwarderPath, argv, { encoding: 'utf8' });
  let own = '';
  const log = makeLog('info', (line) => {
    own = line;
    return true;
  });
  log.error({ pid: 1, name: 'egret-forwarder', reason: 'why' }, 'cannot map the arena');
  const form = (line: string): string =>
    line
      .replace(/"pid":\d+/, '"pid":1')
      .replace(/"time":"[\d:.T-]+Z"/, (time) => time.replace(/\d/g, '0'));
  const fields = (line: string): object => JSON.parse(form(line)) as object;
  expect(Math.abs(Date.parse(timeOf(stderr)) - Date.parse(timeOf(own)))).toBeLessThan(60_000);
  expect({ ...fields(stderr), reason: 'why' }).toEqual(fields(own));
});

const timeOf = (line: string): string => (JSON.parse(line) as { time: string }).time;
