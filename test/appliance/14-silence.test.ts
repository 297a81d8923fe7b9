// SPDX-License-Identifier: Apache-2.0
/**
 * A forwarder that lives and works no more: egretd says so, and replaces it when it stays so; an egretd
 * that starts meanwhile replaces it at once. It is stopped in the middle of a batch.
 */
import { readFileSync } from 'node:fs';
import { type Test, test } from 'tap';
import { udpFrame } from '../lab/frames.ts';
import { until } from '../lab/process.ts';
import { clientResource, documents, openScene, type Scene, server } from './scene.ts';

/** A client that comes while the forwarder is silent. */
const added = '10.20.30.41';

test('a silent forwarder', async (t) => {
  const scene = await openScene(t, { clients: { alpha: { network: 'north' } } });
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
    // The first plan finds room, the others must wait for the forwarder.
    for (const name of ['one', 'two', 'three']) {
      const more = clientResource(name, [`${added}/32`], 'north');
      await egret.writeConfig({ 'client-more.yaml': name === 'three' ? documents(more) : '' });
      egret.reload();
      await new Promise((resolve) => setTimeout(resolve, 700));
    }
    await until('another runs', async () => (await egret.forwarderPid()) !== pid);
    await reaches(t, scene);
    t.ok((await counts(scene)).rebuilt >= sessions, 'with its sessions');
    t.equal(await egret.counter('forwarder_deaths'), 1);
    await until('the last plan', async () => /: forwarded/.test(await egret.why(added, server)));
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

/** System call number of sendmmsg, of x86-64: a batch is on its way. */
const sendmmsg = 307;

/** Stops the forwarder while it sends. @returns its pid */
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
  const order = { interface: 'eth0', frames: [frame], rounds: 10_000 };
  let isCaught = false;
  const flood = async (): Promise<void> => {
    while (!isCaught) await alpha.agent.call('sendFrames', order);
  };
  const flooded = flood();
  await until(
    'it stands still in the middle of a batch',
    async () => {
      process.kill(pid, 'SIGSTOP');
      await until('it stands still', () => /^State:\s+T/m.test(proc(pid, 'status')), 0);
      if (Number.parseInt(proc(pid, 'syscall'), 10) === sendmmsg) isCaught = true;
      if (isCaught) return true;
      process.kill(pid, 'SIGCONT');
      return false;
    },
    1,
  );
  await flooded;
  return pid;
}

function proc(pid: number, file: string): string {
  return readFileSync(`/proc/${pid}/${file}`, 'latin1');
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
