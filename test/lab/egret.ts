// SPDX-License-Identifier: Apache-2.0
/**
 * Egret in a host of the lab, started and asked the way an operator does it: by build/egret.
 *
 * The pids come from the run directory, so that a test kills just what it means to kill.
 */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readJson } from '../../src/lib/json-schema.ts';
import { viewNamed } from '../../src/status/views.ts';
import type { Host } from './namespace.ts';
import { type Captured, type Running, type RunOptions, until } from './process.ts';
import { askStatus } from './status.ts';

/** The launcher that `make build` leaves, or another build's, e.g. one that counts lines. */
export const egretProgram =
  process.env['EGRET_PROGRAM'] ?? fileURLToPath(new URL('../../build/egret', import.meta.url));

// The keys of `egret show VIEW --json` that are promised.
export interface Views {
  networks: {
    name: string;
    table: number;
    ready: boolean;
    reason: string;
    routes: number;
    refused: number;
    mirrored: number;
  };
  gateways: {
    namespace: string;
    name: string;
    ready: boolean;
    reason: string;
    addresses: string[];
    networks: string[];
  };
  clients: {
    namespace: string;
    name: string;
    prefixes: string[];
    policy: string;
    gateways: string[];
  };
  neighbors: {
    network: string;
    address: string;
    remoteAs: number;
    state: string;
    sinceMs: number;
    received: number;
    accepted: number;
    announced: number;
    warning: string | null;
    lastError: string | null;
    detail: {
      establishedCount: number;
      capabilitiesAdvertised: string[];
      capabilitiesReceived: string[];
      capabilitiesNegotiated: string[];
      lastDown?: { sender?: string; code?: number; subcode?: number; words?: string };
    };
  };
  route: {
    network: string;
    prefix: string;
    nextHops: { address: string; interface: string }[];
    protocol: string;
    isBest: boolean;
    reason: string;
  };
  sessions: {
    protocol: string;
    inside: string;
    outside: string;
    remote: string;
    network: string;
    state: string;
    idleMs: number;
  };
  pools: { address: string; portsUsed: number; portsTotal: number };
  interfaces: {
    name: string;
    role: string;
    driver: string;
    reason: string;
    up: boolean;
    mtu: number;
  };
  counters: { name: string; interface?: string; network?: string; value: number };
}

export interface LaunchOptions {
  /** Another build's launcher. */
  readonly program?: string;
  /** More words for `egret run`. */
  readonly words?: readonly string[];
  /** Words in front of it all: a program that starts it. */
  readonly before?: readonly string[];
}

export class Egret {
  readonly host: Host;
  readonly runDir: string;
  readonly configDir: string;
  readonly stateDir: string;
  #daemon: Running | undefined;

  private constructor(host: Host) {
    this.host = host;
    this.runDir = join(host.folder, 'run');
    this.configDir = join(host.folder, 'config');
    this.stateDir = join(host.folder, 'state');
  }

  /**
   * Writes the configuration, starts the daemon and waits until it answers.
   *
   * @param files - file name → YAML
   */
  static async start(host: Host, files: Readonly<Record<string, string>>): Promise<Egret> {
    const egret = new Egret(host);
    await mkdir(egret.configDir);
    await egret.writeConfig(files);
    await egret.launch();
    return egret;
  }

  /** Writes files of the configuration; undefined removes one. Call reload() to have them read. */
  async writeConfig(files: Readonly<Record<string, string | undefined>>): Promise<void> {
    for (const [name, text] of Object.entries(files)) {
      const path = join(this.configDir, name);
      if (text === undefined) await rm(path);
      else await writeFile(path, text);
    }
  }

  /** Starts the daemon, also again after its death, on the same run directory. */
  async launch(options: LaunchOptions = {}): Promise<void> {
    const daemon = this.begin(options);
    const outcome = await until('egretd answers', async () => {
      if (!daemon.isRunning) return 'exited';
      await this.show('networks');
      return 'answers';
    }).catch((error: unknown) => {
      throw new Error(`egretd does not answer:\n${daemon.output()}`, { cause: error });
    });
    if (outcome === 'exited') throw new Error(`egretd exited:\n${daemon.output()}`);
  }

  /** Starts the daemon and waits for nothing. */
  begin({ program = egretProgram, words = [], before = [] }: LaunchOptions = {}): Running {
    const { configDir, runDir, stateDir } = this;
    const folders = ['--config', configDir, '--run-dir', runDir, '--state-dir', stateDir];
    this.#daemon = this.host.start([...before, program, 'run', ...folders, ...words]);
    return this.#daemon;
  }

  /** Runs an egret command against this daemon. */
  ask(words: readonly string[], options?: RunOptions): Promise<Captured> {
    return this.host.run([egretProgram, '--run-dir', this.runDir, ...words], options);
  }

  /**
   * Asks at the status socket.
   *
   * @returns the rows of a view, each of which is what the view's schema says and no more
   */
  async show<View extends keyof Views>(
    view: View,
    ...words: readonly string[]
  ): Promise<Views[View][]> {
    const reply = await askStatus(this.runDir, view, words);
    const read = readJson(viewNamed(view)!.answer, reply);
    if (!read.ok) throw new Error(`${view}: ${read.fault.path} ${read.fault.problem}`);
    assert.deepEqual(read.value, reply, `${view} has keys that its schema does not name`);
    return reply.rows as Views[View][];
  }

