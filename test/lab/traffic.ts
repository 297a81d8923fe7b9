// SPDX-License-Identifier: Apache-2.0
/**
 * Traffic as a test asks for it: a typed hand on the agent in a host, and wrappers of ping and
 * traceroute.
 */
import { fileURLToPath } from 'node:url';
import type { AgentMethods, Answer } from './agent.ts';
import type { ManyReport } from './many-sessions.ts';
import type { Host } from './namespace.ts';
import type { FlowReport } from './numbered-udp.ts';
import { until } from './process.ts';
import { type Params, Requests, type Result } from './requests.ts';
import { echoPort, httpPort } from './web-server.ts';

export type { Answer, FlowReport, ManyReport };

export const flowPort = 5000;
export const transferPort = 5001;

/** The agent of one host. */
export class Agent {
  readonly #requests: Requests<AgentMethods>;

  private constructor(host: Host) {
    const running = host.startNode(fileURLToPath(new URL('./agent.ts', import.meta.url)));
    this.#requests = new Requests(host.name, running);
  }

  /** Starts an agent and waits until it answers. */
  static async start(host: Host): Promise<Agent> {
    const agent = new Agent(host);
    await agent.call('ready', {});
    return agent;
  }

  call<Name extends keyof AgentMethods>(
    method: Name,
    params: Params<AgentMethods, Name>,
  ): Promise<Result<AgentMethods, Name>> {
    return this.#requests.call(method, params);
  }

  /** Asks a network's server who it is, over each of TCP, UDP and HTTP. */
  ask(protocol: 'tcp' | 'udp' | 'http', remote: string, timeoutMs = 60_000): Promise<Answer> {
    if (protocol === 'http') return this.call('askHttp', { remote, port: httpPort, timeoutMs });
    if (protocol === 'tcp') return this.call('askTcp', { remote, port: echoPort, timeoutMs });
    return this.call('askUdp', { remote, port: echoPort, timeoutMs, localPort: 0 });
  }

  /** Watches an interface of this host, see raw-socket.ts. */
  async watch(
    name: string,
    networkInterface: string,
    match: Params<AgentMethods, 'watch'>['match'],
  ): Promise<{ seen: () => Promise<Result<AgentMethods, 'seen'>>; close: () => Promise<void> }> {
    await this.call('watch', { name, interface: networkInterface, match });
    return {
      seen: () => this.call('seen', { name }),
      close: () => this.call('unwatch', { name }),
    };
  }
}

/** A flow of numbered datagrams both ways between a client and a network's server. */
export class NumberedFlow {
  readonly #client: Agent;
  readonly #server: Agent;
  readonly #id: number;
  static #ids = 0;

  private constructor(client: Agent, server: Agent, id: number) {
    this.#client = client;
    this.#server = server;
    this.#id = id;
  }

  static async open(
    client: Agent,
    server: Agent,
    remote: string,
    options: {
      readonly packetsPerSecond: number;
      readonly bytes?: number;
      readonly localAddress?: string;
    },
  ): Promise<NumberedFlow> {
    const id = ++NumberedFlow.#ids;
    await client.call('openFlow', {
      id,
      remote,
      port: flowPort,
      packetsPerSecond: options.packetsPerSecond,
      bytes: options.bytes ?? 200,
      localAddress: options.localAddress ?? '0.0.0.0',
    });
    return new NumberedFlow(client, server, id);
  }

