// SPDX-License-Identifier: Apache-2.0
/**
 * TCP in memory: byte pipes between hosts on segments, under any clock. For tests and simulation.
 *
 * It does what BGP relies on: order, delay, closing by either end with what was queued delivered
 * first, back-pressure by pause(), the youngest of several listeners on a port, TCP-MD5 keys that
 * must match, TTL limits, and segments that can be cut so that everything is lost in silence.
 */

import type {
  Connecting,
  Connection,
  ConnectionHandlers,
  ConnectOptions,
  Listener,
  ListenOptions,
  Transport,
  TtlPolicy,
} from '../../src/bgp/connection/transport.ts';
import type { Clock, Timer } from '../../src/lib/clock.ts';
import type { Ipv4 } from '../../src/net/ipv4.ts';

/** A link between interfaces. */
export class Segment {
  isCut = false;
  /** What an end that is paused still takes from the other one. */
  windowBytes = 65_536;
  readonly latencyMs: number;
  readonly members: { host: MemoryHost; interface: string; address: Ipv4 }[] = [];

  constructor(latencyMs = 1) {
    this.latencyMs = latencyMs;
  }
}

interface MemoryListener {
  readonly options: ListenOptions;
  ttl: TtlPolicy;
  readonly keys: Map<Ipv4, string>;
  readonly accepted: (connection: Connection) => void;
}

