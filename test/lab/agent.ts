// SPDX-License-Identifier: Apache-2.0
/**
 * The one program that runs in a host of the lab: it serves and generates traffic on request (see
 * requests.ts), so that a lab needs few processes. traffic.ts is its other end.
 */
import { createSocket } from 'node:dgram';
import { serveTransfers, transfer } from './bulk-tcp.ts';
import { sendCrowd } from './crowd.ts';
import { askAgain, closeMany, firstLine, manyTcp, manyUdp } from './many-sessions.ts';
import { answerFlows, openFlow, reportFlow, stopFlow } from './numbered-udp.ts';
import { discoverPathMtu, discoverPathMtuBack, echo, stopEcho } from './path-mtu.ts';
import { type FrameMatch, sendFrames, Watch } from './raw-socket.ts';
import { serveRequests } from './requests.ts';
import { listenUdp, serve } from './web-server.ts';

/** Who answered, and under which address it saw the one who asked. */
export interface Answer {
  readonly network: string;
  readonly address: string;
  readonly port: number;
}

function parseAnswer(line: string): Answer {
  const [network = '', address = '', port = ''] = line.trim().split(' ');
  return { network, address, port: Number(port) };
}

const watches = new Map<string, Watch>();

function watchOf(name: string): Watch {
  const watch = watches.get(name);
  if (!watch) throw new Error(`There is no watch ${name} here.`);
  return watch;
}

const methods = {
  ready: async (_: object): Promise<true> => true,

  /** The server of a network, see web-server.ts; flows at port 5000, transfers at port 5001. */
  serve: async (p: { network: string; address: string }): Promise<void> => {
    await serve(p.network, p.address);
    await answerFlows(p.address, 5000);
    await serveTransfers(p.address, 5001);
  },

  askHttp: async (p: { remote: string; port: number; timeoutMs: number }): Promise<Answer> => {
    const response = await fetch(`http://${p.remote}:${p.port}/`, {
      signal: AbortSignal.timeout(p.timeoutMs),
    });
    return parseAnswer(await response.text());
  },
  askTcp: async (p: { remote: string; port: number; timeoutMs: number }): Promise<Answer> =>
    parseAnswer(await firstLine(p.remote, p.port, p.timeoutMs)),
  /** Sends every 200 ms until there is an answer; from one socket, so that it is one session. */
  askUdp: async (p: {
    remote: string;
    port: number;
    timeoutMs: number;
    localPort: number;
  }): Promise<Answer> => {
    const socket = createSocket('udp4');
    await listenUdp(socket, p.localPort, '0.0.0.0');
    try {
      return await new Promise<Answer>((resolve, reject) => {
        const send = (): void => socket.send('ask', p.port, p.remote, () => {});
        const again = setInterval(send, 200);
        const late = setTimeout(() => {
          clearInterval(again);
          reject(new Error('timeout'));
        }, p.timeoutMs);
        socket.once('message', (message) => {
          clearInterval(again);
          clearTimeout(late);
          resolve(parseAnswer(message.toString()));
        });
        send();
      });
    } finally {
      socket.close();
    }
  },

  openFlow,
  stopFlow: async (p: { id: number }): Promise<void> => stopFlow(p.id),
  reportFlow: async (p: { id: number; expected: number }) => reportFlow(p.id, p.expected),
  transfer,
  manyUdp,
  askAgain,
  sendCrowd,
  closeMany: async (_: object): Promise<void> => closeMany(),
  manyTcp,
  discoverPathMtu,
  discoverPathMtuBack,
  echo,
  stopEcho: async (_: object): Promise<void> => stopEcho(),

  watch: async (p: { name: string; interface: string; match: FrameMatch }): Promise<void> => {
    watches.set(p.name, new Watch(p.interface, p.match));
  },
  seen: async (p: { name: string }) => watchOf(p.name).seen(),
  unwatch: async (p: { name: string }): Promise<void> => {
    watchOf(p.name).close();
    watches.delete(p.name);
  },
  sendFrames: async (p: { interface: string; frames: readonly string[]; rounds?: number }) =>
    sendFrames(p.interface, p.frames, p.rounds),
};

export type AgentMethods = typeof methods;

serveRequests(methods);