  /** Of the configuration that runs: counts those that were taken. */
  async generation(): Promise<number> {
    return (await askStatus(this.runDir, 'networks', [])).generation;
  }

  /** A counter's sum over interfaces, or on one of them; drops are `dropped.REASON`. */
  async counter(
    name: string,
    where: { readonly interface?: string; readonly network?: string } = {},
  ): Promise<number> {
    const rows = await this.show('counters');
    return rows
      .filter((row) => row.name === name)
      .filter((row) => where.interface === undefined || row.interface === where.interface)
      .filter((row) => where.network === undefined || row.network === where.network)
      .reduce((sum, row) => sum + row.value, 0);
  }

  /**
   * Frames that came, were made and went, of an interface: received + generated = sent + kernel + drops +
   * absorbed + held, when all stand still.
   */
  async frames(networkInterface: string): Promise<{
    readonly inward: number;
    readonly outward: number;
    /** What the kernel could not queue: not in `inward`. */
    readonly lost: number;
    readonly received: number;
    readonly drops: Readonly<Record<string, number>>;
  }> {
    const rows = await this.show('counters');
    const mine = rows.filter((row) => row.interface === networkInterface);
    const of = (name: string): number => mine.find((row) => row.name === name)?.value ?? 0;
    const drops = mine.filter((row) => row.name.startsWith('dropped.'));
    const dropped = drops.reduce((sum, row) => sum + row.value, 0);
    return {
      inward: of('received') + of('generated'),
      outward: of('sent') + of('kernel') + dropped + of('absorbed') + of('held'),
      lost: of('kernel_lost'),
      received: of('received'),
      drops: Object.fromEntries(drops.map((row) => [row.name.slice(8), row.value])),
    };
  }

  /** `egret why`, as printed. */
  async why(client: string, destination: string): Promise<string> {
    const { stdout } = await this.ask(['why', client, destination], { statuses: 'any' });
    return stdout;
  }

  /** Waits until these networks are ready. */
  async ready(networks: readonly string[]): Promise<void> {
    await until(`networks ${networks.join(', ')} are ready`, async () => {
      const rows = await this.show('networks');
      const open = networks.filter((name) => !rows.some((r) => r.name === name && r.ready));
      if (open.length > 0) throw new Error(`not ready: ${open.join(', ')} in ${describe(rows)}`);
      return true;
    });
  }

  /** SIGHUP, and the moment of it. */
  reload(): number {
    process.kill(this.daemonPid, 'SIGHUP');
    return performance.now();
  }

  get daemonPid(): number {
    if (!this.#daemon?.isRunning) throw new Error('egretd does not run.');
    return this.#daemon.pid;
  }

  async forwarderPid(): Promise<number> {
    return Number(await readFile(join(this.runDir, 'forwarder.pid'), 'utf8'));
  }

  /** Kills egretd as a crash would. */
  async killDaemon(): Promise<void> {
    process.kill(this.daemonPid, 'SIGKILL');
    await this.#daemon?.ended;
  }

  /** Kills the forwarder as a crash would. */
  async killForwarder(): Promise<void> {
    const pid = await this.forwarderPid();
    process.kill(pid, 'SIGKILL');
    await until('the forwarder is dead', () => !isAlive(pid), 5);
  }

  /** Stops everything in order (SIGTERM). @throws Error unless it ends by itself with status 0 */
  async stop(): Promise<void> {
    const daemon = this.#daemon;
    if (!daemon) return;
    await daemon.stop('SIGTERM');
    const { status, signal } = await daemon.ended;
    if (status !== 0)
      throw new Error(`egretd exited with ${signal ?? status}:\n${daemon.output()}`);
  }

  log(): string {
    return this.#daemon?.output() ?? '';
  }

  /** CPU time in seconds that egretd and the forwarder have used so far. */
  async cpuSeconds(): Promise<number> {
    return (await cpuSecondsOf(this.daemonPid)) + (await cpuSecondsOf(await this.forwarderPid()));
  }

  /** Resident memory in bytes: egretd, and the forwarder. */
  async memoryBytes(): Promise<{ daemon: number; forwarder: number }> {
    const [daemon, forwarder] = await Promise.all(
      [this.daemonPid, await this.forwarderPid()].map(async (pid) => {
        const status = await readFile(`/proc/${pid}/status`, 'latin1');
        return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024;
      }),
    );
    return { daemon: daemon ?? 0, forwarder: forwarder ?? 0 };
  }
}

function describe(rows: readonly Views['networks'][]): string {
  return rows.map((row) => `${row.name} (${row.reason})`).join(', ');
}

/** CPU time in seconds that a process has used so far. */
export async function cpuSecondsOf(pid: number): Promise<number> {
  const ticksPerSecond = 100;
  const stat = await readFile(`/proc/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

/** Whether a process lives and is no zombie. */
function isAlive(pid: number): boolean {
  return existsSync(`/proc/${pid}/exe`);
}
