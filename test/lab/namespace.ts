// SPDX-License-Identifier: Apache-2.0
/**
 * The laboratory: hosts are network namespaces of this kernel, links are veth pairs.
 *
 *   const lab = await Lab.open();
 *   const client = await lab.host('client');
 *   const gateway = await lab.host('gateway');
 *   await lab.link({ host: client, name: 'eth0', addresses: ['10.1.0.2/24'] },
 *                  { host: gateway, name: 'ens3', addresses: ['10.1.0.1/24'] });
 *   await client.run(['ping', '-c', '1', '10.1.0.1']);
 *   await lab.close();
 *
 * Namespaces and the lab's folder are named eg<pid>-<start>-…, the process and the moment it started
 * (a pid alone comes again). Labs therefore live side by side, and a lab that opens sweeps what dead
 * ones left. A lab cleans up behind itself also when its process exits early or is asked to stop.
 *
 * Interface names are free in every namespace, since both ends of a link are born where they live.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Captured, type Running, type RunOptions, run, start, startTicks } from './process.ts';

/** Where a link ends. */
export interface LinkEnd {
  readonly host: Host;
  /** Interface name, at most 15 bytes. */
  readonly name: string;
  /** CIDR notation, e.g. 10.1.0.2/24. */
  readonly addresses: readonly string[];
  readonly mac?: string;
}

const namePattern = /^eg(\d+)-(\d+)(-|$)/;
const namespaceFolder = '/run/netns';

export class Host {
  readonly name: string;
  /** Name for `ip netns exec`. */
  readonly namespace: string;
  /** A folder of its own for configs, sockets and logs. */
  readonly folder: string;
  readonly #running: Running[] = [];

  constructor(name: string, namespace: string, folder: string) {
    this.name = name;
    this.namespace = namespace;
    this.folder = folder;
  }

  /** Runs a program here to its end. */
  run(argv: readonly string[], options?: RunOptions): Promise<Captured> {
    return run(['ip', 'netns', 'exec', this.namespace, ...argv], options);
  }

  /** Starts a program here that runs until the lab closes. */
  start(argv: readonly string[]): Running {
    const running = start(['ip', 'netns', 'exec', this.namespace, ...argv]);
    this.#running.push(running);
    return running;
  }

  /** Starts a TypeScript file here on this Node. */
  startNode(file: string, args: readonly string[] = []): Running {
    return this.start([process.execPath, '--disable-warning=ExperimentalWarning', file, ...args]);
  }

  /** Runs several `ip` commands here at once, one a line, without the word ip. */
  async ip(...lines: readonly string[]): Promise<void> {
    const stdin = `${lines.join('\n')}\n`;
    await run(['ip', '-n', this.namespace, '-batch', '-'], { stdin });
  }

  /** MAC address of an interface here. */
  async mac(name: string): Promise<string> {
    const { stdout } = await run(['ip', '-n', this.namespace, '-j', 'link', 'show', name]);
    return (JSON.parse(stdout) as { address: string }[])[0]?.address ?? '';
  }

  /** Sets sysctls, e.g. `{ 'net.ipv4.ip_forward': 1 }`. */
  async sysctl(settings: Readonly<Record<string, number | string>>): Promise<void> {
    const words = Object.entries(settings).map(([key, value]) => `${key}=${value}`);
    await this.run(['sysctl', '-q', '-w', ...words]);
  }

  /** Loads nftables rules. */
  async nft(rules: string): Promise<void> {
    await this.run(['nft', '-f', '-'], { stdin: rules });
  }

  /** Ends what was started here, last first. */
  async stop(): Promise<void> {
    for (const running of this.#running.splice(0).reverse()) await running.stop();
  }
}

export class Lab {
  /** eg<pid>-<start>-<number>: begins every name that this lab gives. */
  readonly prefix: string;
  readonly folder: string;
  readonly #hosts = new Map<string, Host>();
  #isOpen = true;
  readonly #onExit = (): void => this.#closeNow();

  private constructor(prefix: string) {
    this.prefix = prefix;
    this.folder = join(tmpdir(), prefix);
    mkdirSync(this.folder, { recursive: true });
    process.once('exit', this.#onExit);
  }

  /** Sweeps what dead labs left, and opens a new one. Needs root. */
  static async open(): Promise<Lab> {
    if (process.getuid?.() !== 0) throw new Error('The lab makes network namespaces: run as root.');
    sweep();
    if (labsOpened === 0) {
      for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, exitOn);
    }
    labsOpened += 1;
    return new Lab(`eg${process.pid}-${ticksOf(process.pid)}-${labsOpened}`);
  }

