// SPDX-License-Identifier: Apache-2.0
/**
 * The state machine of one connection to a neighbor (RFC 4271 §8), as a pure function.
 *
 * The rows are those of §8.2.2 and RFC 9687 §4.3, the events bgp/connection/fsm-event.ts's. A
 * neighbor may have two machines while connections collide (§8.2.1): bgp/session.ts owns both and
 * decides.
 *
 * Deliberately otherwise:
 * - Connect, event 17: a neighbor's connection does not replace our own attempt but gets a machine
 *   of its own, or two speakers that abandon their attempts for each other would end with none.
 * - A NOTIFICATION is never answered with one, also in OpenSent (event 25).
 * - A faulty header or OPEN in OpenSent and later is answered with its own NOTIFICATION, not with
 *   Finite State Machine Error (§6.1, §6.2 against the rows of §8.2.2).
 * - OpenConfirm and Established, event 19: a second OPEN on one connection is an unexpected message;
 *   the first one's collisions are settled in OpenSent, before event 19.
 * - Established, events 16 and 17: the new connection could only lose the collision (§6.8) and is
 *   refused at once. When the neighbor can restart gracefully (RFC 4724 §5) it gets a machine of its
 *   own, and only its OPEN ends the old one, by event 18.
 *
 * Idle runs no timer but IdleHoldTimer, which is the session's answer to `damp` (backoff.ts).
 */

import {
  type BgpFault,
  ceaseSubcode,
  isHardReset,
  makeCease,
  makeFault,
  type Notification,
  notificationCode,
} from '../wire/notification.ts';
import { type FsmEvent, isStart } from './fsm-event.ts';
import { type DampCause, type FsmState, type Step, stay, Transition } from './fsm-step.ts';
import type { Connection, Direction } from './transport.ts';

export interface FsmSettings {
  readonly connectRetryMs: number;
  /** Hold time while waiting for OPEN: "a large value", 4 minutes (§8.2.2). */
  readonly openHoldMs: number;
}

const unexpected = {
  OpenSent: makeFault(notificationCode.fsm, 1, 'an unexpected event in OpenSent'),
  OpenConfirm: makeFault(notificationCode.fsm, 2, 'an unexpected event in OpenConfirm'),
  Established: makeFault(notificationCode.fsm, 3, 'an unexpected event in Established'),
} as const;

const shutdown = makeCease('administrativeShutdown', 'administrative shutdown');
const collision = makeCease('connectionCollision', 'connection collision');
const holdExpired = makeFault(notificationCode.holdTimerExpired, 0, 'the hold timer expired');
const sendHoldExpired = makeFault(
  notificationCode.sendHoldTimerExpired,
  0,
  'the neighbor does not take what it is sent',
);

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
      return connect(new Transition(state).stop('idleHold').reset(), settings);
    case 'idleHoldExpired':
      return connect(new Transition(state).stop('idleHold'), settings);
    case 'manualStartPassive':
    case 'automaticStartPassive':
      return new Transition(state)
        .stop('idleHold')
        .reset()
        .start('connectRetry', settings.connectRetryMs)
        .to('Active');
    case 'automaticStartDamped':
    case 'automaticStartDampedPassive':
      return new Transition(state).damp('error').to('Idle');
    case 'manualStop':
      return new Transition(state).stop('idleHold').to('Idle');
    case 'tcpConnectionValid':
    case 'tcpConnectionConfirmed':
      return stay(state, { kind: 'refuseConnection', connection: event.connection });
    default:
      return stay(state);
  }
}

function stepConnect(state: FsmState, event: FsmEvent, settings: FsmSettings): Step {
  switch (event.kind) {
    case 'connectRetryExpired':
      return connect(new Transition(state).act({ kind: 'dropConnection' }), settings);
    case 'tcpConnectionConfirmed':
      return stay(state, { kind: 'trackConnection', connection: event.connection });
    case 'tcpConnectionFailed':
      return new Transition(state).end().damp('retry').to('Idle');
    default:
      return stepUnconnected(state, event, settings);
  }
}

function stepActive(state: FsmState, event: FsmEvent, settings: FsmSettings): Step {
  switch (event.kind) {
    case 'connectRetryExpired':
      return connect(new Transition(state), settings);
    case 'tcpConnectionConfirmed':
      return sendOpen(state, event.connection, 'incoming', settings);
    case 'tcpConnectionFailed':
      return new Transition(state).end().count().damp('retry').to('Idle');
    default:
      return stepUnconnected(state, event, settings);
  }
}

function connect(transition: Transition, settings: FsmSettings): Step {
  return transition
    .start('connectRetry', settings.connectRetryMs)
    .act({ kind: 'connect' })
    .to('Connect');
}

/** The rows that Connect and Active share. */
function stepUnconnected(state: FsmState, event: FsmEvent, settings: FsmSettings): Step {
  switch (event.kind) {
    case 'manualStop':
      return new Transition(state).end().reset().to('Idle');
    case 'tcpConnectionValid':
      return stay(state);
    case 'tcpConnectionInvalid':
      return stay(state, { kind: 'refuseConnection', connection: event.connection });
    case 'tcpConnectAcked':
      return sendOpen(state, event.connection, 'outgoing', settings);
    default:
      if (isStart(event.kind)) return stay(state);
      return new Transition(state).end().count().damp('error').to('Idle');
  }
}

