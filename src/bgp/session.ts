// SPDX-License-Identifier: Apache-2.0
/**
 * The session with one neighbor: its connections, of which one is left, and what became of them.
 *
 * Usually one Peering; two while connections collide, of which RFC 4271 §6.8 leaves one. The primary
 * one connects, retries and waits out errors; a second one exists only for a connection that the
 * neighbor made meanwhile, and takes the first one's place when that fails.
 *
 * Routes are bgp/routes/neighbor-routes.ts's; a neighbor that restarts gracefully keeps them there. When it is
 * us who restarted, OPEN says so (R, RFC 4724 §3) until the first session stands.
 */
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import type { Random } from '../lib/random.ts';
import type { WorkQueue } from '../lib/work-queue.ts';
import { formatIpv4, type Ipv4 } from '../net/ipv4.ts';
import type { RibInput } from '../rib/route.ts';
import { Damping } from './connection/damping.ts';
import type { FsmSettings } from './connection/fsm.ts';
import type { DampCause, FsmState } from './connection/fsm-step.ts';
import {
  checkOpen,
  isOwnConnectionKept,
  makeOpen,
  negotiate,
  type RestartFlags,
} from './connection/negotiate.ts';
import { Peering } from './connection/peering.ts';
import type { PeeringHost } from './connection/peering-host.ts';
import type { Connection, ConnectOptions, Transport } from './connection/transport.ts';
import { hasSameLimit, type SpeakerNeighbor, ttlOf } from './neighbor.ts';
import { NeighborRoutes, type SessionPolicy } from './routes/neighbor-routes.ts';
import { SessionRecord } from './session-record.ts';
import type { NeighborRow } from './status.ts';
import { describeCapability } from './wire/capability.ts';
import {
  type BgpFault,
  makeCease,
  makeOperatorCease,
  type Notification,
  notificationCode,
} from './wire/notification.ts';
import type { Open } from './wire/open.ts';

/** What a session needs of its speaker. */
export interface SessionSurroundings {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly transport: Transport;
  readonly queue: WorkQueue;
  readonly rib: RibInput;
  changed(kind: 'established' | 'down' | 'endOfRib' | 'quiet' | 'pause'): void;
  ending(connection: Connection): void;
  ended(connection: Connection): void;
}

const settings: FsmSettings = { connectRetryMs: 5_000, openHoldMs: 240_000 };

/** How long after Established another OPEN may still be one of two that crossed. */
const collisionWindowMs = 2_000;

export class Session {
  readonly #around: SessionSurroundings;
  readonly #host: PeeringHost<Peering>;
  readonly #log: Log;
  readonly #record: SessionRecord;
  readonly #damping: Damping;
  readonly routes: NeighborRoutes;
  #neighbor: SpeakerNeighbor;
  #restart: RestartFlags;
  #primary: Peering;
  #secondary: Peering | undefined;
  #established: Peering | undefined;
  #isStopped = true;

  /** The neighbor does not know capabilities (RFC 5492 §3). */
  #hasCapabilities = true;

  #sinceMs: number;

