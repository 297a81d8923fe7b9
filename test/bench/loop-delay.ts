// SPDX-License-Identifier: Apache-2.0
/**
 * How long egretd's timers wait while routes arrive: fifty networks with 60,000 prefixes each at once,
 * then a full table in one of them; and how many of the BGP sessions stayed up meanwhile.
 *
 *   EGRET_PREFIXES=FILE   the full table from a file, one a line, text or gzip; else made up
 *
 * Compared with what an idle Node process saw of the same machine in the same seconds.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { Egret } from '../lab/egret.ts';
import { Feed } from '../lab/feed.ts';
import { Lab } from '../lab/namespace.ts';
import { makePrefixes, readPrefixes } from '../lab/prefixes.ts';
import { until } from '../lab/process.ts';
import type { Row } from './row.ts';

const networkCount = 50;
const prefixCount = 60_000;

interface Delay {
  readonly maxMs: number;
  readonly p99Ms: number;
}

/** For each line that it reads, prints what it measured since the last one. */
const idleProgram = `
  const delay = require('node:perf_hooks').monitorEventLoopDelay({ resolution: 10 });
  delay.enable();
  process.stdin.on('data', () => {
    const ms = (ns) => Math.max(0, ns / 1e6 - 10);
    console.log(JSON.stringify({ maxMs: ms(delay.max), p99Ms: ms(delay.percentile(99)) }));
    delay.reset();
  });
`;

/** What the idle process saw since it was asked last. */
function floorOf(idle: ChildProcess): Promise<Delay> {
  return new Promise((resolve) => {
    idle.stdout!.once('data', (line) => resolve(JSON.parse(`${line}`) as Delay));
    idle.stdin!.write('\n');
  });
}

/** Lets what came before fall out of the recent delays (src/lib/loop-delay.ts). */
async function beginAnew(idle: ChildProcess): Promise<void> {
  await sleep(61_000);
  await floorOf(idle);
}

async function delayOf(egret: Egret): Promise<Delay> {
  return {
    maxMs: (await egret.counter('loop_delay_microseconds_max_recent')) / 1000,
    p99Ms: (await egret.counter('loop_delay_microseconds_p99')) / 1000,
  };
}

/** Waits until each of these networks has as many routes. @returns seconds that it took */
async function reaches(egret: Egret, names: readonly string[], count: number): Promise<number> {
  const startMs = performance.now();
  await until(
    `${count} routes in ${names.length} networks`,
    async () => {
      const rows = await egret.show('networks');
      return names.every((name) => rows.find((row) => row.name === name)?.routes === count);
    },
    1000,
  );
  return (performance.now() - startMs) / 1000;
}

export async function measureLoopDelay(): Promise<Row[]> {
  const path = process.env['EGRET_PREFIXES'];
  const full = path ? await readPrefixes(path) : makePrefixes(900_000, 901_899);
  const lab = await Lab.open();
  const idle = spawn(process.execPath, ['-e', idleProgram], { stdio: ['pipe', 'pipe', 'inherit'] });
  try {
    const feed = await Feed.open(lab, networkCount, 90);
    const limits = { sessions: 1000, routes: networkCount * prefixCount + full.length + 100_000 };
    const egret = await Egret.start(feed.gateway, { 'all.yaml': feed.config({ limits }) });
    await feed.established();
    const networks = Array.from({ length: networkCount }, (_, number) => number);
    const names = networks.map((number) => `net${number}`);
    await beginAnew(idle);

    await feed.announce(networks, full.slice(0, prefixCount));
    const manyS = await reaches(egret, names, prefixCount);
    const many = { ...(await delayOf(egret)), seconds: manyS, floor: await floorOf(idle) };

    await beginAnew(idle);
    await feed.announce([0], full);
    const fullS = await reaches(egret, names.slice(0, 1), full.length);
    const one = { ...(await delayOf(egret)), seconds: fullS, floor: await floorOf(idle) };

    const sessions = await feed.sessions();
    const stayed = sessions.filter((each) => each.isEstablished && each.opens === 1).length;
    const lost = sessions.length - stayed;
    const manyWhat = `${networkCount} networks × ${prefixCount} prefixes`;
    const oneWhat = `${full.length} prefixes in one of ${networkCount} networks`;
    return [
      ...delays(manyWhat, many),
      ...delays(oneWhat, one),
      { what: 'BGP sessions lost meanwhile', figure: lost, unit: `of ${sessions.length}` },
    ];
  } finally {
    idle.kill();
    await lab.close();
  }
}

/** The longest delay and the 99th percentile, compared with an idle loop's. */
function delays(what: string, seen: Delay & { readonly floor: Delay }): Row[] {
  return (['maxMs', 'p99Ms'] as const).map((key) => ({
    what: `event-loop delay, ${what}: ${key === 'maxMs' ? 'longest' : 'p99'}`,
    figure: seen[key],
    unit: 'ms',
    reference: { what: 'an idle loop', figure: seen.floor[key] },
  }));
}
