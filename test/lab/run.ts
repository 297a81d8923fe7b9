// SPDX-License-Identifier: Apache-2.0
/**
 * `make run`: the seed's figure, for real.
 *
 *   client-red  10.1.1.2 ── ens3 ┌─────────┐ ens5 ── 172.16.1.140 ── 192.0.2.10   red   (iBGP)
 *                                │ gateway │
 *   client-blue 10.1.2.2 ── ens4 └─────────┘ ens6 ── 172.16.1.140 ── 192.0.2.10   blue  (eBGP)
 *
 * The gateway is 172.16.1.1/24 on ens5 and on ens6, both routers are BIRD at the same address in the
 * same AS, and both announce 192.0.2.0/24. Each client must reach its own network, with the source
 * address of its own gateway; exit status 0 means that it did.
 *
 * At a terminal a shell in the gateway follows; without one, or with CI or ONCE=1, the lab is taken
 * down at once.
 */
import { spawn } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Bird } from './bird.ts';
import { Egret, egretProgram } from './egret.ts';
import { Lab } from './namespace.ts';
import { until } from './process.ts';
import { buildFigure, type Figure } from './topology.ts';

/** All that is waited for, together; the lab is given up after it. */
const patienceMs = 90_000;

const destination = '192.0.2.10';
const expectations = [
  { client: 'client-red', network: 'red', source: '10.50.0.2', table: 500, gatewayAs: 64512 },
  { client: 'client-blue', network: 'blue', source: '10.50.0.4', table: 501, gatewayAs: 64513 },
] as const;

const uplink = { gatewayAddress: '172.16.1.1/24', routerAddress: '172.16.1.140/24' };
const lan = { serverAddress: `${destination}/24`, routerLanAddress: '192.0.2.1/24' };

async function main(): Promise<number> {
  const giveUp = setTimeout(() => {
    console.error(`The lab is not up after ${patienceMs / 1000} s.`);
    process.exit(1);
  }, patienceMs);
  const lab = await Lab.open();
  try {
    const { figure, egret } = await bringUp(lab);
    const isRight = await showResult(figure, egret);
    clearTimeout(giveUp);
    if (isInteractive()) await shell(figure, egret);
    await egret.stop();
    return isRight ? 0 : 1;
  } finally {
    clearTimeout(giveUp);
    await lab.close();
  }
}

type SeedFigure = Figure<'client-red' | 'client-blue', 'red' | 'blue'>;

function buildSeedFigure(lab: Lab): Promise<SeedFigure> {
  return buildFigure(
    lab,
    [
      {
        name: 'client-red',
        address: '10.1.1.2/24',
        gatewayInterface: 'ens3',
        gatewayAddress: '10.1.1.1/24',
      },
      {
        name: 'client-blue',
        address: '10.1.2.2/24',
        gatewayInterface: 'ens4',
        gatewayAddress: '10.1.2.1/24',
      },
    ],
    [
      { name: 'red', gatewayInterface: 'ens5', ...uplink, ...lan },
      { name: 'blue', gatewayInterface: 'ens6', ...uplink, ...lan },
    ],
  );
}

async function bringUp(lab: Lab): Promise<{ figure: SeedFigure; egret: Egret }> {
  console.log('Two clients, a gateway and two networks that use the same addresses …');
  const figure = await buildSeedFigure(lab);
  for (const { network, gatewayAs } of expectations) {
    await Bird.start(figure.networks[network].router, {
      routerId: '172.16.1.140',
      localAs: 64512,
      neighbors: [{ name: 'egret', address: '172.16.1.1', remoteAs: gatewayAs }],
      announce: { web: ['192.0.2.0/24'] },
    });
  }
  const folder = fileURLToPath(new URL('./config', import.meta.url));
  const files: Record<string, string> = {};
  for (const name of await readdir(folder)) {
    files[name] = await readFile(join(folder, name), 'utf8');
  }
  const egret = await Egret.start(figure.gateway, files);
  await egret.ready(['red', 'blue']);
  return { figure, egret };
}

/** Asks from both clients and prints what they got, and both tables. */
async function showResult(figure: SeedFigure, egret: Egret): Promise<boolean> {
  const rows = [['client', 'destination', 'who answered', 'source address seen']];
  let isRight = true;
  for (const { client, network, source } of expectations) {
    const { agent } = figure.clients[client];
    const answer = await until('an answer', () => agent.ask('http', destination)).catch(
      () => undefined,
    );
    rows.push([client, destination, answer?.network ?? 'none', answer?.address ?? '-']);
    isRight &&= answer?.network === network && answer.address === source;
  }
  console.log(`\n${tabulate(rows)}`);
  for (const { table } of expectations) {
    for (const argv of [
      ['ip', 'route', 'show', 'table', `${table}`],
      ['egret', 'show', 'route', 'table', `${table}`],
    ]) {
      const { stdout, stderr } =
        argv[0] === 'egret'
          ? await egret.ask(argv.slice(1), { statuses: 'any' })
          : await figure.gateway.run(argv, { statuses: 'any' });
      console.log(`\n$ ${argv.join(' ')}\n${(stdout || stderr).trimEnd()}`);
    }
  }
  if (!isRight) console.error(`\nThat is not what was expected. egretd said:\n${egret.log()}`);
  return isRight;
}

/** Left-aligned columns, two spaces apart. */
function tabulate(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]?.map((_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  return rows
    .map((row) => row.map((cell, column) => cell.padEnd(widths?.[column] ?? 0)).join('  '))
    .map((line) => line.trimEnd())
    .join('\n');
}

function isInteractive(): boolean {
  const isTerminal = process.stdin.isTTY === true && process.stdout.isTTY === true;
  return isTerminal && !process.env['CI'] && process.env['ONCE'] !== '1';
}

/** A shell in the gateway, until exit or end of input. */
async function shell(figure: SeedFigure, egret: Egret): Promise<void> {
  console.log('\nThis is a shell in the gateway. Try: egret show neighbors');
  console.log(
    `Or ask from a client: ip netns exec ${figure.clients['client-red'].host.namespace} \\`,
  );
  console.log(`  bash -c 'exec 3<>/dev/tcp/${destination}/7; head -1 <&3'. Exit ends the lab.`);
  process.removeAllListeners('SIGINT');
  process.on('SIGINT', () => {}); // Ctrl-C is for what runs in the shell
  const child = spawn(
    'ip',
    ['netns', 'exec', figure.gateway.namespace, 'bash', '--noprofile', '--norc', '-i'],
    {
      stdio: 'inherit',
      env: {
        ...process.env,
        PATH: `${dirname(egretProgram)}:${process.env['PATH']}`,
        EGRET_RUN_DIR: egret.runDir,
        PS1: 'gateway# ',
      },
    },
  );
  await new Promise((resolve) => child.once('close', resolve));
}

process.exitCode = await main().catch((error: Error) => {
  console.error(error.message);
  if (error.cause) console.error(String(error.cause));
  return 1;
});
