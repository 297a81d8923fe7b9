// SPDX-License-Identifier: Apache-2.0
/**
 * The BGP speaker: one session for each neighbor of each network, and the listeners they come by.
 *
 * A neighbor is (network, address): two networks may have the same address in them. So a connection
 * belongs to the network of the listener that accepted it, which is bound to one of the network's
 * interfaces; the listener bound to no device takes neighbors of the main table only. What belongs
 * to no neighbor is closed and counted.
 */
import type { Clock, Timer } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import type { Random } from '../lib/random.ts';
import type { WorkQueue } from '../lib/work-queue.ts';
import type { BgpFilter } from '../model/model.ts';
import { neighborKey } from '../model/neighbor-key.ts';
import type { Ipv4 } from '../net/ipv4.ts';
import type { RibInput } from '../rib/route.ts';
import type { RestartFlags } from './connection/negotiate.ts';
import {
  type Connection,
  formatRemote,
  type Listener,
  type Transport,
} from './connection/transport.ts';
import { type SpeakerNeighbor, ttlOf } from './neighbor.ts';
import type { SessionPolicy } from './routes/neighbor-routes.ts';
import { rulesOf } from './routes/policy.ts';
import { isSameSession } from './same-session.ts';
import { Session, type SessionSurroundings } from './session.ts';
import type { NeighborRow } from './status.ts';
import { type ceaseSubcode, makeCease, makeOperatorCease } from './wire/notification.ts';

export interface SpeakerConfig {
  readonly listenPort: number;
  readonly neighbors: readonly SpeakerNeighbor[];
  readonly filters: readonly BgpFilter[];
  /**
   * All interfaces of networks. Those without a neighbor get a listener, too, which refuses all
   * connections: otherwise the main table's listener would accept them.
   */
  readonly networkInterfaces: readonly NetworkInterface[];
  /** R and F of our graceful restart capability; read by the first apply only. */
  readonly restart: RestartFlags;
}

export interface NetworkInterface {
  readonly network: string;
  readonly interface: string;
  /** The network's routeTableIndex. */
  readonly mark: number;
}

/** What the rest of the appliance must know at once. */
export interface SpeakerEvent {
  /**
   * quiet: Established, and nothing came for 2 s from a neighbor that sends no End-of-RIB.
   * pause: the same, but its End-of-RIB is still to come.
   */
  readonly kind: 'established' | 'down' | 'endOfRib' | 'quiet' | 'pause';
  readonly network: string | undefined;
  readonly address: Ipv4;
}

export interface SpeakerOptions {
  readonly clock: Clock;
  readonly queue: WorkQueue;
  readonly random: Random;
  readonly log: Log;
  readonly transport: Transport;
  /** The RIB of a network, a new one when it was removed meanwhile; undefined: the main table's. */
  rib(network: string | undefined): RibInput;
  changed(event: SpeakerEvent): void;
  /** Neighbors that the operator keeps down, by key, each with the words for it. */
  readonly down?: ReadonlyMap<string, string>;
}

interface BoundListener {
  readonly listener: Listener;
  /** Addresses that have a key on it, with the key. */
  readonly keys: Map<Ipv4, string>;
}

/** How long closing connections may take to send what is queued. */
const endingMs = 1_000;

export class Speaker {
  readonly #options: SpeakerOptions;
  readonly #sessions = new Map<string, Session>();
  /** Kept down by the operator: by key, the words for the neighbor. */
  readonly #down: Map<string, string>;
  readonly #listeners = new Map<string, BoundListener>();
  readonly #exports = new Map<string, readonly Ipv4[]>();
  readonly #ending = new Map<Connection, Timer>();
  #endingDone: (() => void) | undefined;
  #restart: RestartFlags | undefined;
  #listenPort = 0;
  /** Places at which the kernel refuses to listen now. */
  readonly #deaf = new Set<string>();
  #refusedCount = 0;

  constructor(options: SpeakerOptions) {
    this.#options = options;
    this.#down = new Map(options.down);
  }

  /** Connections that belonged to no neighbor. */
  get refusedCount(): number {
    return this.#refusedCount;
  }

  /**
   * Makes the sessions those of the configuration. Sessions of unchanged neighbors stay; new filters
   * ask for a route refresh; anything else about a neighbor ends its session and starts another.
   *
   * @returns whether it listens wherever it should, e.g. no other program has the port; if not, sessions
   *   come up by our connections only, and it is to be called again
   */
  apply(config: SpeakerConfig): boolean {
    this.#restart ??= config.restart;
    const wanted = new Map(
      config.neighbors.map((each) => [neighborKey(each.network, each.address), each]),
    );
    this.#applyListeners(config);
    for (const [key, session] of this.#sessions) {
      const next = wanted.get(key);
      const isSameRib = next && session.rib === this.#options.rib(next.network);
      if (isSameRib && isSameSession(session.neighbor, next)) continue;
      const subcode = next ? 'configurationChange' : 'peerDeconfigured';
      if (!next) this.#down.delete(key);
      this.#remove(key, session, subcode);
    }
    for (const [key, neighbor] of wanted) {
      const policy: SessionPolicy = {
        importRules: rulesOf(neighbor.filters, config.filters, 'importV4'),
        exportRules: rulesOf(neighbor.filters, config.filters, 'exportV4'),
      };
      const session = this.#sessions.get(key);
      if (session) session.setPolicy(neighbor, policy);
      else this.#add(key, neighbor, policy);
    }
    this.#restart = { ...this.#restart, isRestarting: false };
    return this.#deaf.size === 0;
  }

