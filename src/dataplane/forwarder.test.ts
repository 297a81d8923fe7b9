import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { systemClock } from '../lib/clock.ts';
import { silentLog } from '../lib/log.ts';
import { ArenaDataPlane } from './arena.ts';
import { Forwarder } from './forwarder.ts';

/** Processes that have this word on their command line; one that has ended has none. */
function processesWith(word: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(word);
    } catch {
      return false;
    }
  });
}

test.each([
  ['before', async () => {}],
  ['just after', async () => void (await setImmediate())],
])('an orderly stop %s a forwarder is started leaves none', async (_, pause) => {
  const dir = mkdtempSync('/dev/shm/egret-test-');
  const arenaPath = join(dir, 'arena');
  const limits = {
    ...{ sessions: 16, bindings: 16, networks: 4, plies: 64, groups: 16, neighbors: 16 },
    ...{ clients: 16, rules: 16, rule_addresses: 16 },
  };
  const dataPlane = ArenaDataPlane.open(join(dir, 'link'), arenaPath, limits, () => true);
  const forwarder = new Forwarder({
    socketPath: join(dir, 'forwarder.sock'),
    pidPath: join(dir, 'forwarder.pid'),
    arenaPath,
    isExternal: false,
    heartbeatNs: () => dataPlane.forwarderHeartbeatNs(),
    clock: systemClock,
    log: silentLog,
  });
  try {
    const started = forwarder.start();
    await pause();
    await forwarder.stop();
    await started;
    // Long enough to start and to listen, had it been left alone.
    await sleep(500);
    expect(processesWith(arenaPath)).toEqual([]);
  } finally {
    dataPlane.close();
    for (const pid of processesWith(arenaPath)) process.kill(Number(pid));
    rmSync(dir, { recursive: true });
  }
});
