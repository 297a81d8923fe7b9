// SPDX-License-Identifier: Apache-2.0
/**
 * Probes on the wire: the only file of this folder with sockets.
 *
 * Node can neither open a raw socket nor bind one to a device and a mark, so descriptors come from
 * the native library, handed in as ProbeSockets. Node does not report when a raw socket becomes
 * readable or a connection that it did not start comes up; both are polled, less and less often,
 * and only while a probe is outstanding.
 *
 * HTTP: one GET on a connection of its own; any 2xx or 3xx is an answer, a redirect is not followed,
 * the body is not read. With https the certificate must be valid for the URL's host. Names are
 * resolved by the box's own resolver (/etc/resolv.conf, by the main table), whatever network the
 * probe uses. Absent: IPv6, proxies.
 */
import { lookup } from 'node:dns';
import http from 'node:http';
import net from 'node:net';
import tls from 'node:tls';
import type { Clock, Timer } from '../lib/clock.ts';
import type { Random } from '../lib/random.ts';
import { type Ipv4, parseIpv4 } from '../net/ipv4.ts';

/** The way by which a probe leaves the box; both undefined: by the main table. */
export interface Way {
  readonly interface: string | undefined;
  readonly mark: number | undefined;
}

/** What the native library does; every call but close may throw an EgretError. */
export interface ProbeSockets {
  openEcho(remoteAddress: Ipv4, way: Way): number;
  sendEcho(fd: number, id: number, sequence: number): void;
  hasEchoReply(fd: number, id: number, sequence: number): boolean;
  connect(remoteAddress: Ipv4, remotePort: number, way: Way): number;
  connectState(fd: number): 'connecting' | 'connected' | { readonly failed: string };
  close(fd: number): void;
}

export interface AttemptHandlers {
  answered(): void;
  failed(reason: string): void;
}

/** One probe under way. Exactly one handler is called, once, unless it is canceled; never at once. */
export interface Attempt {
  cancel(): void;
}

export interface ProbeTransport {
  ping(address: Ipv4, way: Way, handlers: AttemptHandlers): Attempt;
  get(url: URL, address: Ipv4, way: Way, handlers: AttemptHandlers): Attempt;
  /** @param done - may be called at once; undefined: the name has no IPv4 address */
  resolve(host: string, done: (address: Ipv4 | undefined) => void): void;
}

const pollFirstMs = 1;
const pollLongestMs = 100;

export function makeProbeTransport(
  sockets: ProbeSockets,
  clock: Clock,
  random: Random,
): ProbeTransport {
  const waiting = new Map<string, ((address: Ipv4 | undefined) => void)[]>();
  return {
    ping: (address, way, handlers) => ping(sockets, clock, random, address, way, handlers),
    get: (url, address, way, handlers) => get(sockets, clock, url, address, way, handlers),
    resolve(host, done) {
      const literal = parseIpv4(host);
      if (literal !== undefined) {
        done(literal);
        return;
      }
      // The resolver takes as long as it likes: one question for a name at a time.
      const others = waiting.get(host);
      if (others) {
        others.push(done);
        return;
      }
      waiting.set(host, [done]);
      lookup(host, { family: 4 }, (error, address) => {
        const askers = waiting.get(host) ?? [];
        waiting.delete(host);
        for (const each of askers) each(error ? undefined : parseIpv4(address));
      });
    },
  };
}

function ping(
  sockets: ProbeSockets,
  clock: Clock,
  random: Random,
  address: Ipv4,
  way: Way,
  handlers: AttemptHandlers,
): Attempt {
  const id = Math.floor(random.next() * 0x1_0000);
  const sequence = Math.floor(random.next() * 0x1_0000);
  return poll(sockets, clock, {
    open() {
      const fd = sockets.openEcho(address, way);
      try {
        sockets.sendEcho(fd, id, sequence);
      } catch (error) {
        sockets.close(fd);
        throw error;
      }
      return fd;
    },
    isDone: (fd) => sockets.hasEchoReply(fd, id, sequence),
    done(fd) {
      sockets.close(fd);
      handlers.answered();
    },
    failed: handlers.failed,
  });
}

function get(
  sockets: ProbeSockets,
  clock: Clock,
  url: URL,
  address: Ipv4,
  way: Way,
  handlers: AttemptHandlers,
): Attempt {
  const port = Number(url.port) || (url.protocol === 'https:' ? 443 : 80);
  let asking: Attempt | undefined;
  const connecting = poll(sockets, clock, {
    open: () => sockets.connect(address, port, way),
    isDone(fd) {
      const state = sockets.connectState(fd);
      if (typeof state === 'object') throw new Error(state.failed);
      return state === 'connected';
    },
    done(fd) {
      asking = ask(url, new net.Socket({ fd, readable: true, writable: true }), handlers);
    },
    failed: handlers.failed,
  });
  return {
    cancel() {
      connecting.cancel();
      asking?.cancel();
    },
  };
}

/** Sends the request on a connected socket, and closes it as soon as the status has come. */
function ask(url: URL, socket: net.Socket, handlers: AttemptHandlers): Attempt {
  const { hostname } = url;
  const isName = net.isIP(hostname) === 0;
  // An error after the end must find a listener.
  socket.on('error', () => {});
  const request = http.request({
    createConnection: () =>
      url.protocol === 'https:'
        ? tls.connect({ socket, host: hostname, ...(isName ? { servername: hostname } : {}) })
        : socket,
    path: `${url.pathname}${url.search}`,
    headers: { host: url.host, 'user-agent': 'egret', accept: '*/*', connection: 'close' },
  });
  let isOver = false;
  const end = (tell: () => void): void => {
    if (isOver) return;
    isOver = true;
    request.destroy();
    socket.destroy();
    tell();
  };
  request.on('response', (response) => {
    const status = response.statusCode ?? 0;
    response.on('error', () => {});
    end(() => {
      if (status >= 200 && status < 400) handlers.answered();
      else handlers.failed(`HTTP status ${status}`);
    });
  });
  request.on('error', (error: NodeJS.ErrnoException) => {
    end(() => handlers.failed(error.code ?? error.message));
  });
  request.end();
  return { cancel: () => end(() => {}) };
}

interface Polled {
  open(): number;
  /** May throw: it failed. */
  isDone(fd: number): boolean;
  /** The descriptor is its own from here on. */
  done(fd: number): void;
  failed(reason: string): void;
}

function poll(sockets: ProbeSockets, clock: Clock, polled: Polled): Attempt {
  let fd: number | undefined;
  let delayMs = pollFirstMs;
  const look = (): void => {
    try {
      fd ??= polled.open();
      if (!polled.isDone(fd)) {
        timer = clock.after(delayMs, look);
        delayMs = Math.min(delayMs * 2, pollLongestMs);
        return;
      }
    } catch (error) {
      close();
      polled.failed(error instanceof Error ? causeOf(error) : String(error));
      return;
    }
    const mine = fd;
    fd = undefined;
    polled.done(mine);
  };
  const close = (): void => {
    if (fd !== undefined) sockets.close(fd);
    fd = undefined;
  };
  let timer: Timer = clock.after(0, look);
  return {
    cancel() {
      timer.clear();
      close();
    },
  };
}

/** What the system said, without the words around it: `(no route to host)`. */
function causeOf(error: Error): string {
  return /\(([^()]+)\)\.?$/.exec(error.message)?.[1] ?? error.message;
}
