// SPDX-License-Identifier: Apache-2.0
/**
 * The engine in memory, without sockets: what a packet costs, and what the FIB takes and answers. The
 * programs are native/bench/*.c; each prints `what | figure | unit` a line.
 */
import { fileURLToPath } from 'node:url';
import { run } from '../lab/process.ts';
import type { Row } from './row.ts';

const programs = ['pipeline_bench', 'fib_bench'];

export async function measureEngine(): Promise<Row[]> {
  const rows: Row[] = [];
  for (const program of programs) {
    const path = fileURLToPath(new URL(`../../build/bench/${program}`, import.meta.url));
    const { stdout } = await run([path]);
    for (const line of stdout.split('\n')) {
      const [what, figure, unit] = line.split(' | ').map((word) => word.trim());
      if (what && unit) rows.push({ what, figure: Number(figure), unit });
    }
  }
  return rows;
}
