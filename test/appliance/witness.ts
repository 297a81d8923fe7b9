// SPDX-License-Identifier: Apache-2.0
/**
 * What the tests of crashes and restarts check again and again: that alpha and beta reach their networks
 * as their gateways, that a flow continues, and that no packet with a client's source address ever
 * reaches a network.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Test } from 'tap';
import { cpuSecondsOf, type Egret } from '../lab/egret.ts';
import { start, until } from '../lab/process.ts';
import { NumberedFlow, patientRounds } from '../lab/traffic.ts';
import { announced, type NetworkName, type Scene, server, source } from './scene.ts';

type TwoClients = Scene<'alpha' | 'beta'>;
type Watch = Awaited<ReturnType<Awaited<ReturnType<Scene<string>['agentOf']>>['watch']>>;

const clientPrefix = '10.20.0.0/16';

/** Each of the two gets an answer from its own network, which saw its gateway's address. */
export async function reaches(t: Test, { figure }: TwoClients): Promise<void> {
  const { alpha, beta } = figure.clients;
  const answer = await until('alpha reaches north', () => alpha.agent.ask('tcp', server, 1000));
  t.match(answer, { network: 'north', address: source.north });
  const other = await until('beta reaches south', () => beta.agent.ask('tcp', server, 1000));
  t.match(other, { network: 'south', address: source.south });
}

/** Both networks become ready, both routers know the addresses, and both clients reach them. */
export async function comesBack(t: Test, scene: TwoClients): Promise<void> {
  await scene.egret.ready(['north', 'south']);
  await announced(scene);
  await reaches(t, scene);
}

/** A flow between a client and a network's server that runs both ways. */
export async function steadyFlow<ClientName extends string>(
  { figure }: Scene<ClientName>,
  client: ClientName,
  network: NetworkName,
  packetsPerSecond: number,
): Promise<NumberedFlow> {
  const { agent } = figure.clients[client];
  const { serverAgent } = figure.networks[network];
  const flow = await NumberedFlow.open(agent, serverAgent, server, { packetsPerSecond });
  const enough = packetsPerSecond / 10;
  await until('the flow runs', async () => (await flow.now()).down.received > enough);
  return flow;
}

/** Ends a flow: every number arrived, once, both ways. @returns the account of both ways */
export async function lostNothing(
  t: Test,
  flow: NumberedFlow,
  whose = 'the flow',
): Promise<Awaited<ReturnType<NumberedFlow['finish']>>> {
  const account = await flow.finish(patientRounds);
  const nothing = { missingCount: 0, duplicates: 0, refused: 0 };
  t.match(account.up, nothing, `${whose} loses nothing up: ${account.up.sent} numbers`);
  t.match(account.down, nothing, `${whose} loses nothing down: ${account.down.sent} numbers`);
  return account;
}

/**
 * Egret, without traffic, uses next to no CPU: less than a third of what a loop that never sleeps gets
 * in the same time. On a busy machine that is little; what is busy itself would get as much as the loop.
 */
export async function staysIdle(t: Test, egret: Egret): Promise<void> {
  await sleep(1000);
  const loop = start(['sh', '-c', 'while :; do :; done']);
  const [loopBefore, before] = [await cpuSecondsOf(loop.pid), await egret.cpuSeconds()];
  await sleep(5000);
  const [loopAfter, after] = [await cpuSecondsOf(loop.pid), await egret.cpuSeconds()];
  await loop.stop('SIGKILL');
  const [used, wasted] = [after - before, loopAfter - loopBefore];
  t.ok(used < wasted / 3, `${used.toFixed(2)} s of CPU while a loop gets ${wasted.toFixed(2)} s`);
}

/** From here on nothing may come to a router with a client's source. */
export function watchLeaks(scene: TwoClients): Promise<Watch[]> {
  const { north, south } = scene.figure.networks;
  return Promise.all(
    [north, south].map(async ({ router }) =>
      (await scene.agentOf(router)).watch('leak', 'any', { source: clientPrefix }),
    ),
  );
}

export async function sawNoLeak(t: Test, leaks: readonly Watch[]): Promise<void> {
  for (const leak of leaks) {
    const { count, lost, frames } = await leak.seen();
    t.strictSame({ count, lost }, { count: 0, lost: 0 }, frames[0]?.hex ?? 'none');
  }
}
