// SPDX-License-Identifier: Apache-2.0
/**
 * Malice at the status socket and the command line: rubbish, endless requests, readers that never
 * read, readers that leave. egretd answers everybody else, and neither grows nor ends.
 */
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'tap';
import { seededRandom } from '../../src/lib/random.ts';
import { egretProgram } from '../lab/egret.ts';
import { until } from '../lab/process.ts';
import { networks, openScene, router } from './scene.ts';

const seed = 20240612;
const manyRoutes = Array.from({ length: 5_000 }, (_, i) => `10.${128 + (i >> 8)}.${i & 255}.0/24`);

function dial(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.off('error', reject);
      socket.on('error', () => {});
      resolve(socket);
    });
  });
}

/** Sends, and collects what comes until the end. */
async function exchange(path: string, bytes: Buffer): Promise<string> {
  const socket = await dial(path);
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk.toString();
  });
  socket.end(bytes);
  await new Promise<void>((resolve) => socket.once('close', () => resolve()));
  return text;
}

test('the status socket', async (t) => {
  const scene = await openScene(t, {
    clients: { alpha: { network: 'north' } },
    bird: { announce: { web: ['198.51.100.0/24'], many: manyRoutes } },
  });
  t.comment(`seed ${seed}`);
  const { egret, figure } = scene;
  const path = join(egret.runDir, 'status.sock');
  const pid = egret.daemonPid;
  await until('all routes are there', async () => {
    const north = (await egret.show('networks')).find(({ name }) => name === 'north');
    return (north?.routes ?? 0) > manyRoutes.length;
  });

  await t.test('rubbish is refused with a status, a message and nothing more', async (t) => {
    const random = seededRandom(seed);
    const below = (limit: number): number => Math.floor(random.next() * limit);
    const sound = '{"command":"show","view":"route","isJson":true,"route":{"network":"north"}}';
    const words = ['null', '[]', '{}', '"x"', '-1', 'true', '{"__proto__":{}}', '[[[]]]'];
    const lines = [
      ...words,
      ...words.map((word) => sound.replace('"north"', word)),
      ...words.map((word) => sound.replace('{"network":"north"}', word)),
      ...words.map((word) => sound.replace('"route"', word)),
      ...words.map((word) => `{"command":"why","client":${word},"destination":${word}}`),
      ...Array.from({ length: 200 }, () => {
        const bytes = Buffer.from(sound);
        for (let change = 0; change <= below(4); change += 1)
          bytes[below(bytes.length)] = below(256);
        return bytes.toString('latin1');
      }),
      ...Array.from({ length: 100 }, () =>
        Buffer.from(Array.from({ length: below(300) }, () => below(256))).toString('latin1'),
      ),
    ];
    for (const line of lines) {
      const answer = await exchange(path, Buffer.from(`${line}\n`, 'latin1'));
      if (answer === '') continue; // the line had an end of its own, or none
      const head = answer.slice(0, answer.indexOf('\n'));
      const { status } = JSON.parse(head) as { status: number };
      if (![0, 1, 3].includes(status)) t.fail(`${line}: ${head}`);
    }
    t.equal(egret.daemonPid, pid);
  });

  await t.test('endless requests and readers that never read take no memory', async (t) => {
    const line = `${JSON.stringify({ command: 'show', view: 'route', isJson: true })}\n`;
    const deaf = await Promise.all(Array.from({ length: 40 }, () => dial(path)));
    for (const socket of deaf) {
      socket.pause();
      socket.write(line);
    }
    const slow = await Promise.all(Array.from({ length: 40 }, () => dial(path)));
    for (const socket of slow) socket.write('{');
    await sleep(1_000);
    // Each of them holds one chunk of its answer; from here on nothing may grow.
    const before = await egret.memoryBytes();
    t.ok(before.daemon < 400 << 20, `${before.daemon >> 20} MiB`);
    const endless = await dial(path);
    endless.write(line);
    const chunk = Buffer.alloc(1 << 20, 'x');
    // 400 MiB, or until egretd takes no more.
    for (let sent = 0; sent < 400 && !endless.writableNeedDrain; sent += 1) {
      endless.write(chunk);
      for (let wait = 0; wait < 100 && endless.writableNeedDrain; wait += 1) await sleep(5);
    }
    const unended = await exchange(path, Buffer.alloc(1 << 20, 'x'));
    t.equal(unended, '', 'a request without end is not answered');
    const after = await egret.memoryBytes();
    t.ok(after.daemon - before.daemon < 128 << 20, `${(after.daemon - before.daemon) >> 20} MiB`);
    const rows = await egret.show('route', 'network', 'north');
    t.ok(rows.length > manyRoutes.length, 'the others are answered meanwhile');
    for (const socket of [endless, ...deaf, ...slow]) socket.destroy();
  });

  await t.test('a crowd is turned away, and then all is as before', async (t) => {
    const crowd = await Promise.allSettled(Array.from({ length: 400 }, () => dial(path)));
    for (const one of crowd) if (one.status === 'fulfilled') one.value.destroy();
    await until('it answers', async () => (await egret.ask(['show', 'networks'])).status === 0);
    t.equal(egret.daemonPid, pid);
  });

  await t.test('a reader that closes early harms no other', async (t) => {
    const command = `${egretProgram} --run-dir ${egret.runDir} show route --json | head -c 10; echo " \${PIPESTATUS[@]}"`;
    const { stdout } = await figure.gateway.run(['bash', '-c', command]);
    t.equal(stdout, '{"schema": 0 0\n');
    t.equal(egret.daemonPid, pid);
  });

  await t.test('odd arguments are usage errors', async (t) => {
    const odd: [number, string[]][] = [
      [1, ['show']],
      [1, ['show', 'everything']],
      [1, ['show', 'networks', 'more']],
      [1, ['show', 'route', 'table']],
      [1, ['show', 'route', 'table', 'x'.repeat(10_000)]],
      [3, ['show', 'route', 'table', '4294967295']],
      [3, ['show', 'route', 'network', '../../etc']],
      [3, ['show', 'route', 'table', `${networks.north.table}`, router]],
      [1, ['show', 'route', '300.1.1.1']],
      [1, ['show', 'route', '10.0.0.0/33']],
      [1, ['why', '10.0.0.1']],
      [1, ['why', 'x', 'y']],
      [1, ['--run-dir']],
      [1, ['--nonsense', 'show', 'networks']],
      [1, ['constructor']],
      [1, ['']],
    ];
    for (const [status, words] of odd) {
      const answer = await egret.ask(words, { statuses: 'any' });
      t.equal(answer.status, status, `${words.join(' ').slice(0, 60)}: ${answer.stderr}`);
      t.match(answer.stderr, /^egret: .+\n {2}\S/);
    }
    const dropped = await egret.ask(['why', '203.0.113.9', '198.51.100.10'], { statuses: 'any' });
    t.equal(dropped.status, 5, 'why on a drop');
    const elsewhere = await figure.gateway.run(
      [egretProgram, '--run-dir', '/nonexistent', 'show', 'networks'],
      { statuses: 'any' },
    );
    t.equal(elsewhere.status, 4);
    process.kill(pid, 'SIGSTOP');
    const asked = egret.ask(['show', 'networks'], { statuses: 'any', timeoutMs: 2_000 });
    t.not((await asked).status, 0, 'one that hangs does not seem to answer');
    process.kill(pid, 'SIGCONT');
    await until('it answers', async () => (await egret.ask(['show', 'networks'])).status === 0);
  });
});
