// SPDX-License-Identifier: Apache-2.0
/**
 * TCP for BGP: the only file of BGP with sockets.
 *
 * Node cannot bind a socket to a device, mark it or sign its segments, so descriptors are opened by
 * the native library, handed in as BgpSockets, and wrapped here: net.Server for listening ones,
 * net.Socket for connected ones. A descriptor that is still connecting is polled, since Node tells
 * no caller when one it did not connect itself becomes connected.
 *
 * Listeners share the port (SO_REUSEPORT): one for the main table bound to no device, one for each
 * (network, interface) bound to it, each with its own TCP-MD5 keys (RFC 2385). Everything above
 * sees Transport and Connection only; test/support/memory-transport.ts is the other implementation.
 */
import net from 'node:net';
import type { Clock, Timer } from '../../lib/clock.ts';
import type { WorkQueue } from '../../lib/work-queue.ts';
import { formatIpv4, type Ipv4, parseIpv4 } from '../../net/ipv4.ts';

/** What listening and connecting sockets have in common. */
export interface BgpSocketOptions {
  readonly localAddress?: Ipv4 | undefined;
  readonly interface?: string | undefined;
  readonly mark?: number | undefined;
  /** Of a listening one, that of SYN-ACK; a neighbor with GTSM hears nothing below 255. */
  readonly ttl?: number | undefined;
  readonly minTtl?: number | undefined;
}

/** What the native library does; every call may throw an EgretError. `fd` is a descriptor. */
export interface BgpSockets {
  listen(options: BgpSocketOptions & { readonly port: number }): number;
  connect(
    options: BgpSocketOptions & {
      readonly remoteAddress: Ipv4;
      readonly remotePort: number;
      readonly md5Key?: string | undefined;
    },
  ): number;
  /** On a listening descriptor; undefined removes the key. */
  setMd5(fd: number, remoteAddress: Ipv4, key: string | undefined): void;
  connectState(fd: number): 'connecting' | 'connected' | { readonly failed: string };
  setMinTtl(fd: number, minTtl: number, ttl: number): void;
  close(fd: number): void;
}

/** RFC 5082: what is sent and what is taken. */
export interface TtlPolicy {
  readonly ttl: number;
  /** 0: any. */
  readonly minTtl: number;
}

export interface ConnectOptions {
  readonly remoteAddress: Ipv4;
  readonly remotePort: number;
  /** undefined: the kernel chooses. */
  readonly localAddress: Ipv4 | undefined;
  readonly interface: string | undefined;
  readonly mark: number | undefined;
  readonly ttl: TtlPolicy;
  readonly md5Key: string | undefined;
}

export interface ListenOptions {
  readonly port: number;
  /** undefined: bound to no device (the main table). */
  readonly interface: string | undefined;
  readonly mark: number | undefined;
  readonly ttl: TtlPolicy;
}

/** Who made a connection: we or the neighbor. */
export type Direction = 'outgoing' | 'incoming';

export interface ConnectionHandlers {
  /** The bytes are only valid during the call. */
  received(chunk: Uint8Array): void;
  /** The kernel has taken all of a message that was written. */
  taken?(): void;
  /** Called once, however it was closed, unless by destroy(). */
  closed(reason: string): void;
}

/** An established TCP connection. Nothing is received before attach(). */
export interface Connection {
  readonly localAddress: Ipv4;
  readonly localPort: number;
  readonly remoteAddress: Ipv4;
  readonly remotePort: number;
  /** Written and not yet taken by the kernel. */
  readonly queuedBytes: number;
  attach(handlers: ConnectionHandlers): void;
  write(bytes: Uint8Array): void;
  pause(): void;
  resume(): void;
  setTtl(ttl: TtlPolicy): void;
  /** Sends what is queued, then closes. */
  end(): void;
  /** Closes now; what is queued is lost. */
  destroy(): void;
}

export interface Listener {
  setMd5(remoteAddress: Ipv4, key: string | undefined): void;
  setTtl(ttl: TtlPolicy): void;
  close(): void;
}

export interface Connecting {
  /** Gives up; neither handler is called any more. */
  cancel(): void;
}

export interface Transport {
  /** @throws EgretError when the socket cannot be opened */
  listen(options: ListenOptions, accepted: (connection: Connection) => void): Listener;
  connect(
    options: ConnectOptions,
    handlers: { connected(connection: Connection): void; failed(reason: string): void },
  ): Connecting;
}

const pollFirstMs = 2;
const pollLongestMs = 50;

export function makeSocketTransport(
  sockets: BgpSockets,
  clock: Clock,
  queue: WorkQueue,
): Transport {
  return {
    listen: (options, accepted) => listen(sockets, queue, options, accepted),
    connect: (options, handlers) => connect(sockets, clock, options, handlers),
  };
}

