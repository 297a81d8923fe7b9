// SPDX-License-Identifier: Apache-2.0
/**
 * One connection to a neighbor and its state machine: does what bgp/connection/fsm.ts decides.
 *
 * Owns the TCP connection (or the attempt) and the timers. What concerns the neighbor as a whole
 * (routes, collisions, back-off, status) is its host's, bgp/session.ts.
 *
 * Messages are processed in steps. An expired hold timer first lets pending I/O through. A neighbor
 * that does not read its route refresh loses the session before that takes memory.
 */
import type { Worker } from '../../lib/work-queue.ts';
import { noBytes } from '../wire/bytes.ts';
import { encodeMessage, type Frame, headerBytes, messageType } from '../wire/header.ts';
import {
  type BgpFault,
  decodeNotification,
  encodeNotification,
  notificationCode,
} from '../wire/notification.ts';
import { decodeOpen, encodeOpen, type Open } from '../wire/open.ts';
import { step } from './fsm.ts';
import type { FsmEvent } from './fsm-event.ts';
import {
  type FsmAction,
  type FsmState,
  idleState,
  sendHoldMs,
  type TimerName,
} from './fsm-step.ts';
import { MessageReader } from './message-reader.ts';
import type { Negotiated } from './negotiate.ts';
import type { PeeringHost } from './peering-host.ts';
import { PeeringTimers } from './peering-timers.ts';
import type { Connecting, Connection, Direction } from './transport.ts';

/** Of messages in one step; a full one has some hundred to two thousand prefixes. */
const bytesPerStep = 2048;
/** More than any table of ours. */
const queuedBytesMax = 1 << 20;

export class Peering implements Worker {
  readonly #host: PeeringHost<Peering>;
  readonly #timers: PeeringTimers;
  #state: FsmState = idleState;
  #connecting: Connecting | undefined;
  #reader: MessageReader | undefined;
  #direction: Direction = 'outgoing';
  /** Events that came while one was being dispatched: what its actions bring about. */
  readonly #events: FsmEvent[] = [];
  #isDispatching = false;
  #ourOpen: Open | undefined;
  #theirOpen: Open | undefined;
  #negotiated: Negotiated | undefined;