/** One machine: a Transport with interfaces on segments. */
export class MemoryHost implements Transport {
  readonly #clock: Clock;
  readonly #segments: Segment[] = [];
  readonly #listeners: MemoryListener[] = [];
  readonly #open = new Set<MemoryConnection>();
  #portNext = 40_000;
  #isDead = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get connectionCount(): number {
    return this.#open.size;
  }

  join(segment: Segment, interfaceName: string, address: Ipv4): this {
    segment.members.push({ host: this, interface: interfaceName, address });
    this.#segments.push(segment);
    return this;
  }

  /**
   * As when the process dies: the kernel closes what it had, and nothing it still wants happens.
   *
   * @returns the same machine for the next process
   */
  crash(): MemoryHost {
    this.#isDead = true;
    this.#listeners.length = 0;
    for (const connection of [...this.#open]) connection.destroy();
    const next = new MemoryHost(this.#clock);
    next.#portNext = this.#portNext;
    for (const segment of this.#segments) {
      for (const member of segment.members) if (member.host === this) member.host = next;
      next.#segments.push(segment);
    }
    return next;
  }

  listen(options: ListenOptions, accepted: (connection: Connection) => void): Listener {
    const entry: MemoryListener = { options, ttl: options.ttl, keys: new Map(), accepted };
    this.#listeners.push(entry);
    return {
      setMd5(remoteAddress, key) {
        if (key === undefined) entry.keys.delete(remoteAddress);
        else entry.keys.set(remoteAddress, key);
      },
      setTtl(ttl) {
        entry.ttl = ttl;
      },
      close: () => {
        const at = this.#listeners.indexOf(entry);
        if (at >= 0) this.#listeners.splice(at, 1);
      },
    };
  }

  connect(
    options: ConnectOptions,
    handlers: { connected(connection: Connection): void; failed(reason: string): void },
  ): Connecting {
    if (this.#isDead) return { cancel() {} };
    const route = this.#route(options);
    let timer: Timer | undefined;
    const later = (run: () => void, delayMs: number) => {
      timer = this.#clock.after(delayMs, run);
    };
    if (!route) later(() => handlers.failed('EHOSTUNREACH'), 0);
    else {
      const { segment, near, far } = route;
      later(() => {
        if (segment.isCut) return;
        const listener = far.host.#listenerFor(far.interface, options.remotePort);
        if (!listener) {
          later(() => handlers.failed('ECONNREFUSED'), segment.latencyMs);
          return;
        }
        if (listener.keys.get(near.address) !== options.md5Key) return;
        if (options.ttl.ttl < listener.ttl.minTtl || listener.ttl.ttl < options.ttl.minTtl) return;
        this.#portNext += 1;
        const local = { address: near.address, port: this.#portNext };
        const remote = { address: far.address, port: options.remotePort };
        const ours = new MemoryConnection(this.#clock, segment, local, remote, this.#open);
        const theirs = new MemoryConnection(this.#clock, segment, remote, local, far.host.#open);
        ours.pair(theirs);
        listener.accepted(theirs);
        // The answer is on its way; who gives up now leaves a connection to be reset.
        let isTaken = false;
        timer = {
          clear: () => {
            if (!isTaken) ours.destroy();
          },
        };
        this.#clock.after(segment.latencyMs, () => {
          isTaken = true;
          if (!ours.isClosed) handlers.connected(ours);
        });
      }, segment.latencyMs);
    }
    return { cancel: () => timer?.clear() };
  }

  #route(options: ConnectOptions) {
    for (const segment of this.#segments) {
      const near = segment.members.find((each) => each.host === this);
      const far = segment.members.find(
        (each) => each.host !== this && each.address === options.remoteAddress,
      );
      if (!near || !far) continue;
      if (options.interface !== undefined && options.interface !== near.interface) continue;
      return { segment, near, far };
    }
    return undefined;
  }

  #listenerFor(interfaceName: string, port: number): MemoryListener | undefined {
    // As the kernel does with SO_REUSEPORT: the youngest that fits, bound or not.
    return this.#listeners.findLast(
      ({ options }) =>
        options.port === port &&
        (options.interface === undefined || options.interface === interfaceName),
    );
  }
}

interface EndPoint {
  readonly address: Ipv4;
  readonly port: number;
}

class MemoryConnection implements Connection {
  readonly localAddress: Ipv4;
  readonly localPort: number;
  readonly remoteAddress: Ipv4;
  readonly remotePort: number;
  readonly #clock: Clock;
  readonly #segment: Segment;
  readonly #open: Set<MemoryConnection>;
  #peer: MemoryConnection | undefined;
  #handlers: ConnectionHandlers | undefined;
  /** Arrived, not yet handed over; a string is the end, with its reason. */
  #inbox: (Uint8Array | string)[] = [];
  #isPaused = false;
  #isEnded = false;
  isClosed = false;
  /** Written, and not yet taken: the other end does not read. */
  readonly #queue: Uint8Array[] = [];

  constructor(
    clock: Clock,
    segment: Segment,
    local: EndPoint,
    remote: EndPoint,
    open: Set<MemoryConnection>,
  ) {
    this.#clock = clock;
    this.#segment = segment;
    this.#open = open;
    this.localAddress = local.address;
    this.localPort = local.port;
    this.remoteAddress = remote.address;
    this.remotePort = remote.port;
    open.add(this);
  }

  pair(peer: MemoryConnection): void {
    this.#peer = peer;
    peer.#peer = this;
  }

  attach(handlers: ConnectionHandlers): void {
    this.#handlers = handlers;
    this.#clock.soon(() => this.#deliver());
  }

  get queuedBytes(): number {
    return this.#queue.reduce((sum, each) => sum + each.length, 0);
  }

  write(bytes: Uint8Array): void {
    if (this.isClosed || this.#isEnded) return;
    this.#queue.push(bytes.slice());
    this.#flush();
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#clock.soon(() => this.#deliver());
    if (this.#peer) this.#peer.#flush();
  }

  setTtl(): void {}

  end(): void {
    if (this.isClosed || this.#isEnded) return;
    this.#isEnded = true;
    this.#isPaused = false;
    this.#flush();
  }

  destroy(): void {
    if (this.isClosed) return;
    this.#handlers = undefined;
    if (!this.#isEnded || this.#queue.length > 0) this.#transmit('ECONNRESET');
    this.#close();
  }

  #flush(): void {
    for (;;) {
      if (this.isClosed || this.#peer?.isFull) return;
      const bytes = this.#queue.shift();
      if (!bytes) break;
      this.#transmit(bytes);
      this.#handlers?.taken?.();
    }
    if (!this.#isEnded) return;
    this.#transmit('closed by the neighbor');
    this.#clock.after(this.#segment.latencyMs, () => this.#finish('closed'));
  }

  /** Takes no more: paused, and its window is used up. */
  get isFull(): boolean {
    if (!this.#isPaused) return false;
    const unread = this.#inbox.reduce((sum, each) => sum + each.length, 0);
    return unread >= this.#segment.windowBytes;
  }

  #transmit(item: Uint8Array | string): void {
    const peer = this.#peer;
    this.#clock.after(this.#segment.latencyMs, () => {
      if (this.#segment.isCut || !peer || peer.isClosed) return;
      peer.#inbox.push(item);
      peer.#deliver();
    });
  }

  #deliver(): void {
    while (this.#handlers && !this.#isPaused && !this.isClosed) {
      const item = this.#inbox.shift();
      if (item === undefined) return;
      if (typeof item === 'string') this.#finish(item);
      else this.#handlers.received(item);
    }
  }

  #finish(reason: string): void {
    if (this.isClosed) return;
    this.#close();
    this.#handlers?.closed(reason);
  }

  #close(): void {
    this.isClosed = true;
    this.#inbox = [];
    this.#open.delete(this);
  }
}
