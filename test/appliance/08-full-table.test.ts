/**
 * A full table in one network while the other forwards: loaded, flushed, loaded again, and kept
 * through a crash of egretd, without a packet lost next door.
 *
 * EGRET_PREFIXES names a file of prefixes (text or gzip); without it 900,000 are made up.
 */
import { test } from 'tap';
import { makePrefixes, readPrefixes } from '../../images/lab/prefixes.ts';
import { until } from '../../images/lab/process.ts';
import { NumberedFlow } from '../../images/lab/traffic.ts';
import { kernelTable, networks, openScene, prefix, server } from './scene.ts';

const seed = 901_899;
const loadMs = 120_000;
const reconcileMs = 60_000;
const growthMax = 1.1;

test('a full table', { timeout: 300_000 }, async (t) => {
  const path = process.env['EGRET_PREFIXES'];
  const prefixes = path ? await readPrefixes(path) : makePrefixes(900_000, seed);
  t.comment(`${prefixes.length} prefixes, ${path ?? `seed ${seed}`}`);
  const scene = await openScene({
    clients: { alpha: { network: 'north' }, beta: { network: 'south' } },
    birdNeighbor: { holdTimeS: 9 },
    bird: { announce: { web: [prefix], full: prefixes }, withdrawn: ['full'] },
    appliance: { limits: { sessions: 10_000, routes: 2_000_000 } },
  });
  t.teardown(() => scene.lab.close());
  const { figure, egret, bird } = scene;
  const all = prefixes.length + 1;

  const calm = await NumberedFlow.open(
    figure.clients.beta.agent,
    figure.networks.south.serverAgent,
    server,
    { packetsPerSecond: 2000 },
  );

  const north = async () => {
    const row = (await egret.show('networks')).find(({ name }) => name === 'north');
    const neighbor = (await egret.show('neighbors')).find(({ network }) => network === 'north');
    return { routes: row?.routes, mirrored: row?.mirrored, received: neighbor?.received };
  };
  const reaches = async (count: number, timeoutMs: number): Promise<number> => {
    const startMs = performance.now();
    await until(
      `${count} routes`,
      async () => {
        const now = await north();
        if (now.routes === count && now.mirrored === count && now.received === count) return true;
        throw new Error(JSON.stringify(now));
      },
      timeoutMs,
      200,
    );
    return (performance.now() - startMs) / 1000;
  };

  const load = async (what: string): Promise<void> => {
    await bird.announce('full');
    const seconds = await reaches(all, loadMs);
    t.pass(`${what}: loaded in ${seconds.toFixed(1)} s, ${inMiB(await egret.memoryBytes())}`);
  };
  const flush = async (what: string): Promise<{ daemon: number; forwarder: number }> => {
    await bird.withdraw('full');
    const seconds = await reaches(1, loadMs);
    const memory = await egret.memoryBytes();
    t.pass(`${what}: flushed in ${seconds.toFixed(1)} s, ${inMiB(memory)}`);
    return memory;
  };

  await load('cycle 1');
  await t.test('a crash of egretd: adopted, and the mirror reconciled', async (t) => {
    await egret.killDaemon();
    const startMs = performance.now();
    await egret.launch(60_000);
    await reaches(all, reconcileMs);
    t.pass(`reconciled ${((performance.now() - startMs) / 1000).toFixed(1)} s after the start`);
    t.strictSame(await difference(), { missing: 0, stale: 0 }, 'the kernel holds just these');
    t.equal(await bird.state('egret'), 'Established');
  });
  const first = await flush('cycle 1');
  await load('cycle 2');
  await flush('cycle 2');
  await load('cycle 3');
  const last = await flush('cycle 3');
  t.ok(last.forwarder <= first.forwarder * growthMax, 'memory of the forwarder comes back');
  t.ok(last.daemon <= first.daemon * growthMax, 'memory of egretd comes back');

  const { up, down } = await calm.finish();
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

function inMiB(memory: { readonly daemon: number; readonly forwarder: number }): string {
  const [daemon, forwarder] = [memory.daemon, memory.forwarder].map((b) =>
    (b / 2 ** 20).toFixed(0),
  );
  return `egretd ${daemon} MiB, forwarder ${forwarder} MiB`;
}
