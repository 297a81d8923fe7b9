/**
 * The state machine of one connection to a neighbor (RFC 4271 §8), as a pure function.
 *
 * Events and rows are those of §8.1 and §8.2.2; `eventNumber` has the RFC's numbers. A neighbor may
 * have two machines while connections collide (§8.2.1): bgp/session.ts owns both and decides.
 *
 * Deliberately otherwise:
 * - DelayOpen (events 12, 20) is an optional attribute that we do not have.
 * - Connect, event 17: a neighbor's connection does not replace our own attempt but gets a machine
 *   of its own, or two speakers that abandon their attempts for each other would end with none.
 * - A NOTIFICATION is never answered with one, also in OpenSent (event 25).
 * - A faulty header or OPEN in OpenSent and later is answered with its own NOTIFICATION, not with
 *   Finite State Machine Error (§6.1, §6.2 against the rows of §8.2.2).
 * - Established, events 16 and 17, when the neighbor can restart gracefully (RFC 4724 §5): the new
 *   connection gets a machine of its own, and only its OPEN ends the old one, by event 18; a
 *   connection that merely lost a collision must not.
 *
 * Idle runs no timer but IdleHoldTimer, which is the session's answer to `damp` (backoff.ts).
 */
import { type BgpFault, ceaseSubcode, makeFault, notificationCode } from './wire/notification.ts';

export type FsmName = 'Idle' | 'Connect' | 'Active' | 'OpenSent' | 'OpenConfirm' | 'Established';

export type TimerName = 'connectRetry' | 'hold' | 'keepalive' | 'idleHold';

export interface FsmState {
  readonly name: FsmName;
  /** ConnectRetryCounter (§8). */
  readonly connectRetryCount: number;
  /** Agreed in OPEN; 0: neither hold nor keepalive timer. */
  readonly holdTimeMs: number;
  readonly keepaliveTimeMs: number;
  /** The neighbor keeps forwarding over a restart (RFC 4724). */
  readonly isGraceful: boolean;
  /** Which timers run. */
  readonly timers: readonly TimerName[];
}

export type FsmEvent =
  | { readonly kind: PlainEvent }
  | { readonly kind: 'automaticStop'; readonly fault: BgpFault }
  | {
      readonly kind: 'openReceived';
      readonly holdTimeMs: number;
      readonly keepaliveTimeMs: number;
      readonly isGraceful: boolean;
    }
  | { readonly kind: FaultEvent; readonly fault: BgpFault };

type FaultEvent = 'headerErrorReceived' | 'openErrorReceived' | 'updateErrorReceived';

type PlainEvent = Exclude<EventKind, 'automaticStop' | 'openReceived' | FaultEvent>;

/** RFC 4271 §8.1; ROUTE-REFRESH (RFC 2918) has no number there. */
export const eventNumber = {
  manualStart: 1,
  manualStop: 2,
  automaticStart: 3,
  manualStartPassive: 4,
  automaticStartPassive: 5,
  automaticStartDamped: 6,
  automaticStartDampedPassive: 7,
  automaticStop: 8,
  connectRetryExpired: 9,
  holdExpired: 10,
  keepaliveExpired: 11,
  idleHoldExpired: 13,
  tcpConnectionValid: 14,
  tcpConnectionInvalid: 15,
  tcpConnectAcked: 16,
  tcpConnectionConfirmed: 17,
  tcpConnectionFailed: 18,
  openReceived: 19,
  headerErrorReceived: 21,
  openErrorReceived: 22,
  collisionDumped: 23,
  versionErrorReceived: 24,
  notificationReceived: 25,
  keepaliveReceived: 26,
  updateReceived: 27,
  updateErrorReceived: 28,
  routeRefreshReceived: 0,
} as const;

export type EventKind = keyof typeof eventNumber;

/**
 * Why a machine waits in Idle: after an error longer each time, refusing the neighbor meanwhile; after
 * a lost connection longer each time, too, but the neighbor may come; after a failed attempt briefly.
 */
export type DampCause = 'error' | 'lost' | 'retry';

export type FsmAction =
  | { readonly kind: 'startTimer'; readonly timer: TimerName; readonly delayMs: number }
  | { readonly kind: 'stopTimer'; readonly timer: TimerName }
  /** Starts a TCP connection. */
  | { readonly kind: 'connect' }
  /** The connection of event 16 or 17 becomes this machine's own. */
  | { readonly kind: 'takeConnection' }
  /** The connection of event 17 gets a machine of its own (§6.8). */
  | { readonly kind: 'trackConnection' }
  | { readonly kind: 'refuseConnection' }
  | { readonly kind: 'sendOpen' }
  | { readonly kind: 'sendKeepalive' }
  | { readonly kind: 'sendNotification'; readonly fault: BgpFault }
  /** Ends the TCP connection or the attempt, after what was sent. */
  | { readonly kind: 'dropConnection' }
  /** Waits in Idle (backoff.ts). */
  | { readonly kind: 'damp'; readonly cause: DampCause }
  | { readonly kind: 'sessionUp' }
  /** isGraceful: keep the neighbor's routes as stale (RFC 4724 §4.2). */
  | { readonly kind: 'sessionDown'; readonly isGraceful: boolean }
  | { readonly kind: 'processUpdate' }
  | { readonly kind: 'processRouteRefresh' };