  constructor(host: PeeringHost<Peering>) {
    this.#host = host;
    this.#timers = new PeeringTimers(host.clock, host.random, {
      connectRetry: () => this.#connectRetryExpired(),
      hold: () => this.#holdExpired(),
      keepalive: () => this.dispatch({ kind: 'keepaliveExpired' }),
      sendHold: () => this.dispatch({ kind: 'sendHoldExpired' }),
      idleHold: () => this.dispatch({ kind: 'idleHoldExpired' }),
    });
  }

  get direction(): Direction {
    return this.#direction;
  }

  get state(): FsmState {
    return this.#state;
  }

  get connection(): Connection | undefined {
    return this.#reader?.connection;
  }

  get negotiated(): Negotiated | undefined {
    return this.#negotiated;
  }

  get ourOpen(): Open | undefined {
    return this.#ourOpen;
  }

  get theirOpen(): Open | undefined {
    return this.#theirOpen;
  }

  timerRemainingMs(timer: TimerName): number | undefined {
    return this.#timers.remainingMs(timer);
  }

  /** A connection from the neighbor was accepted (event 17). */
  offer(connection: Connection): void {
    this.dispatch({ kind: 'tcpConnectionConfirmed', connection });
  }

  /** A machine for this connection alone, which the neighbor made. */
  takeIncoming(connection: Connection): void {
    this.#state = { ...idleState, name: 'Active' };
    this.offer(connection);
  }

  /**
   * Takes a step. What an action of it brings about (an UPDATE's fault, a connection that fails as
   * it is written to) is a step of its own, after this one is whole.
   */
  dispatch(event: FsmEvent): void {
    this.#events.push(event);
    if (this.#isDispatching) return;
    this.#isDispatching = true;
    try {
      for (let next = this.#events.shift(); next; next = this.#events.shift()) this.#step(next);
    } finally {
      this.#isDispatching = false;
    }
  }

  #step(event: FsmEvent): void {
    const from = this.#state;
    const { state, actions } = step(from, event, this.#host.settings);
    this.#state = state;
    for (const action of actions) this.#perform(action);
    if (state.name !== from.name) this.#host.moved(this, from);
  }

  send(type: number, body: Uint8Array): void {
    if (!this.#reader) return;
    this.#reader.connection.write(encodeMessage(type, body));
    this.#host.sent(type);
  }

  startIdleHold(delayMs: number): void {
    this.#timers.startExactly('idleHold', delayMs);
  }

  /** Ends without a word to the neighbor; what was sent is flushed (upgrade, lost promotion). */
  abandon(): void {
    this.#timers.stopAll();
    this.#dropConnection();
    this.#events.length = 0;
    this.#state = idleState;
  }

  /** A few messages, or a long one. */
  work(): boolean {
    const reader = this.#reader;
    if (!reader) return false;
    for (let bytes = 0; bytes < bytesPerStep; ) {
      const next = reader.next();
      if (!next.ok) {
        this.dispatch({ kind: 'headerErrorReceived', fault: next.fault });
        return false;
      }
      if (next.value === undefined) {
        if (reader.closedReason !== undefined) this.#lost(reader.closedReason);
        return false;
      }
      bytes += headerBytes + next.value.body.length;
      this.#receive(next.value);
      if (this.#reader !== reader) return false;
      if (reader.connection.queuedBytes > queuedBytesMax) {
        reader.connection.destroy();
        this.#lost('the neighbor does not read what it is sent');
        return false;
      }
    }
    return true;
  }

  #lost(reason: string): void {
    this.#host.failed(reason);
    this.dispatch({ kind: 'tcpConnectionFailed' });
  }

  #connectRetryExpired(): void {
    if (this.#state.name === 'Connect') this.#host.failed('no answer to our connection');
    this.dispatch({ kind: 'connectRetryExpired' });
  }

  #holdExpired(): void {
    const reader = this.#reader;
    const timers = this.#timers;
    if (reader?.hasUnread) {
      timers.start('hold', this.#state.holdTimeMs);
      return;
    }
    const heardMs = reader?.heardMs;
    // Timers run before I/O: what the kernel holds for us arrives before this does.
    this.#host.queue.soon(() => {
      if (this.#reader !== reader || !this.#state.timers.includes('hold')) return;
      if (!reader?.hasUnread && reader?.heardMs === heardMs) this.dispatch({ kind: 'holdExpired' });
      else if (timers.remainingMs('hold') === undefined)
        timers.start('hold', this.#state.holdTimeMs);
    });
  }

  #receive(frame: Frame): void {
    const { type, body } = frame;
    this.#host.received(type);
    switch (type) {
      case messageType.open:
        this.#receiveOpen(body);
        break;
      case messageType.update:
        this.dispatch({ kind: 'updateReceived', body });
        break;
      case messageType.notification:
        this.#receiveNotification(body);
        break;
      case messageType.keepalive:
        this.dispatch({ kind: 'keepaliveReceived' });
        break;
      case messageType.routeRefresh:
        this.dispatch({ kind: 'routeRefreshReceived', body });
        break;
    }
  }

  #receiveOpen(body: Uint8Array): void {
    const decoded = decodeOpen(body);
    const fault = decoded.ok ? this.#host.checkOpen(decoded.value) : decoded.fault;
    if (fault) this.dispatch({ kind: 'openErrorReceived', fault });
    else if (decoded.ok) this.#openReceived(decoded.value);
  }

  /** A sound OPEN, in whatever state. */
  #openReceived(open: Open): void {
    if (this.#state.name === 'OpenSent' && this.#ourOpen) {
      if (!this.#host.openReceived(this, open)) return;
      this.#theirOpen = open;
      this.#negotiated = this.#host.negotiate(this.#ourOpen, open);
    }
    const { holdTimeMs, keepaliveTimeMs, isGraceful, isNotificationGraceful } =
      this.#negotiated ?? idleState;
    const agreed = { holdTimeMs, keepaliveTimeMs, isGraceful, isNotificationGraceful };
    this.dispatch({ kind: 'openReceived', ...agreed });
  }

  #receiveNotification(body: Uint8Array): void {
    const decoded = decodeNotification(body);
    if (!decoded.ok) {
      this.dispatch({ kind: 'headerErrorReceived', fault: decoded.fault });
      return;
    }
    const { code, subcode, data } = decoded.value;
    const notification = { code, subcode, data: data.slice() };
    this.#host.notified('remote', notification, '');
    const isVersionError = code === notificationCode.open && subcode === 1;
    if (isVersionError) this.dispatch({ kind: 'versionErrorReceived' });
    else this.dispatch({ kind: 'notificationReceived', notification });
  }

  #perform(action: FsmAction): void {
    const host = this.#host;
    switch (action.kind) {
      case 'startTimer':
        this.#timers.start(action.timer, action.delayMs);
        break;
      case 'stopTimer':
        this.#timers.stop(action.timer);
        break;
      case 'connect':
        this.#connect();
        break;
      case 'takeConnection':
        this.#take(action.connection, action.direction);
        break;
      case 'trackConnection':
        host.track(action.connection);
        break;
      case 'refuseConnection':
        host.refuse(action.connection);
        break;
      case 'sendOpen':
        this.#sendOpen(host.makeOpen());
        break;
      case 'sendKeepalive':
        this.send(messageType.keepalive, noBytes);
        break;
      case 'sendNotification':
        host.notified('local', action.fault, action.fault.reason);
        this.send(messageType.notification, encodeNotification(action.fault));
        break;
      case 'dropConnection':
        this.#dropConnection();
        break;
      case 'damp':
        host.damp(this, action.cause);
        break;
      case 'sessionUp':
        host.up(this);
        break;
      case 'sessionDown':
        host.down(this, action.isGraceful);
        break;
      case 'processUpdate':
        this.#answer(host.updateReceived(action.body));
        break;
      case 'processRouteRefresh':
        this.#answer(host.routeRefreshReceived(action.body));
        break;
    }
  }

  #answer(fault: BgpFault | undefined): void {
    if (fault) this.dispatch({ kind: 'updateErrorReceived', fault });
  }

  /** RFC 9687 §4.3: what restarts SendHoldTimer is a message that TCP has taken. */
  #taken(): void {
    if (!this.#state.timers.includes('sendHold')) return;
    this.#timers.start('sendHold', sendHoldMs(this.#state.holdTimeMs));
  }

  #connect(): void {
    this.#connecting = this.#host.transport.connect(this.#host.connectOptions(), {
      connected: (connection) => {
        this.#connecting = undefined;
        this.dispatch({ kind: 'tcpConnectAcked', connection });
      },
      failed: (reason) => {
        this.#connecting = undefined;
        this.#lost(reason);
      },
    });
  }

  #sendOpen(open: Open): void {
    this.#ourOpen = open;
    const isExtended = open.capabilities.some((each) => each.kind === 'extendedMessage');
    if (isExtended) this.#reader?.allowExtended();
    this.send(messageType.open, encodeOpen(open));
  }

  #take(connection: Connection, direction: Direction): void {
    this.#connecting?.cancel();
    this.#connecting = undefined;
    const reader = new MessageReader(connection, this.#host.clock);
    this.#reader = reader;
    this.#direction = direction;
    this.#theirOpen = undefined;
    this.#negotiated = undefined;
    connection.attach({
      received: (chunk) => {
        if (this.#reader !== reader) return;
        reader.push(chunk);
        this.#host.queue.add(this);
      },
      taken: () => {
        if (this.#reader === reader) this.#taken();
      },
      closed: (reason) => {
        if (this.#reader !== reader) this.#host.ended(connection);
        else if (reader.hasUnread) reader.closedReason = reason;
        else this.#lost(reason);
      },
    });
  }

  #dropConnection(): void {
    this.#connecting?.cancel();
    this.#connecting = undefined;
    const connection = this.#reader?.connection;
    this.#reader = undefined;
    this.#host.queue.remove(this);
    if (!connection) return;
    this.#host.ending(connection);
    connection.end();
  }
}