  /** Makes a host, its loopback up. Names are unique in a lab. */
  async host(name: string): Promise<Host> {
    const namespace = `${this.prefix}-${name}`;
    const host = new Host(name, namespace, join(this.folder, name));
    mkdirSync(host.folder);
    this.#hosts.set(name, host);
    await run(['ip', 'netns', 'add', namespace]);
    await host.ip('link set lo up');
    return host;
  }

  /** Several hosts at once. */
  async hosts<const Name extends string>(...names: readonly Name[]): Promise<Record<Name, Host>> {
    const made = await Promise.all(names.map(async (name) => [name, await this.host(name)]));
    return Object.fromEntries(made) as Record<Name, Host>;
  }

  /** Connects two hosts and brings both ends up. IPv6 autoconfiguration is off, for quiet links. */
  async link(a: LinkEnd, b: LinkEnd, options: { readonly mtu?: number } = {}): Promise<void> {
    const mtu = `mtu ${options.mtu ?? 1500}`;
    const [macA, macB] = [a, b].map((end) => (end.mac ? `address ${end.mac}` : ''));
    await run(['ip', '-batch', '-'], {
      stdin:
        `link add name ${a.name} netns ${a.host.namespace} ${mtu} ${macA} type veth ` +
        `peer name ${b.name} netns ${b.host.namespace} ${mtu} ${macB}\n`,
    });
    await Promise.all(
      [a, b].map((end) =>
        end.host.ip(
          `link set ${end.name} addrgenmode none`,
          ...end.addresses.map((address) => `address add ${address} dev ${end.name}`),
          `link set ${end.name} up`,
        ),
      ),
    );
  }

  /** Ends every program and removes every namespace. Closing twice is harmless. */
  async close(): Promise<void> {
    if (!this.#isOpen) return;
    const stops = await Promise.allSettled([...this.#hosts.values()].map((host) => host.stop()));
    this.#closeNow();
    for (const stop of stops) if (stop.status === 'rejected') throw stop.reason;
  }

  #closeNow(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    process.removeListener('exit', this.#onExit);
    for (const host of this.#hosts.values()) removeNamespace(host.namespace);
    removeFolder(this.folder);
  }
}

let labsOpened = 0;

/** Exits, which closes every open lab by its exit listener. */
function exitOn(signal: NodeJS.Signals): void {
  process.exit(128 + { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 }[signal as 'SIGINT']);
}

/** Removes the namespaces, processes and folders of labs whose process no longer lives. */
export function sweep(): void {
  for (const name of [...list(namespaceFolder), ...list(tmpdir())]) {
    const owner = namePattern.exec(name);
    if (!owner || ticksOf(Number(owner[1])) === owner[2]) continue;
    if (list(namespaceFolder).includes(name)) removeNamespace(name);
    removeFolder(join(tmpdir(), name));
  }
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function ticksOf(pid: number): string | undefined {
  try {
    return startTicks(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return undefined;
  }
}

/** Kills what still lives in a namespace that is ours by its name, and deletes it. */
function removeNamespace(namespace: string): void {
  try {
    const pids = execFileSync('ip', ['netns', 'pids', namespace], { encoding: 'utf8' });
    for (const pid of pids.split('\n').filter(Boolean)) {
      try {
        process.kill(Number(pid), 'SIGKILL');
      } catch {
        // It has exited meanwhile.
      }
    }
    execFileSync('ip', ['netns', 'del', namespace], { stdio: 'ignore' });
  } catch {
    // It was never made, or another lab sweeps it at this moment.
  }
}

/** Removes a lab's folder, and the shared memory to which the run directories in it point. */
function removeFolder(folder: string): void {
  for (const path of listDeep(folder)) {
    if (!path.endsWith('/arena')) continue;
    try {
      const target = readlinkSync(path);
      if (target.startsWith('/dev/shm/')) rmSync(target, { force: true });
    } catch {
      // Not a link.
    }
  }
  rmSync(folder, { recursive: true, force: true });
}

function listDeep(folder: string): string[] {
  try {
    const entries = readdirSync(folder, { recursive: true, encoding: 'utf8' });
    return entries.map((entry) => join(folder, entry));
  } catch {
    return [];
  }
}
