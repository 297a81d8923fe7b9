// SPDX-License-Identifier: Apache-2.0
/**
 * The build: after a change of one .c file, and `make -j2` from nothing without the network, compared
 * with one compiler run of the same file.
 */
import { mkdtemp, rm, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from '../lab/process.ts';
import { type Row, timed } from './row.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const changed = 'native/fib/fib.c';

export async function measureBuild(): Promise<Row[]> {
  const folder = await mkdtemp(join(tmpdir(), 'egret-bench-'));
  try {
    // What git knows of, as it is in the folder; packages are links to the same files.
    const copy = `git ls-files -z --cached --others --exclude-standard |
      xargs -0 sh -c 'for f; do [ ! -f "$f" ] || cp --parents "$f" ${folder}; done' sh &&
      cp -al node_modules ${folder} && touch ${folder}/node_modules`;
    await run(['sh', '-c', `cd ${root} && ${copy}`]);
    const make = ['make', '-s', '-j2', '-C', folder, 'build'];
    const [, wholeS] = await timed(() => run(make));
    const now = new Date();
    await utimes(join(folder, changed), now, now);
    const [, oneS] = await timed(() => run(make));
    const compile = ['gcc', '-O2', '-g', '-D_GNU_SOURCE', `-I${folder}/native`, '-c'];
    const [, gccS] = await timed(() =>
      run([...compile, join(folder, changed), '-o', join(folder, 'one.o')]),
    );
    return [
      { what: 'make -j2 from nothing', figure: wholeS, unit: 's' },
      {
        what: `make after a change of ${changed}`,
        figure: oneS,
        unit: 's',
        reference: { what: 'gcc of the file alone', figure: gccS },
      },
    ];
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