  /** The /32s that a network's neighbors hear; undefined: the main table's. */
  setExports(network: string | undefined, addresses: readonly Ipv4[]): void {
    this.#exports.set(network ?? '', [...addresses]);
    for (const session of this.#sessions.values()) {
      if (session.neighbor.network === network) session.setExports(addresses);
    }
  }

  /** Before an end: neighbors take other ways, if they have any. @returns how many were asked to */
  drain(): number {
    const up = [...this.#sessions.values()];
    for (const session of up) session.routes.drain();
    return up.filter((session) => session.snapshot().state === 'Established').length;
  }

  snapshot(): NeighborRow[] {
    return [...this.#sessions].map(([key, session]) => {
      const words = this.#down.get(key);
      if (words === undefined) return session.snapshot();
      const warning = `kept down by the operator${words === '' ? '' : `: ${words}`}`;
      return { ...session.snapshot(), warning };
    });
  }

  /** Neighbors that the operator keeps down, for the state file. */
  get down(): ReadonlyMap<string, string> {
    return this.#down;
  }

  /**
   * Keeps a neighbor down, with Cease, Administrative Shutdown and these words (RFC 9003), or with
   * undefined lets it come up again.
   */
  setDown(key: string, words: string | undefined): void {
    const session = this.#sessions.get(key);
    if (!session) return;
    if (words !== undefined) {
      this.#down.set(key, words);
      session.stop(makeOperatorCease('administrativeShutdown', words));
    } else if (this.#down.delete(key)) {
      this.#sessions.delete(key);
      this.#add(key, session.neighbor, session.routes.policy);
    }
  }

  /** Starts a neighbor's session over. @returns false while it is kept down */
  reset(key: string): boolean {
    if (this.#down.has(key)) return false;
    this.#sessions.get(key)?.reset();
    return true;
  }

  /** Announces all to a neighbor and asks it for all. @returns false when that cannot be */
  refresh(key: string): boolean {
    return this.#sessions.get(key)?.routes.refresh() ?? false;
  }

  /** Ends all sessions: NOTIFICATION Cease, Administrative Shutdown. Takes a second at most. */
  stop(): Promise<void> {
    for (const session of this.#sessions.values()) session.stop();
    return this.#ended();
  }

  /** For an upgrade: what is queued is sent, then TCP ends without a NOTIFICATION. */
  abandon(): Promise<void> {
    for (const session of this.#sessions.values()) session.abandon();
    return this.#ended();
  }

  #ended(): Promise<void> {
    this.#sessions.clear();
    for (const { listener } of this.#listeners.values()) listener.close();
    this.#listeners.clear();
    return new Promise((resolve) => {
      if (this.#ending.size === 0) resolve();
      else this.#endingDone = resolve;
    });
  }

  #add(key: string, neighbor: SpeakerNeighbor, policy: SessionPolicy): void {
    const { clock, queue, random, log, transport, rib, changed } = this.#options;
    const { network, address } = neighbor;
    const around: SessionSurroundings = {
      clock,
      random,
      log,
      transport,
      queue,
      rib: rib(network),
      changed: (kind) => changed({ kind, network, address }),
      ending: (connection) => this.#connectionEnding(connection),
      ended: (connection) => this.#connectionEnded(connection),
    };
    const restart = this.#restart ?? { isRestarting: false, isForwardingPreserved: false };
    const session = new Session(around, neighbor, policy, restart);
    this.#sessions.set(key, session);
    session.setExports(this.#exports.get(network ?? '') ?? []);
    if (!this.#down.has(key)) session.start();
  }

  #remove(key: string, session: Session, subcode: keyof typeof ceaseSubcode): void {
    this.#sessions.delete(key);
    session.stop(makeCease(subcode, 'the configuration has changed'));
  }

  #connectionEnding(connection: Connection): void {
    const timer = this.#options.clock.after(endingMs, () => {
      connection.destroy();
      this.#connectionEnded(connection);
    });
    this.#ending.set(connection, timer);
  }

  #connectionEnded(connection: Connection): void {
    this.#ending.get(connection)?.clear();
    this.#ending.delete(connection);
    if (this.#ending.size === 0) this.#endingDone?.();
  }

  // -- Listeners ---------------------------------------------------------------------------------

  #applyListeners(config: SpeakerConfig): void {
    if (config.listenPort !== this.#listenPort) {
      for (const { listener } of this.#listeners.values()) listener.close();
      this.#listeners.clear();
      this.#listenPort = config.listenPort;
    }
    const places = listenPlaces(config);
    // Of listeners that share a port the kernel asks the youngest first, and the one that is bound to
    // no device takes every connection: it must be older than all others.
    if (places.has(mainPlace) && !this.#listeners.has(mainPlace)) {
      for (const { listener } of this.#listeners.values()) listener.close();
      this.#listeners.clear();
    }
    for (const [key, { listener }] of this.#listeners) {
      if (places.has(key)) continue;
      listener.close();
      this.#listeners.delete(key);
    }
    for (const key of this.#deaf) if (!places.has(key)) this.#deaf.delete(key);
    for (const [key, place] of places) {
      const bound = this.#listeners.get(key) ?? this.#tryToListen(key, place);
      if (!bound) continue;
      const ttl = listenTtl(place.neighbors);
      bound.listener.setTtl(ttl);
      setKeys(bound, place.neighbors);
    }
  }

  /** What is refused is logged once. */
  #tryToListen(key: string, place: ListenPlace): BoundListener | undefined {
    try {
      const bound = this.#listen(key, place);
      this.#deaf.delete(key);
      return bound;
    } catch (error) {
      const { network, interface: name } = place;
      const about = { error, network, interface: name, port: this.#listenPort };
      if (!this.#deaf.has(key))
        this.#options.log.error(about, 'BGP: no listener; it is tried again');
      this.#deaf.add(key);
      return undefined;
    }
  }

  #listen(key: string, place: ListenPlace): BoundListener {
    const { network } = place;
    const options = {
      port: this.#listenPort,
      interface: place.interface,
      mark: place.mark,
      ttl: listenTtl(place.neighbors),
    };
    const listener = this.#options.transport.listen(options, (connection) => {
      this.#accepted(network, connection);
    });
    const bound = { listener, keys: new Map<Ipv4, string>() };
    this.#listeners.set(key, bound);
    return bound;
  }

  #accepted(network: string | undefined, connection: Connection): void {
    const session = this.#sessions.get(neighborKey(network, connection.remoteAddress));
    if (session) {
      session.accept(connection);
      return;
    }
    this.#refusedCount += 1;
    const from = formatRemote(connection);
    this.#options.log.debug({ network, from }, 'BGP connection from no neighbor');
    connection.destroy();
  }
}