/** A connection is there: OPEN, and a long time to answer it. */
function sendOpen(
  state: FsmState,
  connection: Connection,
  direction: Direction,
  settings: FsmSettings,
): Step {
  return new Transition(state)
    .stop('connectRetry')
    .act({ kind: 'takeConnection', connection, direction })
    .act({ kind: 'sendOpen' })
    .start('hold', settings.openHoldMs)
    .to('OpenSent');
}

function stepOpenSent(state: FsmState, event: FsmEvent, settings: FsmSettings): Step {
  switch (event.kind) {
    case 'tcpConnectionFailed':
      return new Transition(state)
        .end()
        .start('connectRetry', settings.connectRetryMs)
        .to('Active');
    case 'openReceived': {
      const { kind: _, ...agreed } = event;
      return new Transition({ ...state, ...agreed })
        .act({ kind: 'sendKeepalive' })
        .startAgreed()
        .to('OpenConfirm');
    }
    default:
      return stepConnected(state, event, unexpected.OpenSent);
  }
}

function stepOpenConfirm(state: FsmState, event: FsmEvent): Step {
  switch (event.kind) {
    case 'keepaliveExpired':
      return keepAlive(state);
    case 'tcpConnectionFailed':
      return new Transition(state).end().count().damp('lost').to('Idle');
    case 'keepaliveReceived':
      return new Transition(state).heard().up().to('Established');
    default:
      return stepConnected(state, event, unexpected.OpenConfirm);
  }
}

function stepEstablished(state: FsmState, event: FsmEvent): Step {
  switch (event.kind) {
    case 'keepaliveExpired':
      return keepAlive(state);
    case 'tcpConnectAcked':
    case 'tcpConnectionConfirmed':
      return stay(state, {
        kind: state.isGraceful ? 'trackConnection' : 'refuseConnection',
        connection: event.connection,
      });
    case 'tcpConnectionFailed':
      return new Transition(state).end(state.isGraceful).count().damp('lost').to('Idle');
    case 'keepaliveReceived':
      return new Transition(state).heard().to('Established');
    case 'updateReceived':
      return new Transition(state)
        .heard()
        .act({ kind: 'processUpdate', body: event.body })
        .to('Established');
    case 'versionErrorReceived':
      return new Transition(state).end().count().damp('error').to('Idle');
    case 'updateErrorReceived':
      return new Transition(state)
        .giveUp(event.fault)
        .count()
        .damp(isPrefixesMax(event.fault) ? 'prefixes' : 'error')
        .to('Idle');
    case 'sendHoldExpired':
      return new Transition(state).giveUp(sendHoldExpired).count().damp('error').to('Idle');
    case 'routeRefreshReceived':
      return stay(state, { kind: 'processRouteRefresh', body: event.body });
    default:
      return stepConnected(state, event, unexpected.Established);
  }
}

/**
 * The rows that OpenSent, OpenConfirm and Established share.
 *
 * @param fault - what answers an event that the state does not expect
 */
function stepConnected(state: FsmState, event: FsmEvent, fault: BgpFault): Step {
  switch (event.kind) {
    case 'manualStop':
      return new Transition(state).giveUp(shutdown).reset().to('Idle');
    case 'automaticStop':
      return new Transition(state)
        .giveUp(event.fault)
        .count()
        .damp(causeOf(event.fault))
        .to('Idle');
    case 'headerErrorReceived':
    case 'openErrorReceived':
      return new Transition(state).giveUp(event.fault).count().damp('error').to('Idle');
    case 'holdExpired':
      return new Transition(state).giveUp(holdExpired).count().damp('error').to('Idle');
    case 'tcpConnectionValid':
      return stay(state);
    case 'tcpConnectAcked':
    case 'tcpConnectionConfirmed':
      return stay(state, { kind: 'trackConnection', connection: event.connection });
    case 'tcpConnectionInvalid':
      return stay(state, { kind: 'refuseConnection', connection: event.connection });
    case 'collisionDumped':
      return new Transition(state).giveUp(collision).count().damp('retry').to('Idle');
    case 'versionErrorReceived':
      return new Transition(state).end().damp('error').to('Idle');
    case 'notificationReceived': {
      const cause = causeOf(event.notification);
      const isGraceful = state.isNotificationGraceful && !isHardReset(event.notification);
      return new Transition(state).end(isGraceful).count().damp(cause).to('Idle');
    }
    default:
      if (isStart(event.kind)) return stay(state);
      return new Transition(state).giveUp(fault).count().damp('error').to('Idle');
  }
}

function isPrefixesMax({ code, subcode }: BgpFault): boolean {
  return code === notificationCode.cease && subcode === ceaseSubcode.prefixesMax;
}

/** What an operator did is no error (RFC 4486 §4, RFC 8538 §3), and neither is a collision. */
function causeOf({ code, subcode }: Notification): DampCause {
  if (code !== notificationCode.cease) return 'error';
  switch (subcode) {
    case ceaseSubcode.administrativeShutdown:
    case ceaseSubcode.peerDeconfigured:
    case ceaseSubcode.administrativeReset:
    case ceaseSubcode.configurationChange:
    case ceaseSubcode.hardReset:
      return 'administrative';
    case ceaseSubcode.connectionCollision:
      return 'retry';
    default:
      return 'error';
  }
}

function keepAlive(state: FsmState): Step {
  return new Transition(state)
    .act({ kind: 'sendKeepalive' })
    .start('keepalive', state.keepaliveTimeMs)
    .to(state.name);
}
