/**
 * What egretd finds of an earlier life and cannot simply go on with: interfaces that went and came
 * back, a forwarder of another build, on another arena, or one that does not answer.
 */
import { existsSync } from 'node:fs';
import { cp, mkdir, readdir, readlink, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { test } from 'tap';
import { egretProgram } from '../../images/lab/egret.ts';
import { run, until } from '../../images/lab/process.ts';
import { NumberedFlow } from '../../images/lab/traffic.ts';
import { announced, gatewayUplink, openScene, router, server, source } from './scene.ts';

const rootDir = fileURLToPath(new URL('../..', import.meta.url));

test('what another life left', { timeout: 280_000 }, async (t) => {
  const scene = await openScene({
    clients: { alpha: { network: 'north' }, beta: { network: 'south' } },
    before: async ({ gateway }) => gateway.sysctl({ 'net.ipv4.ip_forward': 1 }),
  });
  t.teardown(() => scene.lab.close());
  const { lab, figure, egret } = scene;
  const { alpha, beta } = figure.clients;
  const { north, south } = figure.networks;
  const leaks = await Promise.all(
    [north, south].map(async ({ router: host }) =>
      (await scene.agentOf(host)).watch('leak', 'any', { source: '10.20.0.0/16' }),
    ),
  );

  const reaches = async (): Promise<void> => {
    const answer = await until('alpha reaches north', () => alpha.agent.ask('tcp', server, 1000));
    t.match(answer, { network: 'north', address: source.north });
    const other = await until('beta reaches south', () => beta.agent.ask('tcp', server, 1000));
    t.match(other, { network: 'south', address: source.south });
  };
  const back = async (): Promise<void> => {
    await egret.ready(['north', 'south'], 30_000);
    await announced(scene);
    await reaches();
  };
  const flowUp = async (): Promise<NumberedFlow> => {
    const flow = await NumberedFlow.open(alpha.agent, north.serverAgent, server, {
      packetsPerSecond: 1000,
    });
    await until('the flow runs', async () => (await flow.now()).down.received > 100);
    return flow;
  };

  await t.test('a link goes down and up, then away and back, while egretd is dead', async () => {
    const flow = await flowUp();
    await egret.killDaemon();
    await figure.gateway.ip('link set wan0 down');
    await sleep(300);
    await figure.gateway.ip('link set wan0 up');
    // BIRD's session went with the link, so that no answer finds its way; but all goes on northward.
    const { up } = await flow.now();
    await until('all goes on', async () => (await flow.now()).up.received > up.received + 200);
    await flow.finish();
    await figure.gateway.ip('link delete wan0');
    await sleep(300);
    await newUplink();
    await sleep(300);
    await egret.launch();
    await back();
  });

  await t.test('an interface goes and comes back while only the forwarder is dead', async () => {
    process.kill(await egret.forwarderPid(), 'SIGKILL');
    await figure.gateway.ip('link delete wan0');
    await newUplink();
    await back();
  });

  await t.test('a forwarder of another build is replaced, by each of the two', async (t) => {
    const other = await otherBuild(join(figure.gateway.folder, 'other'));
    const flow = await flowUp();
    for (const program of [other, egretProgram]) {
      const forwarder = await egret.forwarderPid();
      await egret.killDaemon();
      await egret.launch(15_000, { program });
      t.match(egret.log(), /"sessions":[1-9][0-9]*,"reason":"it is of another version"/);
      t.not(await egret.forwarderPid(), forwarder);
      t.notOk(isRunning(forwarder), 'the old one is gone');
      await back();
    }
    await flow.finish();
  });

  await t.test('a forwarder on an arena that is gone is replaced', async (t) => {
    const forwarder = await egret.forwarderPid();
    await egret.killDaemon();
    await rm(await readlink(join(egret.runDir, 'arena')));
    await egret.launch();
    t.match(egret.log(), /"reason":"it works on another arena"/);
    t.notOk(isRunning(forwarder), 'the old one is gone');
    await back();
  });

  await t.test('a forwarder that does not answer is replaced', async (t) => {
    const forwarder = await egret.forwarderPid();
    await egret.killDaemon();
    process.kill(forwarder, 'SIGSTOP');
    await egret.launch(20_000);
    t.notOk(isRunning(forwarder), 'the old one is gone');
    await back();
  });

  await t.test("at no moment did a packet leave with a client's source", async (t) => {
    for (const leak of leaks) {
      const { count, lost, frames } = await leak.seen();
      t.strictSame({ count, lost }, { count: 0, lost: 0 }, frames[0]?.hex ?? 'none');
    }
  });

  async function newUplink(): Promise<void> {
    await lab.link(
      { host: north.router, name: 'up0', addresses: [`${router}/24`] },
      { host: figure.gateway, name: 'wan0', addresses: [`${gatewayUplink}/24`] },
    );
  }
});

function isRunning(pid: number): boolean {
  return existsSync(`/proc/${pid}/exe`);
}

/** The same program with a libegret and a forwarder that count as built from another abi.h. */
async function otherBuild(folder: string): Promise<string> {
  const build = join(folder, 'build');
  await mkdir(build, { recursive: true });
  await symlink(join(rootDir, 'node_modules'), join(folder, 'node_modules'));
  await cp(join(rootDir, 'build', 'js'), join(build, 'js'), { recursive: true });
  await cp(egretProgram, join(build, 'egret'));
  const native = join(rootDir, 'native');
  const library = (await readdir(native))
    .filter((name) => name.endsWith('.c') && !['forwarder.c', 'abi_print.c'].includes(name))
    .map((name) => join(native, name));
  const flags = [
    '-std=c11',
    '-D_GNU_SOURCE',
    '-O1',
    '-pthread',
    '-DEGRET_ABI_HASH=1',
    `-I${native}`,
  ];
  const shared = join(build, 'libegret.so');
  await run(['gcc', ...flags, '-fPIC', '-shared', ...library, '-o', shared]);
  const forwarder = join(build, 'egret-forwarder');
  const path = `-Wl,-rpath,${build}`;
  await run(['gcc', ...flags, join(native, 'forwarder.c'), shared, path, '-o', forwarder]);
  return join(build, 'egret');
}
