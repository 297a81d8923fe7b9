// SPDX-License-Identifier: Apache-2.0
/**
 * `make bench`: measures everything several times, one after the other and then again, prints a table
 * of medians and writes build/bench.json.
 *
 *   ROWS='tcp idle'   only these; names are those of the list below
 *   RUNS=5            how often each is measured; default 3
 *
 * A fixed loop runs before and after each measurement. How much its times differ is the noise of the
 * machine: figures that differ less mean nothing.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { measureApplies } from './applies.ts';
import { measureBuild } from './build.ts';
import { measureEngine } from './engine.ts';
import { measureForwarderKilled } from './forwarder-killed.ts';
import { measureFullTable } from './full-table.ts';
import { measureIdle } from './idle.ts';
import { measureLoopDelay } from './loop-delay.ts';
import { measureReload } from './reload.ts';
import { type Bench, median, type Row } from './row.ts';
import { measureTcp } from './tcp.ts';

const benches: Readonly<Record<string, Bench>> = {
  'full-table': measureFullTable,
  'loop-delay': measureLoopDelay,
  'forwarder-killed': measureForwarderKilled,
  reload: measureReload,
  applies: measureApplies,
  tcp: measureTcp,
  engine: measureEngine,
  idle: measureIdle,
  build: measureBuild,
};

interface Measured {
  readonly bench: string;
  readonly runs: Row[];
}

/** Milliseconds of a loop that is always the same. */
function fixedLoopMs(): number {
  const startMs = performance.now();
  let state = 1;
  for (let i = 0; i < 50_000_000; i += 1) state = (Math.imul(state, 1664525) + 1013904223) | 0;
  return performance.now() - startMs + (state & 0);
}

const names = (process.env['ROWS'] ?? '').split(/[\s,]+/).filter(Boolean);
const wanted = names.length > 0 ? names : Object.keys(benches);
const unknown = wanted.filter((name) => !(name in benches));
if (unknown.length > 0) {
  throw new Error(`There is no ${unknown.join(', ')} among ${Object.keys(benches).join(' ')}.`);
}
const runs = Number(process.env['RUNS'] || 3);

const machine = {
  processor: `${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}`,
  memoryGiB: Math.round(totalmem() / 2 ** 30),
  kernel: release(),
  node: process.version,
  commit: execFileSync('git', ['describe', '--always', '--dirty'], { encoding: 'utf8' }).trim(),
  loadBefore: loadavg()[0],
};
const loopMs: number[] = [fixedLoopMs()];
const measured = new Map<string, Measured>();
for (let round = 1; round <= runs; round += 1) {
  for (const name of wanted) {
    console.error(`# ${name}, ${round} of ${runs}`);
    for (const row of (await benches[name]?.()) ?? []) {
      const key = `${name}: ${row.what}`;
      const kept = measured.get(key) ?? { bench: name, runs: [] };
      kept.runs.push(row);
      measured.set(key, kept);
    }
    loopMs.push(fixedLoopMs());
  }
}

const rows = [...measured.values()].map(({ bench, runs: each }) => {
  const [first] = each;
  const reference = each.flatMap((row) => (row.reference ? [row.reference.figure] : []));
  return {
    bench,
    what: first?.what ?? '',
    unit: first?.unit ?? '',
    median: median(each.map((row) => row.figure)),
    runs: each.map((row) => row.figure),
    ...(first?.reference
      ? { reference: { what: first.reference.what, median: median(reference), runs: reference } }
      : {}),
  };
});
const noise = { loopMsMedian: median(loopMs), loopMsMax: Math.max(...loopMs), loopMs };
mkdirSync('build', { recursive: true });
writeFileSync('build/bench.json', `${JSON.stringify({ machine, noise, rows }, null, 2)}\n`);
print();

function print(): void {
  const figure = (value: number): string =>
    value >= 100 ? value.toFixed(0) : value >= 1 ? value.toFixed(1) : value.toFixed(3);
  const lines = rows.map((row) => [
    row.what,
    `${figure(row.median)} ${row.unit}`,
    `${figure(Math.min(...row.runs))} to ${figure(Math.max(...row.runs))}`,
    row.reference ? `${figure(row.reference.median)} ${row.unit}  ${row.reference.what}` : '',
  ]);
  const table = [['', 'median', 'runs', 'compared with'], ...lines];
  const widths = [0, 1, 2].map((at) => Math.max(...table.map((line) => line[at]?.length ?? 0)));
  for (const line of table) {
    console.log(
      line
        .map((cell, at) => cell.padEnd(widths[at] ?? 0))
        .join('  ')
        .trimEnd(),
    );
  }
  const { processor, memoryGiB, kernel, node, commit } = machine;
  console.log(`\n${processor}, ${memoryGiB} GiB, Linux ${kernel}, Node ${node}, ${commit}`);
  const percent = (100 * (noise.loopMsMax / Math.min(...loopMs) - 1)).toFixed(0);
  console.log(`noise: a fixed loop took up to ${percent} % longer than at best`);
}