  /** What both ends know now; numbers still on their way count as missing. */
  async now(): Promise<{ up: FlowReport; down: FlowReport }> {
    const id = this.#id;
    const down = await this.#client.call('reportFlow', { id, expected: 0 });
    return { up: await this.#server.call('reportFlow', { id, expected: 0 }), down };
  }

  /** Waits until the client has sent so many more numbers, and the server has got as many if it is to. */
  async advances(count: number, isArriving = true): Promise<void> {
    const of = ({ up, down }: { up: FlowReport; down: FlowReport }): number =>
      isArriving ? up.received : down.sent;
    const before = of(await this.now());
    await until('the flow advances', async () => of(await this.now()) >= before + count);
  }

  /**
   * Stops both streams, waits for what is on its way, and accounts for every number.
   *
   * What is missing counts as lost when nothing has arrived for so many rounds; when nothing is missing
   * there is no wait.
   */
  async finish(rounds = quietRounds): Promise<{ up: FlowReport; down: FlowReport }> {
    const id = this.#id;
    await Promise.all([this.#client, this.#server].map((end) => end.call('stopFlow', { id })));
    let outstanding = -1;
    for (let quiet = 0; ; ) {
      const { up, down } = await this.now();
      // A server of another network may go on sending to the client: more than was sent is none missing.
      const before = outstanding;
      outstanding = Math.max(0, down.sent - up.received) + Math.max(0, up.sent - down.received);
      quiet = outstanding === before ? quiet + 1 : 0;
      if (outstanding === 0 || quiet === rounds) {
        return {
          up: await this.#server.call('reportFlow', { id, expected: down.sent }),
          down: await this.#client.call('reportFlow', { id, expected: up.sent }),
        };
      }
      await new Promise((resolve) => setTimeout(resolve, quietRoundMs));
    }
  }
}

/** Rounds without an arrival: for a flow that may lose, and for one that may not. */
const quietRounds = 20;
export const patientRounds = 600;
const quietRoundMs = 50;

/** The path MTU from a server back to a client, which says hello first and echoes. */
export async function pathMtuBack(
  server: Agent,
  client: Agent,
  options: { readonly remote: string; readonly port: number; readonly bytes: number },
): Promise<Result<AgentMethods, 'discoverPathMtuBack'>> {
  const { remote, port, bytes } = options;
  const discovered = server.call('discoverPathMtuBack', { port, bytes });
  await server.call('ready', {}); // requests begin in order: it listens by now
  const echo = client.call('echo', { remote, port });
  const found = await discovered;
  await client.call('stopEcho', {});
  await echo;
  return found;
}

export interface PingReport {
  readonly sent: number;
  readonly received: number;
  /** Lines about errors, e.g. "From 10.1.0.1 icmp_seq=1 Destination Net Unreachable". */
  readonly errors: readonly string[];
}

/** Pings; extra are words of iputils-ping, e.g. ['-M', 'do', '-s', '1472']. */
export async function ping(
  host: Host,
  remote: string,
  count = 3,
  extra: readonly string[] = [],
): Promise<PingReport> {
  const argv = ['ping', '-n', '-i', '0.2', '-W', '10', '-c', `${count}`, ...extra, remote];
  const { stdout } = await host.run(argv, { statuses: [0, 1] });
  const totals = /(\d+) packets transmitted, (\d+) received/.exec(stdout);
  const errors = stdout.split('\n').filter((line) => /^From /i.test(line));
  return { sent: Number(totals?.[1] ?? 0), received: Number(totals?.[2] ?? 0), errors };
}

/** @returns the address that answered at each hop, `*` for silence */
export async function traceroute(
  host: Host,
  remote: string,
  protocol: 'udp' | 'icmp' | 'tcp' = 'udp',
  hopsMax = 8,
): Promise<string[]> {
  const kind = { udp: [], icmp: ['-I'], tcp: ['-T', '-p', `${httpPort}`] }[protocol];
  const argv = [
    'traceroute',
    '-n',
    '-q',
    '1',
    '-w',
    '10',
    '-m',
    `${hopsMax}`,
    '-N',
    '1',
    ...kind,
    remote,
  ];
  const { stdout } = await host.run(argv);
  return stdout
    .split('\n')
    .slice(1)
    .filter(Boolean)
    .map((line) => line.trim().split(/\s+/)[1] ?? '*');
}