/**
 * Where to listen: one place for each (network, interface), one for the main table. A socket keeps the
 * mark it was opened with, so another mark is another place.
 */
interface ListenPlace {
  readonly network: string | undefined;
  readonly interface: string | undefined;
  readonly mark: number | undefined;
  readonly neighbors: SpeakerNeighbor[];
}

/** Key of the main table's place. */
const mainPlace = '//';

/** The main table's place, if there is one, comes first. */
function listenPlaces(config: SpeakerConfig): Map<string, ListenPlace> {
  const places = new Map<string, ListenPlace>();
  const placeFor = (network?: string, name?: string, mark?: number) => {
    const key = `${network ?? ''}/${name ?? ''}/${mark ?? ''}`;
    const place = places.get(key) ?? { network, interface: name, mark, neighbors: [] };
    places.set(key, place);
    return place;
  };
  if (config.neighbors.some(({ network }) => network === undefined)) placeFor();
  for (const neighbor of config.neighbors) {
    const { network, mark, interfaces } = neighbor;
    if (network === undefined) placeFor().neighbors.push(neighbor);
    else for (const each of interfaces) placeFor(network, each, mark).neighbors.push(neighbor);
  }
  if (places.has(mainPlace)) {
    for (const each of config.networkInterfaces) placeFor(each.network, each.interface, each.mark);
  }
  return places;
}

/**
 * GTSM on a listener: a neighbor that has it hears our SYN-ACK only with TTL 255, which harms no
 * other; arriving TTLs are judged here only as far as all neighbors agree, and then by connection.
 */
function listenTtl(neighbors: readonly SpeakerNeighbor[]): { ttl: number; minTtl: number } {
  if (neighbors.length === 0) return { ttl: 64, minTtl: 0 };
  const policies = neighbors.map(ttlOf);
  return {
    ttl: Math.max(...policies.map((each) => each.ttl)),
    minTtl: Math.min(...policies.map((each) => each.minTtl)),
  };
}

function setKeys(bound: BoundListener, neighbors: readonly SpeakerNeighbor[]): void {
  const wanted = new Map<Ipv4, string>();
  for (const { address, password } of neighbors) {
    if (password !== undefined) wanted.set(address, password);
  }
  for (const address of bound.keys.keys()) {
    if (!wanted.has(address)) bound.listener.setMd5(address, undefined);
  }
  for (const [address, key] of wanted) {
    if (bound.keys.get(address) !== key) bound.listener.setMd5(address, key);
  }
  bound.keys.clear();
  for (const [address, key] of wanted) bound.keys.set(address, key);
}
