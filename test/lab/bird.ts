// SPDX-License-Identifier: Apache-2.0
/**
 * A real BIRD 2 in a host of the lab: its own configuration, control socket and folder.
 *
 * The prefixes that it announces stand in static protocols, one a group, so that a test withdraws
 * and announces them as an operator would: `birdc disable GROUP`.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Host } from './namespace.ts';
import { type Running, until } from './process.ts';

export interface BirdOptions {
  readonly routerId: string;
  readonly localAs: number;
  readonly neighbors: readonly BirdNeighbor[];
  /** Prefixes to announce, by group name; their next hop is this router. */
  readonly announce: Readonly<Record<string, readonly string[]>>;
  /** Groups that are withdrawn at start. */
  readonly withdrawn?: readonly string[];
  /** More of BIRD's own language, at the end of the file. */
  readonly extra?: string;
}

export interface BirdNeighbor {
  /** Protocol name in BIRD, e.g. egret. */
  readonly name: string;
  readonly address: string;
  readonly localAddress?: string;
  readonly remoteAs: number;
  readonly password?: string;
  readonly holdTimeS?: number;
  /** GTSM; counts as `ttl security on`. */
  readonly hasTtlSecurity?: boolean;
  readonly gracefulRestart?: 'on' | 'off' | 'aware';
  /** How long we keep routes of a neighbor that restarts. */
  readonly restartTimeS?: number;
  readonly isPassive?: boolean;
  /** More lines in the protocol, and in its ipv4 channel. */
  readonly extra?: string;
  readonly channelExtra?: string;
  /** An ipv6 channel too, for MP-BGP. */
  readonly hasIpv6?: boolean;
}

/** The configuration file for some options. */
export function birdConfig(options: BirdOptions): string {
  const groups = Object.entries(options.announce).map(([name, prefixes]) => {
    const family = prefixes.some((prefix) => prefix.includes(':')) ? 'ipv6' : 'ipv4';
    const routes = prefixes.map((prefix) => `  route ${prefix} blackhole;\n`).join('');
    const state = options.withdrawn?.includes(name) ? '  disabled;\n' : '';
    return `protocol static ${name} {\n  ${family};\n${state}${routes}}\n`;
  });
  return [
    `router id ${options.routerId};`,
    'log stderr { info, warning, error, fatal, auth, bug };',
    'protocol device { scan time 5; }',
    'protocol kernel { ipv4 { import none; export where source = RTS_BGP; }; }',
    ...groups,
    ...options.neighbors.map((neighbor) => neighborConfig(options.localAs, neighbor)),
    options.extra ?? '',
  ].join('\n');
}

function neighborConfig(localAs: number, neighbor: BirdNeighbor): string {
  const local = neighbor.localAddress ? `local ${neighbor.localAddress} as` : 'local as';
  const channel = `import all; export where source = RTS_STATIC; next hop self; ${neighbor.channelExtra ?? ''}`;
  return [
    `protocol bgp ${neighbor.name} {`,
    `  ${local} ${localAs};`,
    `  neighbor ${neighbor.address} as ${neighbor.remoteAs};`,
    '  direct;', // also iBGP: its next hops are on the link, no other protocol resolves them
    `  ipv4 { ${channel} };`,
    neighbor.hasIpv6 ? `  ipv6 { ${channel} };` : '',
    '  connect delay time 1; connect retry time 1; error wait time 1, 2;',
    neighbor.password ? `  password "${neighbor.password}";` : '',
    neighbor.holdTimeS ? `  hold time ${neighbor.holdTimeS};` : '',
    neighbor.hasTtlSecurity ? '  ttl security on;' : '',
    `  graceful restart ${neighbor.gracefulRestart ?? 'on'};`,
    `  graceful restart time ${neighbor.restartTimeS ?? 60};`,
    neighbor.isPassive ? '  passive on;' : '',
    neighbor.extra ?? '',
    '}',
  ].join('\n');
}

export class Bird {
  readonly #host: Host;
  readonly #socket: string;
  readonly #file: string;
  #running: Running | undefined;

  private constructor(host: Host) {
    this.#host = host;
    this.#socket = join(host.folder, 'bird.ctl');
    this.#file = join(host.folder, 'bird.conf');
  }

  /** Starts BIRD and waits until it answers. */
  static async start(host: Host, options: BirdOptions): Promise<Bird> {
    const bird = new Bird(host);
    await writeFile(bird.#file, birdConfig(options));
    await bird.#launch();
    return bird;
  }

  async #launch(): Promise<void> {
    const pidFile = join(this.#host.folder, 'bird.pid');
    const files = ['-c', this.#file, '-s', this.#socket, '-P', pidFile];
    const running = this.#host.start(['bird', '-f', ...files]);
    this.#running = running;
    await until('BIRD answers', () => this.ask('show', 'status')).catch(() => {
      throw new Error(`BIRD in ${this.#host.name} did not start:\n${running.output()}`);
    });
  }

  /** Runs a birdc command. @returns what it printed, without the greeting */
  async ask(...words: string[]): Promise<string> {
    const { stdout } = await this.#host.run(['birdc', '-s', this.#socket, ...words]);
    return stdout.replace(/^BIRD .* ready\.\n/, '');
  }

  /** Announces a group that was withdrawn. */
  async announce(group: string): Promise<void> {
    await this.ask('enable', group);
  }

  async withdraw(group: string): Promise<void> {
    await this.ask('disable', group);
  }

  /** Replaces the configuration, as `birdc configure` does. */
  async configure(options: BirdOptions): Promise<void> {
    await writeFile(this.#file, birdConfig(options));
    await this.ask('configure');
  }

  /** @returns the BGP state of a neighbor, e.g. Established */
  async state(neighbor: string): Promise<string> {
    const text = await this.ask('show', 'protocols', 'all', neighbor);
    return /BGP state:\s+(\S+)/.exec(text)?.[1] ?? 'none';
  }

  async established(neighbor: string): Promise<void> {
    await until(
      `BIRD in ${this.#host.name} has a session with ${neighbor}`,
      async () => (await this.state(neighbor)) === 'Established',
    );
  }

  /** Prefixes that a neighbor announces to us, sorted as text. */
  async learned(neighbor: string): Promise<string[]> {
    const text = await this.ask('show', 'route', 'protocol', neighbor);
    return [...text.matchAll(/^(\d\S*\/\d+)/gm)].map((match) => match[1] ?? '').sort();
  }

  /** Ends BIRD with a Cease (SIGTERM), or as a crash (SIGKILL). */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    await this.#running?.stop(signal);
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.#launch();
  }

  log(): string {
    return this.#running?.output() ?? '';
  }
}