  constructor(
    around: SessionSurroundings,
    neighbor: SpeakerNeighbor,
    policy: SessionPolicy,
    restart: RestartFlags,
  ) {
    this.#around = around;
    this.#neighbor = neighbor;
    this.#restart = restart;
    this.#record = new SessionRecord(around.clock);
    this.#damping = new Damping(around.clock, around.random, settings.connectRetryMs);
    this.#sinceMs = around.clock.nowMs();
    this.#log = around.log.child({
      neighbor: formatIpv4(neighbor.address),
      network: neighbor.network,
    });
    const { clock, rib, changed } = around;
    const record = this.#record;
    const routesAround = { clock, log: this.#log, rib, record, changed };
    this.routes = new NeighborRoutes(routesAround, neighbor, policy);
    this.#host = this.#makeHost();
    this.#primary = new Peering(this.#host);
  }

  get rib(): RibInput {
    return this.#around.rib;
  }

  get neighbor(): SpeakerNeighbor {
    return this.#neighbor;
  }

  start(): void {
    this.#isStopped = false;
    this.#primary.dispatch({ kind: 'automaticStart' });
  }

  /** Ends for good, with a NOTIFICATION: Administrative Shutdown unless a fault says otherwise. */
  stop(fault?: BgpFault): void {
    this.#isStopped = true;
    for (const peering of [this.#secondary, this.#primary]) {
      if (!peering) continue;
      peering.dispatch(fault ? { kind: 'automaticStop', fault } : { kind: 'manualStop' });
      peering.abandon();
    }
    this.#secondary = undefined;
    this.routes.drop();
  }

  /** Ends for good without a NOTIFICATION, for an upgrade: the neighbor keeps our routes. */
  abandon(): void {
    this.#isStopped = true;
    this.#established = undefined;
    this.#secondary?.abandon();
    this.#secondary = undefined;
    this.#primary.abandon();
    this.routes.abandon();
  }

  /** Starts the session over (RFC 4486, Administrative Reset), without waiting. */
  reset(): void {
    const fault = makeOperatorCease('administrativeReset', '');
    (this.#established ?? this.#primary).dispatch({ kind: 'automaticStop', fault });
    this.#primary.dispatch({ kind: 'automaticStart' });
  }

  /** A connection from the neighbor's address, on its network's listener. */
  accept(connection: Connection): void {
    if (this.#isStopped || this.#damping.isRefusing) {
      this.#refuse(connection);
      return;
    }
    if (this.#primary.state.name === 'Idle') {
      this.#primary.dispatch({ kind: 'automaticStartPassive' });
    }
    connection.setTtl(ttlOf(this.#neighbor));
    this.#primary.offer(connection);
  }

  setExports(addresses: readonly Ipv4[]): void {
    this.routes.setExports(addresses);
  }

  /** New filters without a new session: what came is asked for again, what went is corrected. */
  setPolicy(neighbor: SpeakerNeighbor, policy: SessionPolicy): void {
    const isLimitSame = hasSameLimit(this.#neighbor, neighbor);
    this.#neighbor = neighbor;
    if (!isLimitSame && this.#damping.limitChanged()) {
      this.#primary.dispatch({ kind: 'automaticStart' });
    }
    if (this.routes.setPolicy(neighbor, policy)) return;
    const reason = 'new import filters, and the neighbor has no route refresh';
    this.#established?.dispatch({
      kind: 'automaticStop',
      fault: makeCease('configurationChange', reason),
    });
  }

  snapshot(): NeighborRow {
    const neighbor = this.#neighbor;
    const peering = this.#shownPeering();
    const { negotiated, connection, ourOpen, theirOpen } = peering;
    const describe = (open: Open | undefined) => open?.capabilities.map(describeCapability) ?? [];
    const ours = describe(ourOpen);
    const theirs = describe(theirOpen);
    return {
      name: neighbor.name,
      network: neighbor.network,
      address: neighbor.address,
      remoteAs: neighbor.remoteAs,
      localAs: neighbor.localAs,
      state: peering.state.name,
      sinceMs: this.#around.clock.nowMs() - this.#sinceMs,
      localId: neighbor.routerId,
      remoteId: theirOpen?.bgpId,
      localAddress: connection?.localAddress,
      localPort: connection?.localPort,
      remotePort: connection?.remotePort,
      holdTimeConfiguredMs: neighbor.holdTimeMs,
      holdTimeMs: negotiated?.holdTimeMs,
      keepaliveTimeMs: negotiated?.keepaliveTimeMs,
      holdRemainingMs: peering.timerRemainingMs('hold'),
      connectRetryRemainingMs: peering.timerRemainingMs('connectRetry'),
      idleHoldRemainingMs: peering.timerRemainingMs('idleHold'),
      capabilitiesAdvertised: ours,
      capabilitiesReceived: theirs,
      capabilitiesNegotiated: ours.filter((each) => theirs.includes(each)),
      ...this.routes.snapshot(),
      ...this.#record.snapshot(),
    };
  }

  /** The one that is furthest. */
  #shownPeering(): Peering {
    const order = ['Idle', 'Active', 'Connect', 'OpenSent', 'OpenConfirm', 'Established'];
    const rank = (peering: Peering) => order.indexOf(peering.state.name);
    const second = this.#secondary;
    return second && rank(second) > rank(this.#primary) ? second : this.#primary;
  }

  // -- Connections -------------------------------------------------------------------------------

  #makeHost(): PeeringHost<Peering> {
    const { clock, random, transport, queue, ending, ended } = this.#around;
    return {
      clock,
      random,
      transport,
      queue,
      settings,
      connectOptions: () => this.#connectOptions(),
      makeOpen: () => makeOpen(this.#neighbor, this.#restart, this.#hasCapabilities),
      checkOpen: (open) => checkOpen(open, this.#neighbor),
      negotiate: (ours, theirs) => negotiate(ours, theirs, this.#neighbor),
      openReceived: (peering, open) => this.#settleCollision(peering, open),
      track: (connection) => this.#track(connection),
      refuse: (connection) => this.#refuse(connection),
      up: (peering) => this.#up(peering),
      down: (_, isGraceful) => this.#down(isGraceful),
      damp: (peering, cause) => this.#damp(peering, cause),
      moved: (peering, from) => this.#moved(peering, from),
      updateReceived: (body) => this.routes.updateReceived(body),
      routeRefreshReceived: (body) => this.routes.routeRefreshReceived(body),
      sent: (type) => this.#record.sent(type),
      received: (type) => this.#record.received(type),
      failed: (text) => this.#record.failed(text),
      notified: (sender, notification, reason) => this.#notified(sender, notification, reason),
      ending,
      ended,
    };
  }

  #connectOptions(): ConnectOptions {
    const neighbor = this.#neighbor;
    return {
      remoteAddress: neighbor.address,
      remotePort: neighbor.port,
      localAddress: neighbor.sourceAddress,
      interface: neighbor.interfaces[0],
      mark: neighbor.mark,
      ttl: ttlOf(neighbor),
      md5Key: neighbor.password,
    };
  }

  /** A second connection: its OPEN will tell which of the two stays. A third replaces the second. */
  #track(connection: Connection): void {
    this.#secondary?.abandon();
    const incoming = new Peering(this.#host);
    this.#secondary = incoming;
    incoming.takeIncoming(connection);
  }

  #refuse(connection: Connection): void {
    this.#record.refusedCount += 1;
    connection.destroy();
  }

  /**
   * RFC 4271 §6.8: only against a connection in OpenConfirm or Established; an attempt that is not
   * connected yet gives way.
   */
  #settleCollision(peering: Peering, open: Open): boolean {
    const other = peering === this.#primary ? this.#secondary : this.#primary;
    if (!other) return true;
    switch (other.state.name) {
      case 'Idle':
      case 'Connect':
      case 'Active':
        if (peering === this.#secondary) this.#promote();
        return true;
      case 'OpenSent':
        return true;
      case 'Established':
        return this.#settleWithEstablished(peering, other);
      case 'OpenConfirm': {
        const kept = isOwnConnectionKept(this.#neighbor, open.bgpId) ? 'outgoing' : 'incoming';
        // Two of the same direction: the neighbor has forgotten the older one.
        const isKept = peering.direction === other.direction || peering.direction === kept;
        (isKept ? other : peering).dispatch({ kind: 'collisionDumped' });
        return isKept;
      }
    }
  }

  /**
   * RFC 4724 §5: a neighbor that can restart gracefully and connects again has lost the old connection.
   * Just after the first has come up it is a late collision instead.
   */
  #settleWithEstablished(peering: Peering, other: Peering): boolean {
    const ageMs = this.#around.clock.nowMs() - this.#sinceMs;
    if (!other.state.isGraceful || ageMs < collisionWindowMs) {
      peering.dispatch({ kind: 'collisionDumped' });
      return false;
    }
    this.#record.failed('the neighbor has restarted');
    other.dispatch({ kind: 'tcpConnectionFailed' });
    return true;
  }

  /** The second connection takes the first one's place. */
  #promote(): void {
    const next = this.#secondary;
    if (!next) return;
    this.#secondary = undefined;
    const last = this.#primary;
    this.#primary = next;
    last.abandon();
  }

  #moved(peering: Peering, from: FsmState): void {
    const to = peering.state.name;
    if (peering === this.#secondary) {
      // Its connection was all that it was there for: to connect is the first one's business.
      if (to !== 'Idle' && to !== 'Active') return;
      this.#secondary = undefined;
      peering.abandon();
    } else if (to === 'Idle' && peering === this.#primary && this.#secondary) {
      this.#promote();
    }
    if (peering !== this.#primary) return;
    this.#sinceMs = this.#around.clock.nowMs();
    this.#log.debug({ from: from.name, to }, 'BGP state');
    if (this.#isStopped || to === 'Idle' || to === 'Established') return;
    if (from.name === 'Idle' || to === 'OpenSent') this.#record.note(to);
  }

  #damp(peering: Peering, cause: DampCause): void {
    if (this.#isStopped) return;
    const delayMs = this.#damping.next(cause, this.#neighbor.restartTimeMs);
    if (peering === this.#primary) peering.startIdleHold(delayMs);
  }

  // -- Up and down -------------------------------------------------------------------------------

  #up(peering: Peering): void {
    const { negotiated, connection } = peering;
    if (!negotiated || !connection) return;
    if (peering === this.#secondary) this.#promote();
    else if (this.#secondary) {
      this.#secondary.dispatch({ kind: 'collisionDumped' });
      this.#secondary = undefined;
    }
    this.#established = peering;
    this.#damping.sessionUp();
    // From here on we forward through whatever becomes of the session (RFC 8538 §4).
    this.#restart = { isRestarting: false, isForwardingPreserved: true };
    this.#record.establishedCount += 1;
    this.#record.note('Established');
    this.routes.up({
      negotiated,
      localAddress: connection.localAddress,
      send: (type, body) => peering.send(type, body),
    });
    this.#log.info({ remoteId: formatIpv4(negotiated.remoteId) }, 'BGP session established');
    this.#around.changed('established');
  }

  #down(isGraceful: boolean): void {
    const record = this.#record;
    const upMs = this.#around.clock.nowMs() - this.#sinceMs;
    this.#damping.sessionDown(upMs);
    this.#established = undefined;
    this.routes.down(isGraceful);
    record.down(upMs, isGraceful);
    this.#log.warn({ lastError: record.lastError?.text, isGraceful }, 'BGP session down');
    this.#around.changed('down');
  }

  #notified(sender: 'local' | 'remote', notification: Notification, reason: string): void {
    this.#record.notified(sender, notification, reason);
    if (sender === 'local') return;
    // RFC 5492 §3: a neighbor that knows no optional parameters gets an OPEN without.
    const { code, subcode } = notification;
    if (code === notificationCode.open && subcode === 4) this.#hasCapabilities = false;
  }
}
