// SPDX-License-Identifier: Apache-2.0
/**
 * `kill -9` of the forwarder with a hundred thousand sessions, and with EGRET_FULL=1 a million: how
 * long no packet passes, and whether sessions and ports are what they were.
 */
import { readFile } from 'node:fs/promises';
import { test } from 'tap';
import { clientResource, documents, openScene } from '../appliance/scene.ts';
import { steadyFlow } from '../appliance/witness.ts';
import { egretProgram } from '../lab/egret.ts';
import { until } from '../lab/process.ts';

const isFull = process.env.EGRET_FULL === '1';
const sessionCount = isFull ? 1_000_000 : 100_000;
/** By which egretd may grow while it shows them. */
const growthBytesMax = 100 << 20;

test('the forwarder dies with many sessions', async (t) => {
  const scene = await openScene(t, {
    clients: { alpha: { network: 'north' } },
    // Each client address stays on one gateway address: 64 clients spread over four of them.
    replicas: { north: 4 },
    files: { 'crowd.yaml': documents(clientResource('crowd', ['10.20.30.128/26'], 'north')) },
    appliance: { limits: { sessions: 1.5 * sessionCount, routes: 20_000 } },
  });
  const { egret, figure } = scene;
  const { alpha } = figure.clients;
  const { north } = figure.networks;
  // Where the crowd's frames end: there is no answer, and no ICMP error comes back.
  await north.router.ip('route add blackhole 198.51.100.128/25');

  const crowd = {
    interface: 'eth0',
    sourceMac: await alpha.host.mac('eth0'),
    gatewayMac: await figure.gateway.mac('cli0'),
    firstSource: '10.20.30.128',
    sources: 64,
    firstRemote: '198.51.100.130',
    remotes: 10,
    firstPort: 2000,
    perSecond: 60_000,
  };
  const startMs = performance.now();
  // What a queue could not take is sent again: a session that exists stays as it is.
  for (let round = 0; (await egret.counter('sessions')) < sessionCount && round < 5; round += 1) {
    await alpha.agent.call('sendCrowd', { ...crowd, from: 0, count: sessionCount });
  }
  t.equal(await egret.counter('sessions'), sessionCount, 'every session is there');
  t.comment(`made in ${seconds(performance.now() - startMs)} s`);
  const flow = await steadyFlow(scene, 'alpha', 'north', 1000);

  /** Every session but for how long it has been idle, sorted: how many, and a digest of them. */
  const sessions = async (): Promise<string> => {
    const script =
      `"$0" --run-dir "$1" show sessions --json | sed 's/,"idleMs":.*//' | ` +
      `grep -o '"protocol".*' | LC_ALL=C sort > "$2"; wc -l < "$2"; sha256sum < "$2"`;
    const file = `${figure.gateway.folder}/sessions`;
    const argv = ['sh', '-c', script, egretProgram, egret.runDir, file];
    const { stdout } = await figure.gateway.run(argv);
    return stdout;
  };
  const heapBytes = await anonymousBytes(egret.daemonPid);
  const showMs = performance.now();
  const before = { sessions: await sessions(), pools: await egret.show('pools') };
  const shownMs = performance.now() - showMs;
  const growth = (await anonymousBytes(egret.daemonPid)) - heapBytes;
  t.equal(Number.parseInt(before.sessions, 10), sessionCount + 1, 'all are shown');
  t.comment(`shown in ${seconds(shownMs)} s, egretd grew by ${growth >> 20} MiB`);
  t.ok(growth < growthBytesMax, 'showing them takes a bounded amount of memory');
  const delayMs = (await egret.counter('loop_delay_microseconds_max')) / 1000;
  t.comment(`timers of egretd waited for ${delayMs} ms at most`);

  await t.test('and the next one has them all', async (t) => {
    const old = await egret.forwarderPid();
    const killedMs = performance.now();
    await egret.killForwarder();
    await until('another runs', async () => (await egret.forwarderPid()) !== old, 10);

    t.comment(`listens after ${seconds(performance.now() - killedMs)} s`);
    await flow.advances(1000); // more than was on its way
    const { up, down: back } = await flow.finish();
    t.comment(`silent for ${up.silenceMsMax} ms up, ${back.silenceMsMax} ms down`);
    t.equal(up.sources.length, 1, 'the same outside tuple');
    t.strictSame({ sessions: await sessions(), pools: await egret.show('pools') }, before);
    t.equal(await egret.counter('sessions'), sessionCount + 1);
    t.equal(await egret.counter('sessions_rebuilt'), sessionCount + 1);
  });
});

const seconds = (ms: number): string => (ms / 1000).toFixed(1);

/** Memory of a process without what it shares, e.g. the arena. */
async function anonymousBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'latin1');
  return Number(/^RssAnon:\s+(\d+) kB/m.exec(status)?.[1]) * 1024;
}
