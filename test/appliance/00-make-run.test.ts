// SPDX-License-Identifier: Apache-2.0
/**
 * What `make run` promises after the build: without a terminal it shows which client reached which
 * network, and exits; at a terminal it opens a prompt in the gateway. Both run at the same time here.
 */
import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { type Test, test } from 'tap';
import { start } from '../lab/process.ts';

const program = fileURLToPath(new URL('../lab/run.sh', import.meta.url));

test('make run', { jobs: 2 }, async (t) => {
  await Promise.all([
    t.test('without a terminal', async (t) => {
      const lab = start([program]);
      lab.child.stdin?.end();
      t.match(await lab.ended, { status: 0 });
      showsResult(t, lab.output());
      t.strictSame(leftBehind(`eg${lab.pid}-`), []);
    }),
    t.test('at a terminal', async (t) => {
      const lab = start(['env', '-u', 'CI', '-u', 'ONCE', 'script', '-qec', program, '/dev/null']);
      lab.child.stdin?.write('egret show networks; ip -br link show ens5\n');
      lab.child.stdin?.write('exit\n');
      t.match(await lab.ended, { status: 0 });
      const output = lab.output().replaceAll('\r', '');
      showsResult(t, output);
      t.match(output, /^red +500 +yes +1 +1 +ens5 /m, 'egret works there');
      t.match(output, /^ens5@\S+ +UP/m, 'the prompt is in the gateway');
      const [prefix] = output.match(/eg\d+-\d+-/) ?? [];
      t.ok(prefix, 'it says how to run a program at a client');
      t.strictSame(leftBehind(prefix ?? 'eg'), []);
    }),
  ]);
});

/** The table of who reached whom, and the routing tables: the kernel's and egret's are one. */
function showsResult(t: Test, output: string): void {
  t.match(output, /^client +destination +who answered +source address seen$/m);
  t.match(output, /^client-red +192\.0\.2\.10 +red +10\.50\.0\.2$/m);
  t.match(output, /^client-blue +192\.0\.2\.10 +blue +10\.50\.0\.4$/m);
  for (const [table, device] of Object.entries({ 500: 'ens5', 501: 'ens6' })) {
    const route = `192.0.2.0/24 via 172.16.1.140 dev ${device} proto bird`;
    const kernel = printedBy(output, `ip route show table ${table}`);
    t.equal(kernel, route);
    t.equal(printedBy(output, `egret show route table ${table}`), kernel);
  }
}

/** The line after a command. */
function printedBy(output: string, command: string): string {
  const lines = output.split('\n');
  return lines[lines.indexOf(`$ ${command}`) + 1]?.trimEnd() ?? '';
}

/** What bears a lab's prefix on this machine. */
function leftBehind(prefix: string): string[] {
  const names = [...readdirSync('/run/netns'), ...readdirSync(tmpdir())];
  return names.filter((name) => name.startsWith(prefix));
}
