/**
 * A forwarder that lives and works no more: egretd says so, and replaces it when it stays so; an egretd
 * that starts meanwhile replaces it at once. It is stopped under load, mostly in the middle of a batch.
 */
import { type Test, test } from 'tap';
import { udpFrame } from '../../images/lab/frames.ts';
import { until } from '../../images/lab/process.ts';
import { openScene, type Scene, server } from './scene.ts';

test('a silent forwarder', { timeout: 300_000 }, async (t) => {
  const scene = await openScene({ clients: { alpha: { network: 'north' } } });
  t.teardown(() => scene.lab.close());
  const { egret } = scene;
  const reasons = async (): Promise<string[]> =>
    (await egret.show('interfaces')).map((row) => row.reason);

  await t.test('is reported, works again, and that is all', async (t) => {
    const pid = await stopUnderLoad(scene);
    await until('it is said', async () => (await reasons()).every((text) => /silent/.test(text)));
    process.kill(pid, 'SIGCONT');
    await until('and no more', async () => !(await reasons()).some((text) => /silent/.test(text)));
    t.equal(await egret.forwarderPid(), pid, 'it was given time');
    await reaches(t, scene);
  });

  await t.test('is replaced in the end; configurations are taken up by the next', async (t) => {
    const pid = await stopUnderLoad(scene);
    const { sessions } = await counts(scene);
    for (let change = 0; change < 3; change += 1) {
      egret.reload();
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
    await until('another runs', async () => (await egret.forwarderPid()) !== pid, 20_000);
    await reaches(t, scene);
    t.ok((await counts(scene)).rebuilt >= sessions, 'with its sessions');
    t.equal(await egret.counter('forwarder_deaths'), 1);
  });

  await t.test('is replaced by the next egretd', async (t) => {
    const pid = await stopUnderLoad(scene);
    await egret.killDaemon();
    await egret.launch();
    await egret.ready(['north']);
    t.not(await egret.forwarderPid(), pid);
    await reaches(t, scene);
  });
});

/** Stops the forwarder while it has more to forward than it can. @returns its pid */
async function stopUnderLoad({ figure, egret }: Scene<'alpha'>): Promise<number> {
  const { alpha } = figure.clients;
  const frame = udpFrame({
    sourceMac: await alpha.host.mac('eth0'),
    destinationMac: await figure.gateway.mac('cli0'),
    source: alpha.address,
    destination: server,
    sourcePort: 4000,
    destinationPort: 9,
    payload: 'load',
  });
  const pid = await egret.forwarderPid();
  const order = { interface: 'eth0', frames: [frame], rounds: 100_000 };
  const flood = alpha.agent.call('sendFrames', order);
  await new Promise((resolve) => setTimeout(resolve, 200));
  process.kill(pid, 'SIGSTOP');
  await flood;
  return pid;
}

async function counts({ egret }: Scene<string>): Promise<{ sessions: number; rebuilt: number }> {
  const rows = await egret.show('counters');
  const of = (name: string): number => rows.find((row) => row.name === name)?.value ?? 0;
  return { sessions: of('sessions'), rebuilt: of('sessions_rebuilt') };
}

async function reaches(t: Test, { figure }: Scene<'alpha'>): Promise<void> {
  const { agent } = figure.clients.alpha;
  t.match(await until('traffic', () => agent.ask('udp', server)), { network: 'north' });
}
