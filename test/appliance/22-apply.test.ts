// SPDX-License-Identifier: Apache-2.0
/**
 * The configuration that runs and its history: applied under traffic, confirmed and reverted, after
 * crashes and after a reboot, by several at once, and by clients that mean harm.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'tap';
import { until } from '../lab/process.ts';
import { clientAddress, clientResource, documents, openScene, server, source } from './scene.ts';
import { comesBack, lostNothing, reaches, sawNoLeak, steadyFlow, watchLeaks } from './witness.ts';

interface HistoryRow {
  readonly number: number | null;
  readonly version: number;
  readonly who: string;
  readonly state: string;
  readonly message: string;
}

const alphaInSouth = documents(clientResource('alpha', [`${clientAddress(0)}/32`], 'south'));
const applies = 50;

test('apply', async (t) => {
  const scene = await openScene(t, {
    clients: { alpha: { network: 'north' }, beta: { network: 'south' } },
  });
  const { egret, figure } = scene;
  const { agent } = figure.clients.alpha;
  const leaks = await watchLeaks(scene);
  const alphaFile = 'client-alpha.yaml';
  const alphaInNorth = await readFile(join(egret.configDir, alphaFile), 'utf8');

  const say = async (...words: string[]) => egret.ask(words, { statuses: 'any' });
  const history = async (): Promise<HistoryRow[]> =>
    JSON.parse((await say('history', '--json')).stdout).rows;
  const inNetwork = (network: 'north' | 'south') =>
    until(`alpha is in ${network}`, async () => {
      return (await agent.ask('udp', server, 1000)).network === network;
    });
  const sessions = async (): Promise<string[]> =>
    (await egret.show('sessions'))
      .filter(({ protocol }) => protocol === 'udp')
      .map(({ inside, outside }) => `${inside} ${outside}`);

  await t.test(`${applies} applies that change nothing for a flow lose no packet`, async (t) => {
    const flow = await steadyFlow(scene, 'alpha', 'north', 2000);
    const before = await sessions();
    const up = await egret.show('neighbors');
    for (let i = 0; i < applies; i += 1) {
      const unrelated = documents(clientResource('more', [`10.99.0.${i}/32`], 'south'));
      const remark = `# ${i}\n`.repeat(i + 1);
      await egret.writeConfig({ 'client-more.yaml': i % 2 === 0 ? remark : unrelated });
      const { status, stdout } = await say('apply', '--message', `round ${i}`);
      if (status !== 0) t.fail(stdout);
    }
    await lostNothing(t, flow);
    const after = await sessions();
    t.strictSame(
      before.filter((row) => !after.includes(row)),
      [],
      'every session is there',
    );
    const times = (rows: typeof up) => rows.map(({ address, network }) => `${network} ${address}`);
    const now = await egret.show('neighbors');
    t.strictSame(times(now), times(up));
    t.ok(
      now.every((row, i) => row.sinceMs >= up[i]!.sinceMs && row.state === 'Established'),
      'and no neighbor was reset',
    );
    const rows = await history();
    t.equal(rows.length, 50, 'fifty versions are kept');
    t.match(rows[0], { number: 0, state: 'running', message: `round ${applies - 1}` });
  });

  await t.test('the same files again: nothing to do, and nothing is touched', async (t) => {
    const [generation, versions] = [await egret.generation(), await history()];
    const { status, stdout } = await say('apply');
    t.equal(status, 0);
    t.match(stdout, 'nothing to do');
    egret.reload();
    await until('SIGHUP says so, too', () => egret.log().includes('is the one that runs'));
    t.equal(await egret.generation(), generation);
    t.strictSame(await history(), versions);
  });

  await t.test('diff says what would happen, and apply does it', async (t) => {
    await agent.ask('udp', server, 1000);
    await figure.clients.beta.agent.ask('udp', server, 1000);
    await egret.writeConfig({ [alphaFile]: alphaInSouth });
    const asked = await say('diff');
    t.equal(asked.status, 0);
    t.match(asked.stdout, `--- a/${alphaFile}`);
    t.match(asked.stdout, /^-.*north/m);
    t.match(asked.stdout, /~ client \S*alpha: changed/);
    t.match(asked.stdout, /sessions: [1-9]\d* of \d+ end/);
    t.match(asked.stdout, `${clientAddress(0)}: `);
    t.notMatch(asked.stdout, 'neighbor');
    const { sessions } = JSON.parse((await say('diff', '--json')).stdout);
    t.ok(sessions.ending > 0 && sessions.ending < sessions.total, JSON.stringify(sessions));
    await inNetwork('north');
    const applied = await say('apply', '--message', 'alpha moves');
    t.match(applied.stdout, /version \d+ is in force/);
    t.match((await agent.ask('udp', server, 5000)).network, 'south', 'in force when it returns');
    t.match((await say('diff')).stdout, 'nothing would change');
  });

  await t.test('rollback leaves the files alone, and diff shows them', async (t) => {
    t.equal((await say('rollback', '--message', 'back')).status, 0);
    await inNetwork('north');
    t.equal(await readFile(join(egret.configDir, alphaFile), 'utf8'), alphaInSouth);
    t.match((await say('diff')).stdout, /^\+.*south/m);
    t.match((await history())[0], { message: /rollback to v\d+: back/ });
    t.equal((await say('rollback', '999')).status, 3);
    await egret.writeConfig({ [alphaFile]: alphaInNorth });
    t.match((await say('apply')).stdout, 'nothing to do', 'the bytes are those that run');
  });

  await t.test('what is not confirmed is reverted in place', async (t) => {
    await egret.writeConfig({ [alphaFile]: alphaInSouth });
    const { stdout } = await say('apply', '--confirm', '5s');
    t.match(stdout, /it is reverted at .* unless you say: egret confirm/);
    await inNetwork('south');
    await inNetwork('north');
    const late = await say('confirm');
    t.equal(late.status, 5);
    t.match(late.stderr, 'No configuration waits for confirm');
    t.match((await say('show', 'networks')).stderr, 'was reverted');
    t.match((await history())[0], { state: 'reverted', number: null });
    t.equal((await say('apply', '--confirm', '60s')).status, 0);
    t.equal((await say('confirm')).status, 0);
    await inNetwork('south');
    await egret.writeConfig({ [alphaFile]: alphaInNorth });
    await say('apply');
  });

  await t.test('a killed egretd keeps the deadline; packets are not lost', async (t) => {
    const flow = await steadyFlow(scene, 'beta', 'south', 500);
    await egret.writeConfig({ [alphaFile]: alphaInSouth });
    await say('apply', '--confirm', '20s');
    await egret.killDaemon();
    await egret.launch();
    await comesAs('south');
    t.match((await history())[0]?.state, 'to be confirmed until');
    await inNetwork('north');
    t.match((await history())[0], { state: 'reverted' });
    await lostNothing(t, flow);
  });

  await t.test('a deadline that passes while egretd is down', async () => {
    await say('apply', '--confirm', '3s');
    await egret.killDaemon();
    await sleep(3500);
    await egret.launch();
    await comesAs('north');
  });

  await t.test('after a reboot what ran before starts at once', async () => {
    await say('apply', '--confirm', '1h');
    await comesAs('south');
    await egret.killDaemon();
    const path = join(egret.stateDir, 'running.json');
    const text = await readFile(path, 'utf8');
    await writeFile(path, text.replace(/"bootId":"[^"]*"/, '"bootId":"of another boot"'));
    await egret.launch();
    await comesAs('north');
  });

  await t.test('files that were edited are not read by a restart', async () => {
    await egret.writeConfig({ 'broken.yaml': 'kind: [' });
    await egret.killDaemon();
    await egret.launch();
    await comesAs('north');
    await egret.writeConfig({ 'broken.yaml': undefined, [alphaFile]: alphaInNorth });
  });

  await t.test('a broken configuration: every error, where it stands, and status 2', async (t) => {
    const rows = await history();
    await egret.writeConfig({
      'broken.yaml': 'kind: ExternalNetwork\nspec: { routeTableIndex: x }\n',
    });
    const { status, stdout } = await say('apply');
    t.equal(status, 2);
    t.match(stdout, `${egret.configDir}/broken.yaml:`);
    const refused = JSON.parse((await say('apply', '--json')).stdout);
    t.match(refused.rows[0], {
      file: `${egret.configDir}/broken.yaml`,
      line: Number,
      column: Number,
    });
    t.equal((await say('diff')).status, 2);
    t.strictSame(await history(), rows);
    await egret.writeConfig({ 'broken.yaml': undefined });
    await reaches(t, scene);
  });

  await t.test('several at once: one after the other, each whole', async (t) => {
    const before = (await history())[0]!.version;
    await egret.writeConfig({ 'remark.yaml': '# several at once\n' });
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, i) => say('apply', '--message', `at once ${i}`)),
    );
    t.strictSame(
      answers.map(({ status }) => status),
      answers.map(() => 0),
    );
    const applied = answers.filter(({ stdout }) => stdout.includes('is in force'));
    t.equal(applied.length, 1, 'the others had nothing to do');
    t.equal((await history())[0]!.version, before + 1);
    const audited = egret.log().match(/"command":"apply".*"msg":"admin command"/g) ?? [];
    t.ok(audited.length >= 8, 'with an audit line each');
  });

  await t.test('killed at many moments of an apply: the old one or the new one', async (t) => {
    for (let i = 0; i < 8; i += 1) {
      await egret.writeConfig({ [alphaFile]: i % 2 === 0 ? alphaInSouth : alphaInNorth });
      const asked = say('apply');
      await sleep(i * 25);
      await egret.killDaemon();
      const { status } = await asked;
      await egret.launch();
      const files = await egret.ask(['history', '0', '--json']);
      t.equal(files.status, 0);
      if (status === 0) await comesAs(i % 2 === 0 ? 'south' : 'north');
    }
    await egret.writeConfig({ [alphaFile]: alphaInNorth });
    t.equal((await say('apply')).status, 0);
    await comesBack(t, scene);
  });

  await t.test('watch: true applies what is saved, and leaves a reverted set alone', async (t) => {
    const features = 'features.yaml';
    const text = await readFile(join(egret.configDir, features), 'utf8');
    const watching = text.replace('  networks:\n', '  config:\n    watch: true\n  networks:\n');
    await egret.writeConfig({ [features]: watching });
    t.match((await say('apply')).stdout, 'config.watch');
    await egret.writeConfig({ [alphaFile]: alphaInSouth });
    await inNetwork('south');
    await say('rollback');
    await inNetwork('north');
    await egret.writeConfig({ [alphaFile]: alphaInSouth });
    await sleep(1500);
    t.match((await agent.ask('udp', server, 1000)).network, 'north', 'the same bytes again');
    await egret.writeConfig({ [alphaFile]: `${alphaInSouth}# once more\n` });
    await inNetwork('south');
    await egret.writeConfig({ [alphaFile]: alphaInNorth });
    await inNetwork('north');
  });

  await t.test('files by name: put, get and rm, and nothing but that', async (t) => {
    const config = (words: string[], body?: string) => request(egret.runDir, words, body);
    t.match(await config(['put', 'new.yaml'], '# new\n'), { status: 0 });
    t.match(await config(['get', 'new.yaml']), { status: 0, text: '# new\n' });
    t.match((await config(['list'])).text, 'new.yaml');
    for (const name of ['../x.yaml', '/tmp/x.yaml', '.x.yaml', 'x\0.yaml', 'x.yaml/..']) {
      for (const action of ['put', 'get', 'rm']) {
        const body = action === 'put' ? 'x' : undefined;
        t.match(await config([action, name], body), { status: 1 }, `${action} ${name}`);
      }
    }
    for (const body of ['', 'a\0b', '\xff']) {
      t.match(await config(['put', 'new.yaml'], body), { status: 1 });
    }
    t.match(await config(['put', 'huge.yaml'], 'x'.repeat(17 * 2 ** 20)), { status: 1 });
    await killedWhileItPuts(egret.runDir, 'new.yaml');
    t.match(await config(['get', 'new.yaml']), { text: '# new\n' }, 'it stayed');
    t.match(await config(['rm', 'new.yaml']), { status: 0 });
    t.match(await config(['get', 'new.yaml']), { status: 3 });
    await reaches(t, scene);
  });

  await t.test("at no moment did a packet leave with a client's source", async (t) => {
    await sawNoLeak(t, leaks);
  });

  /** Egret is back, and alpha leaves by this network. */
  async function comesAs(network: 'north' | 'south'): Promise<void> {
    await egret.ready(['north', 'south']);
    const address = await until('alpha is answered', async () => {
      const answer = await agent.ask('udp', server, 1000);
      return answer.network === network && answer.address;
    });
    if (address !== source[network]) throw new Error(`${address} is not ${source[network]}`);
  }
});

/** Asks for `config` as the command line does. @returns the exit status, and the text */
function request(
  runDir: string,
  words: readonly string[],
  body: string | undefined,
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const socket = connect(join(runDir, 'admin.sock'));
    let answer = '';
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => {
      answer += chunk;
    });
    socket.on('error', reject);
    socket.on('close', () => {
      const [head = '', ...rest] = answer.split('\n');
      const { status } = JSON.parse(head) as { status: number };
      const [text = '', digits] = rest.join('\n').split('\0');
      resolve({ status: status === 0 ? Number(digits) : status, text });
    });
    socket.write(`${JSON.stringify({ command: 'config', words, who: 'a test' })}\n`);
    if (body !== undefined) socket.end(Buffer.from(body, 'latin1'));
  });
}

/** A client whose connection is cut in the middle of a file. */
async function killedWhileItPuts(runDir: string, name: string): Promise<void> {
  const socket = connect(join(runDir, 'admin.sock'));
  socket.on('error', () => {});
  const words = ['put', name];
  socket.write(`${JSON.stringify({ command: 'config', words, who: 'a test' })}\n# half of i`);
  await sleep(200);
  socket.destroy();
  await sleep(500);
}