function listen(
  sockets: BgpSockets,
  queue: WorkQueue,
  options: ListenOptions,
  accepted: (connection: Connection) => void,
): Listener {
  const { port, mark, ttl } = options;
  let isClosed = false;
  const fd = sockets.listen({
    port,
    interface: options.interface,
    mark,
    ttl: ttl.ttl,
    minTtl: ttl.minTtl === 0 ? undefined : ttl.minTtl,
  });
  const server = net.createServer({ pauseOnConnect: true, allowHalfOpen: false }, (socket) => {
    // A connection may be closed before it is accepted here.
    socket.on('error', () => {});
    // A flood of connections is many short steps.
    queue.soon(() => {
      const connection = isClosed ? undefined : wrap(sockets, socket);
      if (connection) accepted(connection);
      else socket.destroy();
    });
  });
  // Accept errors (no descriptors left) pass; the listener stays.
  server.on('error', () => {});
  server.listen({ fd });
  return {
    setMd5: (remoteAddress, key) => sockets.setMd5(fd, remoteAddress, key),
    setTtl: (policy) => sockets.setMinTtl(fd, policy.minTtl, policy.ttl),
    // The descriptor is the server's own since listen({ fd }).
    close() {
      isClosed = true;
      server.close();
    },
  };
}

function connect(
  sockets: BgpSockets,
  clock: Clock,
  options: ConnectOptions,
  handlers: { connected(connection: Connection): void; failed(reason: string): void },
): Connecting {
  let timer: Timer;
  let fd: number | undefined;
  const { ttl, minTtl } = options.ttl;
  try {
    fd = sockets.connect({ ...options, ttl, minTtl: minTtl === 0 ? undefined : minTtl });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    timer = clock.after(0, () => handlers.failed(reason));
    return { cancel: () => timer.clear() };
  }
  let delayMs = pollFirstMs;
  const giveUp = (reason: string) => {
    if (fd !== undefined) sockets.close(fd);
    fd = undefined;
    handlers.failed(reason);
  };
  const poll = () => {
    if (fd === undefined) return;
    const state = sockets.connectState(fd);
    if (state === 'connecting') {
      delayMs = Math.min(delayMs * 2, pollLongestMs);
      timer = clock.after(delayMs, poll);
    } else if (state === 'connected') {
      const socket = new net.Socket({ fd, readable: true, writable: true });
      const connection = wrap(sockets, socket);
      fd = undefined;
      if (connection) handlers.connected(connection);
      else {
        socket.destroy();
        handlers.failed('closed at once');
      }
    } else {
      giveUp(state.failed);
    }
  };
  timer = clock.after(pollFirstMs, poll);
  return {
    cancel() {
      timer.clear();
      if (fd !== undefined) sockets.close(fd);
      fd = undefined;
    },
  };
}

/** @returns undefined when the connection has no IPv4 addresses (any more) */
function wrap(sockets: BgpSockets, socket: net.Socket): Connection | undefined {
  const localAddress = addressOf(socket.localAddress);
  const remoteAddress = addressOf(socket.remoteAddress);
  if (localAddress === undefined || remoteAddress === undefined) return undefined;
  let isClosed = false;
  let failure: string | undefined;
  let taken: (() => void) | undefined;
  socket.setNoDelay(true);
  socket.on('error', (error: NodeJS.ErrnoException) => {
    failure = error.code ?? error.message;
  });
  return {
    localAddress,
    localPort: socket.localPort ?? 0,
    remoteAddress,
    remotePort: socket.remotePort ?? 0,
    get queuedBytes() {
      return socket.writableLength;
    },
    attach(handlers) {
      taken = handlers.taken;
      socket.on('data', (chunk: Uint8Array) => {
        if (!isClosed) handlers.received(chunk);
      });
      socket.on('close', () => {
        if (isClosed) return;
        isClosed = true;
        handlers.closed(failure ?? 'closed by the neighbor');
      });
      if (socket.destroyed) socket.emit('close');
      else socket.resume();
    },
    write(bytes) {
      if (socket.writableEnded || socket.destroyed) return;
      socket.write(bytes, (error) => {
        if (!error) taken?.();
      });
    },
    pause: () => socket.pause(),
    resume: () => socket.resume(),
    setTtl({ ttl, minTtl }) {
      const fd = descriptorOf(socket);
      if (fd !== undefined) sockets.setMinTtl(fd, minTtl, ttl);
    },
    end() {
      if (socket.destroyed) return;
      // Unread bytes would turn the close into a reset that overtakes what we send last.
      socket.resume();
      socket.end();
    },
    destroy() {
      isClosed = true;
      socket.destroy();
    },
  };
}

function addressOf(text: string | undefined): Ipv4 | undefined {
  return text === undefined ? undefined : parseIpv4(text.replace(/^::ffff:/, ''));
}

/** An accepted socket's descriptor; Node keeps it in its handle and has no other name for it. */
function descriptorOf(socket: net.Socket): number | undefined {
  const handle = (socket as unknown as { _handle?: { fd?: number } | null })._handle;
  return handle?.fd !== undefined && handle.fd >= 0 ? handle.fd : undefined;
}

/** The remote end, for logs. */
export function formatRemote(connection: Connection): string {
  return `${formatIpv4(connection.remoteAddress)}:${connection.remotePort}`;
}
