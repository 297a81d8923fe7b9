// SPDX-License-Identifier: Apache-2.0
/**
 * A full table from BIRD: until it forwards, until the kernel's table holds it too, and until it is
 * withdrawn, compared with another BIRD that loads the same and with `ip -batch` into an empty table;
 * and the memory that it takes.
 *
 *   EGRET_PREFIXES=FILE   prefixes from a file, one a line, text or gzip; otherwise 300,000 made-up ones
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gatewayUplink, prefix, router } from '../appliance/scene.ts';
import { Bird } from '../lab/bird.ts';
import { Lab } from '../lab/namespace.ts';
import { makePrefixes, readPrefixes } from '../lab/prefixes.ts';
import { until } from '../lab/process.ts';
import { type Row, timed } from './row.ts';
import { withScene } from './with-scene.ts';

const seed = 901_899;
const pollMs = 20;

export async function measureFullTable(): Promise<Row[]> {
  const path = process.env['EGRET_PREFIXES'];
  const prefixes = path ? await readPrefixes(path) : makePrefixes(300_000, seed);
  const bird = await birdLoads(prefixes);
  const kernelS = await kernelLoads(prefixes);
  const options = {
    clients: { alpha: { network: 'north' } },
    bird: { announce: { web: [prefix], full: prefixes }, withdrawn: ['full'] },
    appliance: { limits: { sessions: 10_000, routes: 2_000_000 } },
  } as const;
  return withScene(options, async ({ egret, bird: sender }) => {
    const before = await egret.memoryBytes();
    const reach = async (key: 'routes' | 'mirrored', count: number): Promise<void> => {
      const has = async (): Promise<boolean> =>
        (await egret.show('networks')).some((row) => row.name === 'north' && row[key] === count);
      await until(`${count} ${key}`, has, pollMs);
    };
    const startMs = performance.now();
    const since = (): number => (performance.now() - startMs) / 1000;
    await sender.announce('full');
    await reach('routes', prefixes.length + 1);
    const forwardsS = since();
    await reach('mirrored', prefixes.length + 1);
    const mirroredS = since();
    const loaded = await egret.memoryBytes();
    const [, withdrawnS] = await timed(async () => {
      await sender.withdraw('full');
      await reach('mirrored', 1);
    });
    const what = `${prefixes.length} prefixes`;
    const mebibytes = (bytes: number): number => bytes / 2 ** 20;
    return [
      row(`${what}, until they forward`, forwardsS, 'BIRD loads them', bird.loadS),
      row(`${what}, until mirrored`, mirroredS, 'ip -batch of them', kernelS),
      row(`${what}, withdrawn`, withdrawnS, 'BIRD forgets them', bird.forgetS),
      {
        what: `${what}, memory of egretd`,
        figure: mebibytes(loaded.daemon),
        unit: 'MiB',
        reference: { what: 'without them', figure: mebibytes(before.daemon) },
      },
    ];
  });
}

function row(what: string, figure: number, peer: string, peerFigure: number): Row {
  return { what, figure, unit: 's', reference: { what: peer, figure: peerFigure } };
}

/** Two BIRDs: how long the second takes to have what the first announces, and to lose it again. */
async function birdLoads(
  prefixes: readonly string[],
): Promise<{ readonly loadS: number; readonly forgetS: number }> {
  const lab = await Lab.open();
  try {
    const { sender, receiver } = await lab.hosts('sender', 'receiver');
    await lab.link(
      { host: sender, name: 'up0', addresses: [`${router}/24`] },
      { host: receiver, name: 'up0', addresses: [`${gatewayUplink}/24`] },
    );
    const first = await Bird.start(sender, {
      routerId: router,
      localAs: 65010,
      neighbors: [{ name: 'peer', address: gatewayUplink, remoteAs: 65020 }],
      announce: { full: prefixes },
      withdrawn: ['full'],
    });
    const second = await Bird.start(receiver, {
      routerId: gatewayUplink,
      localAs: 65020,
      neighbors: [{ name: 'peer', address: router, remoteAs: 65010 }],
      announce: {},
    });
    await second.established('peer');
    const has = async (count: number): Promise<boolean> => {
      const text = await second.ask('show', 'route', 'protocol', 'peer', 'count');
      return Number(/^(\d+) of/.exec(text)?.[1]) === count;
    };
    const [, loadS] = await timed(async () => {
      await first.announce('full');
      await until('BIRD has them', () => has(prefixes.length), pollMs);
    });
    const [, forgetS] = await timed(async () => {
      await first.withdraw('full');
      await until('BIRD has none', () => has(0), pollMs);
    });
    return { loadS, forgetS };
  } finally {
    await lab.close();
  }
}

/** Seconds that the kernel takes for these routes, given in one batch. */
async function kernelLoads(prefixes: readonly string[]): Promise<number> {
  const lab = await Lab.open();
  try {
    const { table, next } = await lab.hosts('table', 'next');
    await lab.link(
      { host: table, name: 'up0', addresses: [`${gatewayUplink}/24`] },
      { host: next, name: 'up0', addresses: [`${router}/24`] },
    );
    const file = join(table.folder, 'routes');
    const lines = prefixes.map((each) => `route add ${each} via ${router} dev up0 table 500\n`);
    await writeFile(file, lines.join(''));
    const [, seconds] = await timed(() => table.run(['ip', '-batch', file]));
    return seconds;
  } finally {
    await lab.close();
  }
}