export interface FsmSettings {
  readonly connectRetryMs: number;
  /** Hold time while waiting for OPEN: "a large value", 4 minutes (§8.2.2). */
  readonly openHoldMs: number;
}

export interface Step {
  readonly state: FsmState;
  readonly actions: readonly FsmAction[];
}

export const idleState: FsmState = {
  name: 'Idle',
  connectRetryCount: 0,
  holdTimeMs: 0,
  keepaliveTimeMs: 0,
  isGraceful: false,
  timers: [],
};

const unexpected = {
  OpenSent: makeFault(notificationCode.fsm, 1, 'an unexpected event in OpenSent'),
  OpenConfirm: makeFault(notificationCode.fsm, 2, 'an unexpected event in OpenConfirm'),
  Established: makeFault(notificationCode.fsm, 3, 'an unexpected event in Established'),
} as const;

const shutdown = makeFault(
  notificationCode.cease,
  ceaseSubcode.administrativeShutdown,
  'administrative shutdown',
);
const collision = makeFault(
  notificationCode.cease,
  ceaseSubcode.connectionCollision,
  'connection collision',
);
const holdExpired = makeFault(notificationCode.holdTimerExpired, 0, 'the hold timer expired');

/** @returns the next state and what to do, in order; the same state object when nothing changes */
export function step(state: FsmState, event: FsmEvent, settings: FsmSettings): Step {
  switch (state.name) {
    case 'Idle':
      return stepIdle(state, event, settings);
    case 'Connect':
      return stepConnect(state, event, settings);
    case 'Active':
      return stepActive(state, event, settings);
    case 'OpenSent':
      return stepOpenSent(state, event, settings);
    case 'OpenConfirm':
      return stepOpenConfirm(state, event);
    case 'Established':
      return stepEstablished(state, event);
  }
}

function stepIdle(state: FsmState, event: FsmEvent, settings: FsmSettings): Step {
  switch (event.kind) {
    case 'manualStart':
    case 'automaticStart':
    case 'idleHoldExpired':
      return new Moving(state)
        .stop('idleHold')
        .reset(event.kind === 'manualStart')
        .start('connectRetry', settings.connectRetryMs)
        .act({ kind: 'connect' })
        .to('Connect');
    case 'manualStartPassive':
    case 'automaticStartPassive':
      return new Moving(state)
        .stop('idleHold')
        .reset(event.kind === 'manualStartPassive')
        .start('connectRetry', settings.connectRetryMs)
        .to('Active');
    case 'automaticStartDamped':
    case 'automaticStartDampedPassive':
      return new Moving(state).act({ kind: 'damp', cause: 'error' }).holding().to('Idle');
    case 'manualStop':
      return state.timers.length === 0
        ? stay(state)
        : new Moving(state).stop('idleHold').to('Idle');
    case 'tcpConnectionValid':
    case 'tcpConnectionConfirmed':
      return stay(state, { kind: 'refuseConnection' });
    default:
      return stay(state);
  }
}

function stepConnect(state: FsmState, event: FsmEvent, settings: FsmSettings): Step {
  switch (event.kind) {
    case 'manualStop':
      return new Moving(state).drop().reset(true).to('Idle');
    case 'connectRetryExpired':
      return new Moving(state)
        .act({ kind: 'dropConnection' })
        .start('connectRetry', settings.connectRetryMs)
        .act({ kind: 'connect' })
        .to('Connect');
    case 'tcpConnectionValid':
      return stay(state);
    case 'tcpConnectionConfirmed':
      return stay(state, { kind: 'trackConnection' });
    case 'tcpConnectionInvalid':
      return stay(state, { kind: 'refuseConnection' });
    case 'tcpConnectAcked':
      return opening(new Moving(state), settings);
    case 'tcpConnectionFailed':
      return new Moving(state).drop().damp('retry').to('Idle');
    default:
      return isStart(event.kind)
        ? stay(state)
        : new Moving(state).drop().count().damp('error').to('Idle');
  }
}

