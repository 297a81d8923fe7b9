// SPDX-License-Identifier: Apache-2.0
/**
 * Upgrade of a running appliance with live traffic, to builds that share less and less with the one
 * before: a comment, the FIB's encoding, the session records, and records that cannot be converted.
 * docs/adr/0012-arena-compatibility.md says what each may cost.
 */
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { type Change, otherBuild } from '../lab/build.ts';
import { egretProgram } from '../lab/egret.ts';
import { until } from '../lab/process.ts';
import { openScene } from './scene.ts';
import { comesBack, lostNothing, sawNoLeak, steadyFlow, watchLeaks } from './witness.ts';

const comment: Change[] = [
  ['nat/session_record.h', '// A session, one cache line.', '// A session: one cache line.'],
  ['fib/fib.h', '// Longest-prefix match,', '// Longest prefix match,'],
];
/** A leaf's length takes one more bit, its group one less. */
const encoding: Change[] = [
  ['fib/fib.h', 'FIB_LENGTH_BITS = 6', 'FIB_LENGTH_BITS = 7'],
  ['fib/fib.h', 'FIB_GROUP_MAX = 1 << 25', 'FIB_GROUP_MAX = 1 << 24'],
];
const grown: Change[] = [
  ['arena/arena.h', 'ARENA_RECORD_VERSION = 1', 'ARENA_RECORD_VERSION = 2'],
  [
    'nat/session_record.h',
    'F(uint32_t, binding, "record index")',
    'F(uint32_t, binding, "record index") F(uint32_t, packets, "since the version before")',
  ],
];

test('upgrade', async (t) => {
  const scene = await openScene(t, {
    clients: { alpha: { network: 'north' }, beta: { network: 'south' } },
    before: async ({ gateway }) => gateway.sysctl({ 'net.ipv4.ip_forward': 1 }),
  });
  const { egret, figure } = scene;
  const leaks = await watchLeaks(scene);
  const { folder } = figure.gateway;
  const flow = await steadyFlow(scene, 'alpha', 'north', 1000);

  const sessions = async (): Promise<string[]> =>
    (await egret.show('sessions')).map((row) => `${row.inside} ${row.outside}`).sort();

  /** Replaces egretd by another build's. @returns whether the forwarder stayed */
  const upgrade = async (program: string): Promise<boolean> => {
    const forwarder = await egret.forwarderPid();
    await egret.killDaemon();
    await egret.launch({ program });
    await egret.ready(['north', 'south']);
    return (await egret.forwarderPid()) === forwarder;
  };

  /** Every session of `before` is there, with its outside port, and the flow continues. */
  const isAlive = async (t: Test, before: readonly string[]): Promise<void> => {
    const after = await sessions();
    t.strictSame(
      before.filter((session) => !after.includes(session)),
      [],
      `all ${before.length} sessions are alive`,
    );
    const { down } = await flow.now();
    await until('it continues', async () => (await flow.now()).down.received > down.received + 500);
  };

  await t.test('a comment changed: adopted, and not one number is lost', async (t) => {
    const program = await otherBuild(join(folder, 'comment'), comment);
    const mine = await steadyFlow(scene, 'beta', 'south', 1000);
    const before = await sessions();
    t.ok(await upgrade(program), 'the forwarder is adopted');
    await isAlive(t, before);
    await lostNothing(t, mine);
  });

  await t.test("the FIB's encoding changed: new tables, every session alive", async (t) => {
    const program = await otherBuild(join(folder, 'encoding'), encoding);
    const before = await sessions();
    t.notOk(await upgrade(program), 'the forwarder is replaced');
    t.match(egret.log(), /"sessions":[1-9]\d*,.*its sessions are kept/);
    await isAlive(t, before);
    t.equal(await egret.counter('sessions_rebuilt'), before.length);
    await comesBack(t, scene);
  });

  await t.test('records grown by a field: converted, every session alive', async (t) => {
    const program = await otherBuild(join(folder, 'grown'), grown);
    const before = await sessions();
    t.notOk(await upgrade(program), 'the forwarder is replaced');
    t.match(egret.log(), /"recordVersion":1,.*its sessions are kept/);
    await isAlive(t, before);
    t.equal(await egret.counter('sessions_rebuilt'), before.length);
    await comesBack(t, scene);
  });

  await t.test('the flow had one outside tuple through all of that', async (t) => {
    const { up, down } = await flow.finish();
    t.equal(up.sources.length, 1);
    t.equal(up.duplicates + down.duplicates, 0);
  });

  await t.test(
    'back to a build that does not know the records: it says what it costs',
    async (t) => {
      const { length } = await sessions();
      t.ok(length > 0);
      t.notOk(await upgrade(egretProgram), 'the forwarder is replaced');
      t.match(
        egret.log(),
        /"sessions":[1-9]\d*,"reason":"records of version 2 .*its sessions are lost/,
      );
      await comesBack(t, scene);
    },
  );

  await t.test("at no moment did a packet leave with a client's source", async (t) => {
    await sawNoLeak(t, leaks);
  });
});
