// SPDX-License-Identifier: Apache-2.0
/**
 * Real FRR in a host of the lab: zebra and bgpd, each with sockets and files in a folder of the
 * lab's, so that FRR's own service and /etc/frr have no part in it.
 */
import { chmod, chown, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Host } from './namespace.ts';
import { type Running, until } from './process.ts';

export interface FrrOptions {
  readonly routerId: string;
  readonly localAs: number;
  readonly neighbors: readonly FrrNeighbor[];
  readonly announce: readonly string[];
  /** More lines inside `router bgp`. */
  readonly extra?: string;
}

export interface FrrNeighbor {
  readonly address: string;
  readonly remoteAs: number;
  readonly password?: string;
  readonly holdTimeS?: number;
  /** GTSM: how many hops away; FRR's ttl-security. */
  readonly ttlSecurityHops?: number;
  /** More words after `neighbor ADDRESS`, one a line. */
  readonly extra?: readonly string[];
}

/** bgpd's configuration for some options. */
export function frrConfig(options: FrrOptions): string {
  const neighbors = options.neighbors.flatMap((neighbor) => {
    const holdTimeS = neighbor.holdTimeS ?? 90;
    const lines = [
      `remote-as ${neighbor.remoteAs}`,
      `timers ${Math.max(1, Math.floor(holdTimeS / 3))} ${holdTimeS}`,
      'timers connect 1',
      'advertisement-interval 0',
    ];
    if (neighbor.password) lines.push(`password ${neighbor.password}`);
    if (neighbor.ttlSecurityHops) lines.push(`ttl-security hops ${neighbor.ttlSecurityHops}`);
    lines.push(...(neighbor.extra ?? []));
    return lines.map((line) => ` neighbor ${neighbor.address} ${line}`);
  });
  return [
    `router bgp ${options.localAs}`,
    ` bgp router-id ${options.routerId}`,
    ' no bgp ebgp-requires-policy',
    ' no bgp network import-check',
    ' bgp graceful-restart',
    ...neighbors,
    ...(options.extra ? [options.extra] : []),
    ' address-family ipv4 unicast',
    ...options.announce.map((prefix) => `  network ${prefix}`),
    ...options.neighbors.map((neighbor) => `  neighbor ${neighbor.address} next-hop-self`),
    ' exit-address-family',
    'exit',
    '',
  ].join('\n');
}

/** What `show bgp neighbors ADDRESS json` says, as far as tests read it. */
export interface FrrNeighborState {
  readonly bgpState: string;
  readonly connectionsEstablished: number;
  readonly lastResetDueTo?: string;
  readonly gracefulRestartInfo?: Record<string, unknown>;
}

export class Frr {
  readonly #host: Host;
  readonly #folder: string;
  readonly #localAs: number;
  #daemons: Running[] = [];

  private constructor(host: Host, localAs: number) {
    this.#host = host;
    this.#folder = join(host.folder, 'frr');
    this.#localAs = localAs;
  }

  /** Starts zebra and bgpd and waits until both answer. */
  static async start(host: Host, options: FrrOptions): Promise<Frr> {
    const frr = new Frr(host, options.localAs);
    await mkdir(frr.#folder);
    // FRR drops its privileges to a user of its own, who must write here.
    const [uid, gid] = await frrIds();
    for (const folder of [host.folder, join(host.folder, '..')]) await chmod(folder, 0o755);
    await chown(frr.#folder, uid, gid);
    await writeFile(join(frr.#folder, 'zebra.conf'), '');
    await writeFile(join(frr.#folder, 'bgpd.conf'), frrConfig(options));
    await frr.#launch();
    return frr;
  }

  async #launch(): Promise<void> {
    const common = ['-u', 'frr', '-g', 'frr', '--vty_socket', this.#folder];
    for (const daemon of ['zebra', 'bgpd']) {
      this.#daemons.push(
        this.#host.start([
          `/usr/lib/frr/${daemon}`,
          ...common,
          ...['-z', join(this.#folder, 'zserv.api'), '--log', 'stdout'],
          ...[
            '-f',
            join(this.#folder, `${daemon}.conf`),
            '-i',
            join(this.#folder, `${daemon}.pid`),
          ],
        ]),
      );
      await until(`${daemon} answers`, () => this.#vtysh(daemon, 'show version')).catch(() => {
        throw new Error(`${daemon} in ${this.#host.name} did not start:\n${this.log()}`);
      });
    }
  }

  async #vtysh(daemon: string, ...commands: string[]): Promise<string> {
    const words = commands.flatMap((command) => ['-c', command]);
    const argv = ['vtysh', '--vty_socket', this.#folder, '-d', daemon, ...words];
    const { stdout } = await this.#host.run(argv);
    return stdout;
  }

  /** Runs bgpd commands. */
  ask(...commands: string[]): Promise<string> {
    return this.#vtysh('bgpd', ...commands);
  }

  async announce(prefix: string): Promise<void> {
    await this.#change(`network ${prefix}`);
  }

  async withdraw(prefix: string): Promise<void> {
    await this.#change(`no network ${prefix}`);
  }

  async #change(line: string): Promise<void> {
    const inside = [`router bgp ${this.#localAs}`, 'address-family ipv4 unicast', line];
    await this.ask('configure terminal', ...inside);
  }

  async neighbor(address: string): Promise<FrrNeighborState> {
    const text = await this.ask(`show bgp neighbors ${address} json`);
    const state = (JSON.parse(text) as Record<string, FrrNeighborState>)[address];
    if (!state) throw new Error(`FRR knows no neighbor ${address}`);
    return state;
  }

  async established(address: string): Promise<void> {
    await until(
      `FRR in ${this.#host.name} has a session with ${address}`,
      async () => (await this.neighbor(address)).bgpState === 'Established',
    );
  }

  /** Prefixes that a neighbor announces to us, sorted as text. */
  async learned(address: string): Promise<string[]> {
    const text = await this.ask(`show bgp ipv4 unicast neighbors ${address} routes json`);
    const { routes } = JSON.parse(text) as { routes?: Record<string, unknown> };
    return Object.keys(routes ?? {}).sort();
  }

  /** Ends both daemons in order (SIGTERM), or as a crash (SIGKILL). */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    for (const daemon of this.#daemons.splice(0).reverse()) await daemon.stop(signal);
  }

  log(): string {
    return this.#daemons.map((daemon) => daemon.output()).join('\n');
  }
}

/** Numbers of the user and group frr. */
async function frrIds(): Promise<[number, number]> {
  const line = (await readFile('/etc/passwd', 'utf8'))
    .split('\n')
    .find((l) => l.startsWith('frr:'));
  const [, , uid, gid] = line?.split(':') ?? [];
  if (!uid || !gid)
    throw new Error('There is no user frr: scripts/bootstrap.sh test installs FRR.');
  return [Number(uid), Number(gid)];
}
