// SPDX-License-Identifier: Apache-2.0
/**
 * Services on a host, and a scan of a host's ports. Run as a program, it is one of the two:
 *
 *   port-scan.ts listen PORT…            answers at each, by TCP and UDP, IPv4 and IPv6
 *   port-scan.ts scan REMOTE LOCAL PORT…  prints those that are open, as JSON; LOCAL may be ''
 */
import { createSocket } from 'node:dgram';
import { connect, createServer, isIPv6 } from 'node:net';
import { fileURLToPath } from 'node:url';
import type { Host } from './namespace.ts';
import { until } from './process.ts';

export interface OpenPorts {
  /** Those to which a connection came up. */
  readonly tcp: readonly number[];
  /** Those that answered. */
  readonly udp: readonly number[];
}

const program = fileURLToPath(import.meta.url);
/** A port that says nothing is closed after this time: others answer in far less. */
const silenceMs = 10_000;

/** Starts services that answer on all addresses of a host. */
export async function startServices(host: Host, ports: readonly number[]): Promise<void> {
  const running = host.startNode(program, ['listen', ...ports.map(String)]);
  await until('services listen', () => running.output().includes('listening'));
}

/** @param local - address to scan from */
export async function scanPorts(
  host: Host,
  remote: string,
  ports: readonly number[],
  local = '',
): Promise<OpenPorts> {
  const words = ['scan', remote, local, ...ports.map(String)];
  const { stdout } = await host.run([process.execPath, program, ...words]);
  return JSON.parse(stdout) as OpenPorts;
}

async function listen(ports: readonly number[]): Promise<void> {
  for (const port of ports) {
    const server = createServer((socket) => {
      socket.on('error', () => {});
      socket.end('open\n');
    });
    await new Promise<void>((done) => server.listen(port, '::', done));
    const udp = createSocket('udp6');
    udp.on('message', (_, { port: from, address }) => udp.send('open', from, address));
    await new Promise<void>((done) => udp.bind(port, '::', done));
  }
  process.stdout.write('listening\n');
}

async function scan(remote: string, local: string, ports: readonly number[]): Promise<OpenPorts> {
  const open = async (probe: (port: number) => Promise<boolean>): Promise<number[]> => {
    const answers = await Promise.all(ports.map(probe));
    return ports.filter((_, i) => answers[i]);
  };
  const [tcp, udp] = await Promise.all([
    open((port) => opens(port, remote, local)),
    open((port) => answers(port, remote, local)),
  ]);
  return { tcp, udp };
}

function opens(port: number, host: string, local: string): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect({ host, port, ...(local === '' ? {} : { localAddress: local }) });
    socket.setTimeout(silenceMs);
    const end = (isOpen: boolean) => () => {
      socket.destroy();
      done(isOpen);
    };
    socket.once('connect', end(true)).once('error', end(false)).once('timeout', end(false));
  });
}

function answers(port: number, host: string, local: string): Promise<boolean> {
  return new Promise((done) => {
    const socket = createSocket(isIPv6(host.replace(/%.*/, '')) ? 'udp6' : 'udp4');
    const late = setTimeout(() => end(false), silenceMs);
    const end = (isOpen: boolean): void => {
      clearTimeout(late);
      socket.close();
      done(isOpen);
    };
    socket.once('message', () => end(true)).on('error', () => {});
    const send = (): void => socket.send('hello', port, host, () => {});
    if (local === '') send();
    else socket.bind(0, local, send);
  });
}

if (process.argv[1] === program) {
  const [mode, ...words] = process.argv.slice(2);
  if (mode === 'listen') await listen(words.map(Number));
  else {
    const [remote = '', local = '', ...ports] = words;
    process.stdout.write(JSON.stringify(await scan(remote, local, ports.map(Number))));
    process.exit();
  }
}
