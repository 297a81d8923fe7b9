// SPDX-License-Identifier: Apache-2.0
/**
 * A full table in one network while the other forwards: loaded, printed, filtered again by another
 * policy, flushed, loaded and flushed again, and a third time with a crash of egretd in between. Not a
 * packet is lost next door, and the memory of both processes comes back each time to what it was before
 * the first load. Speeds are printed, never judged: `make bench` has them.
 *
 *   EGRET_PREFIXES=FILE   prefixes from a file, one a line, text or gzip
 *   EGRET_FULL=1          900,000 made-up ones instead of 300,000
 */
import { test } from 'tap';
import {
  documents,
  kernelTable,
  networkResources,
  networks,
  openScene,
  prefix,
  server,
} from '../appliance/scene.ts';
import { makePrefixes, readPrefixes } from '../lab/prefixes.ts';
import { until } from '../lab/process.ts';
import { NumberedFlow, patientRounds } from '../lab/traffic.ts';

const seed = 901_899;
const growthMax = 1.1;

const lowerHalf = (text: string): boolean => Number(text.split('.')[0]) < 128;

test('a full table', async (t) => {
  const { EGRET_PREFIXES: path, EGRET_FULL: isFull } = process.env;
  const prefixes = path ? await readPrefixes(path) : makePrefixes(isFull ? 900_000 : 300_000, seed);
  t.comment(`${prefixes.length} prefixes, ${path ? 'from a file' : `seed ${seed}`}`);
  const scene = await openScene(t, {
    clients: { alpha: { network: 'north' }, beta: { network: 'south' } },
    birdNeighbor: { holdTimeS: 9 },
    bird: { announce: { web: [prefix], full: prefixes }, withdrawn: ['full'] },
    appliance: { limits: { sessions: 10_000, routes: 2_000_000 } },
  });
  const { figure, egret, bird } = scene;
  const all = prefixes.length + 1;
  const before = await egret.memoryBytes();
  t.comment(`before: ${inMiB(before)}`);

  const calm = await NumberedFlow.open(
    figure.clients.beta.agent,
    figure.networks.south.serverAgent,
    server,
    { packetsPerSecond: 1000 },
  );

  const north = async () => {
    const row = (await egret.show('networks')).find(({ name }) => name === 'north');
    return { routes: row?.routes, mirrored: row?.mirrored };
  };
  const neighbor = async () =>
    (await egret.show('neighbors')).find(({ network }) => network === 'north');
  /** @returns seconds until the routes were there, and until the kernel had them too */
  const reaches = async (count: number): Promise<[number, number]> => {
    const startMs = performance.now();
    let routesMs: number | undefined;
    await until(
      `${count} routes`,
      async () => {
        const now = await north();
        const nowMs = performance.now();
        routesMs = now.routes === count ? (routesMs ?? nowMs) : undefined;
        if (routesMs !== undefined && now.mirrored === count) return true;
        throw new Error(JSON.stringify(now));
      },
      500,
    );
    const endMs = performance.now();
    return [((routesMs ?? endMs) - startMs) / 1000, (endMs - startMs) / 1000];
  };
  const printDelay = async (what: string): Promise<void> => {
    const longest = await egret.counter('loop_delay_microseconds_max_recent');
    t.comment(`${what}: timers waited for ${(longest / 1000).toFixed(1)} ms at most`);
  };

  let lifeBeganMs = performance.now();
  const isOneSession = async (what: string): Promise<void> => {
    const { sinceMs = 0, lastError } = (await neighbor()) ?? {};
    t.ok(sinceMs >= performance.now() - lifeBeganMs, `${what}: one BGP session, ${lastError}`);
  };

  const load = async (what: string): Promise<void> => {
    await bird.announce('full');
    const [routes, mirrored] = await reaches(all);
    t.equal((await neighbor())?.received, all, 'routes = mirrored = announced');
    const memory = inMiB(await egret.memoryBytes());
    t.pass(`${what}: routes in ${seconds(routes)}, mirrored in ${seconds(mirrored)}, ${memory}`);
  };
  const flush = async (what: string): Promise<void> => {
    await bird.withdraw('full');
    const [routes, mirrored] = await reaches(1);
    t.pass(`${what}: flushed in ${seconds(routes)}, the mirror in ${seconds(mirrored)}`);
    let memory = await egret.memoryBytes();
    const isBack = (): boolean =>
      memory.daemon <= before.daemon * growthMax &&
      memory.forwarder <= before.forwarder * growthMax;
    await until(
      'memory is back',
      async () => {
        memory = await egret.memoryBytes();
        return isBack();
      },
      500,
    ).catch(() => {});
    t.ok(isBack(), `${what}: memory comes back, ${inMiB(memory)}`);
  };

  await load('cycle 1');
  await printDelay('load');
  await t.test('all of it printed', async (t) => {
    const words = ['show', 'route', 'network', 'north', '--json'];
    const { stdout } = await egret.ask(words);
    const learned = stdout.match(/"protocol":"bgp"/g)?.length;
    t.equal(learned, all, `${(stdout.length / 2 ** 20).toFixed(0)} MiB of JSON`);
  });
  await printDelay('show route --json');
  await t.test('another policy, and the old one again', async (t) => {
    const filter = {
      apiVersion: 'projectcalico.org/v3',
      kind: 'BGPFilter',
      metadata: { name: 'lower-half' },
      spec: { importV4: [{ action: 'Reject', matchOperator: 'In', cidr: '128.0.0.0/1' }] },
    };
    const filtered = networkResources('north', { filters: ['lower-half'] });
    await egret.writeConfig({ 'network-north.yaml': documents(...filtered, filter) });
    egret.reload();
    await reaches([...prefixes, prefix].filter(lowerHalf).length);
    t.equal((await neighbor())?.received, all, 'what the policy refuses is received all the same');
    await egret.writeConfig({ 'network-north.yaml': documents(...networkResources('north')) });
    egret.reload();
    await reaches(all);
  });
  await printDelay('policy change');
  await flush('cycle 1');
  await load('cycle 2');
  await flush('cycle 2');
  await load('cycle 3');
  await printDelay('three loads');
  await isOneSession('until the crash');
  await t.test('a crash of egretd: adopted, and the mirror reconciled', async (t) => {
    await egret.killDaemon();
    const startMs = performance.now();
    await egret.launch();
    await reaches(all);
    t.pass(`reconciled ${seconds((performance.now() - startMs) / 1000)} after the start`);
    t.strictSame(await difference(), { missing: 0, stale: 0 }, 'the kernel holds just these');
    t.equal(await bird.state('egret'), 'Established');
  });
  lifeBeganMs = performance.now();
  await printDelay('restart');
  await flush('cycle 3');
  await printDelay('last flush');
  await isOneSession('since the crash');

  const { up, down } = await calm.finish(patientRounds);
  t.match(up, { missingCount: 0, duplicates: 0, refused: 0 }, `up: ${up.sent} numbers`);
  t.match(down, { missingCount: 0, duplicates: 0, refused: 0 }, `down: ${down.sent} numbers`);

  /** The kernel's table against what BIRD announces. */
  async function difference(): Promise<{ missing: number; stale: number }> {
    const lines = await kernelTable(scene, networks.north.table);
    const kernel = new Set(lines.map((line) => withLength(line.split(' ')[0] ?? '')));
    const wanted = [...prefixes, prefix];
    const missing = wanted.filter((text) => !kernel.has(text)).length;
    return { missing, stale: kernel.size - (wanted.length - missing) };
  }
});

/** iproute2 prints a host route without its length. */
function withLength(text: string): string {
  return text.includes('/') ? text : `${text}/32`;
}

function seconds(count: number): string {
  return `${count.toFixed(1)} s`;
}

function inMiB(memory: { readonly daemon: number; readonly forwarder: number }): string {
  const [daemon, forwarder] = [memory.daemon, memory.forwarder].map((b) =>
    (b / 2 ** 20).toFixed(0),
  );
  return `egretd ${daemon} MiB, forwarder ${forwarder} MiB`;
}