function stepActive(state: FsmState, event: FsmEvent, settings: FsmSettings): Step {
  switch (event.kind) {
    case 'manualStop':
      return new Moving(state).drop().reset(true).to('Idle');
    case 'connectRetryExpired':
      return new Moving(state)
        .start('connectRetry', settings.connectRetryMs)
        .act({ kind: 'connect' })
        .to('Connect');
    case 'tcpConnectionValid':
      return stay(state);
    case 'tcpConnectionInvalid':
      return stay(state, { kind: 'refuseConnection' });
    case 'tcpConnectAcked':
    case 'tcpConnectionConfirmed':
      return opening(new Moving(state), settings);
    case 'tcpConnectionFailed':
      return new Moving(state).drop().count().damp('retry').to('Idle');
    default:
      return isStart(event.kind)
        ? stay(state)
        : new Moving(state).drop().count().damp('error').to('Idle');
  }
}

/** A connection is there: OPEN, and a long time to answer it. */
function opening(moving: Moving, settings: FsmSettings): Step {
  return moving
    .stop('connectRetry')
    .act({ kind: 'takeConnection' })
    .act({ kind: 'sendOpen' })
    .start('hold', settings.openHoldMs)
    .to('OpenSent');
}

function stepOpenSent(state: FsmState, event: FsmEvent, settings: FsmSettings): Step {
  switch (event.kind) {
    case 'manualStop':
      return new Moving(state).say(shutdown).drop().reset(true).to('Idle');
    case 'automaticStop':
      return new Moving(state).say(event.fault).drop().count().damp('error').to('Idle');
    case 'holdExpired':
      return new Moving(state).say(holdExpired).drop().count().damp('error').to('Idle');
    case 'tcpConnectionValid':
      return stay(state);
    case 'tcpConnectAcked':
    case 'tcpConnectionConfirmed':
      return stay(state, { kind: 'trackConnection' });
    case 'tcpConnectionInvalid':
      return stay(state, { kind: 'refuseConnection' });
    case 'tcpConnectionFailed':
      return new Moving(state).drop().start('connectRetry', settings.connectRetryMs).to('Active');
    case 'openReceived':
      return new Moving({
        ...state,
        holdTimeMs: event.holdTimeMs,
        keepaliveTimeMs: event.keepaliveTimeMs,
        isGraceful: event.isGraceful,
      })
        .stop('connectRetry')
        .act({ kind: 'sendKeepalive' })
        .agreed()
        .to('OpenConfirm');
    case 'headerErrorReceived':
    case 'openErrorReceived':
      return new Moving(state).say(event.fault).drop().count().damp('error').to('Idle');
    case 'collisionDumped':
      return new Moving(state).say(collision).drop().count().damp('retry').to('Idle');
    case 'versionErrorReceived':
      return new Moving(state).drop().damp('error').to('Idle');
    case 'notificationReceived':
      return new Moving(state).drop().count().damp('error').to('Idle');
    default:
      return isStart(event.kind) ? stay(state) : faulty(state, unexpected.OpenSent);
  }
}

function stepOpenConfirm(state: FsmState, event: FsmEvent): Step {
  switch (event.kind) {
    case 'manualStop':
      return new Moving(state).say(shutdown).drop().reset(true).to('Idle');
    case 'automaticStop':
      return new Moving(state).say(event.fault).drop().count().damp('error').to('Idle');
    case 'holdExpired':
      return new Moving(state).say(holdExpired).drop().count().damp('error').to('Idle');
    case 'keepaliveExpired':
      return new Moving(state)
        .act({ kind: 'sendKeepalive' })
        .start('keepalive', state.keepaliveTimeMs)
        .to('OpenConfirm');
    case 'tcpConnectionValid':
      return stay(state);
    case 'tcpConnectAcked':
    case 'tcpConnectionConfirmed':
      return stay(state, { kind: 'trackConnection' });
    case 'tcpConnectionInvalid':
      return stay(state, { kind: 'refuseConnection' });
    case 'tcpConnectionFailed':
      return new Moving(state).drop().count().damp('lost').to('Idle');
    case 'notificationReceived':
      return new Moving(state).drop().count().damp('error').to('Idle');
    case 'versionErrorReceived':
      return new Moving(state).drop().damp('error').to('Idle');
    case 'headerErrorReceived':
    case 'openErrorReceived':
      return new Moving(state).say(event.fault).drop().count().damp('error').to('Idle');
    case 'collisionDumped':
      return new Moving(state).say(collision).drop().count().damp('retry').to('Idle');
    case 'keepaliveReceived':
      return new Moving(state).heard().act({ kind: 'sessionUp' }).to('Established');
    default:
      return isStart(event.kind) ? stay(state) : faulty(state, unexpected.OpenConfirm);
  }
}

function stepEstablished(state: FsmState, event: FsmEvent): Step {
  switch (event.kind) {
    case 'manualStop':
      return new Moving(state).say(shutdown).down().drop().reset(true).to('Idle');
    case 'automaticStop':
      return new Moving(state).say(event.fault).down().drop().count().damp('error').to('Idle');
    case 'holdExpired':
      return new Moving(state).say(holdExpired).down().drop().count().damp('error').to('Idle');
    case 'keepaliveExpired':
      return new Moving(state)
        .act({ kind: 'sendKeepalive' })
        .start('keepalive', state.keepaliveTimeMs)
        .to('Established');
    case 'tcpConnectionValid':
      return stay(state);
    case 'tcpConnectAcked':
    case 'tcpConnectionConfirmed':
      return stay(state, { kind: state.isGraceful ? 'trackConnection' : 'refuseConnection' });
    case 'tcpConnectionInvalid':
      return stay(state, { kind: 'refuseConnection' });
    case 'collisionDumped':
      return new Moving(state).say(collision).down().drop().count().damp('retry').to('Idle');
    case 'tcpConnectionFailed':
      return new Moving(state).down(state.isGraceful).drop().count().damp('lost').to('Idle');
    case 'versionErrorReceived':
    case 'notificationReceived':
      return new Moving(state).down().drop().count().damp('error').to('Idle');
    case 'keepaliveReceived':
      return new Moving(state).heard().to('Established');
    case 'updateReceived':
      return new Moving(state).heard().act({ kind: 'processUpdate' }).to('Established');
    case 'routeRefreshReceived':
      return stay(state, { kind: 'processRouteRefresh' });
    case 'headerErrorReceived':
    case 'openErrorReceived':
    case 'updateErrorReceived':
      return new Moving(state).say(event.fault).down().drop().count().damp('error').to('Idle');
    default:
      if (isStart(event.kind)) return stay(state);
      return new Moving(state)
        .say(unexpected.Established)
        .down()
        .drop()
        .count()
        .damp('error')
        .to('Idle');
  }
}

function stay(state: FsmState, ...actions: FsmAction[]): Step {
  return { state, actions };
}

function isStart(kind: EventKind): boolean {
  const number = eventNumber[kind];
  return number === 1 || (number >= 3 && number <= 7);
}

function faulty(state: FsmState, fault: BgpFault): Step {
  return new Moving(state).say(fault).drop().count().damp('error').to('Idle');
}

/** A step being put together. */
class Moving {
  #state: FsmState;
  readonly #actions: FsmAction[] = [];

  constructor(state: FsmState) {
    this.#state = state;
  }

  act(action: FsmAction): this {
    this.#actions.push(action);
    return this;
  }

  start(timer: TimerName, delayMs: number): this {
    if (!this.#state.timers.includes(timer)) {
      this.#state = { ...this.#state, timers: [...this.#state.timers, timer] };
    }
    return this.act({ kind: 'startTimer', timer, delayMs });
  }

  stop(timer: TimerName): this {
    if (!this.#state.timers.includes(timer)) return this;
    const timers = this.#state.timers.filter((each) => each !== timer);
    this.#state = { ...this.#state, timers };
    return this.act({ kind: 'stopTimer', timer });
  }

  say(fault: BgpFault): this {
    return this.act({ kind: 'sendNotification', fault });
  }

  down(isGraceful = false): this {
    return this.act({ kind: 'sessionDown', isGraceful });
  }

  /** All timers stop, the connection ends. */
  drop(): this {
    for (const timer of this.#state.timers) this.stop(timer);
    this.#state = { ...this.#state, holdTimeMs: 0, keepaliveTimeMs: 0, isGraceful: false };
    return this.act({ kind: 'dropConnection' });
  }

  count(): this {
    const connectRetryCount = this.#state.connectRetryCount + 1;
    this.#state = { ...this.#state, connectRetryCount };
    return this;
  }

  /** ConnectRetryCounter to zero, if the operator asked for it. */
  reset(isByHand: boolean): this {
    if (isByHand) this.#state = { ...this.#state, connectRetryCount: 0 };
    return this;
  }

  damp(cause: DampCause): this {
    return this.act({ kind: 'damp', cause }).holding();
  }

  /** IdleHoldTimer runs: `damp` starts it. */
  holding(): this {
    if (!this.#state.timers.includes('idleHold')) {
      this.#state = { ...this.#state, timers: [...this.#state.timers, 'idleHold'] };
    }
    return this;
  }

  /** Hold and keepalive timers as agreed; none for a hold time of zero. */
  agreed(): this {
    const { holdTimeMs, keepaliveTimeMs } = this.#state;
    if (holdTimeMs === 0) return this.stop('hold');
    return this.start('hold', holdTimeMs).start('keepalive', keepaliveTimeMs);
  }

  /** A KEEPALIVE or UPDATE came. */
  heard(): this {
    const { holdTimeMs } = this.#state;
    return holdTimeMs === 0 ? this : this.start('hold', holdTimeMs);
  }

  to(name: FsmName): Step {
    const state = this.#state.name === name ? this.#state : { ...this.#state, name };
    return { state, actions: this.#actions };
  }
}
