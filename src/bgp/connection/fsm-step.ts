// SPDX-License-Identifier: Apache-2.0
/**
 * What a step of the state machine consists of: the state after it and the actions that it takes,
 * and how both are put together row by row (bgp/connection/fsm.ts).
 */
import { type BgpFault, isHard, makeHardReset } from '../wire/notification.ts';
import type { Connection, Direction } from './transport.ts';

export type FsmName = 'Idle' | 'Connect' | 'Active' | 'OpenSent' | 'OpenConfirm' | 'Established';

export type TimerName = 'connectRetry' | 'hold' | 'keepalive' | 'sendHold' | 'idleHold';

export interface FsmState {
  readonly name: FsmName;
  /** ConnectRetryCounter (§8). */
  readonly connectRetryCount: number;
  /** Agreed in OPEN; 0: neither hold nor keepalive timer. */
  readonly holdTimeMs: number;
  readonly keepaliveTimeMs: number;
  /** The neighbor can restart gracefully (RFC 4724 §4.2). */
  readonly isGraceful: boolean;
  /** Also when a NOTIFICATION ends the session: both have said so (RFC 8538 §4). */
  readonly isNotificationGraceful: boolean;
  /** Which timers run. */
  readonly timers: readonly TimerName[];
}

/**
 * Why a machine waits in Idle: after an error longer each time, refusing the neighbor meanwhile; after
 * a lost connection longer each time, too, but the neighbor may come; after a failed attempt, and
 * after an operator's reset, as long each time; after too many prefixes, as long as configured,
 * refusing the neighbor meanwhile.
 */
export type DampCause = 'error' | 'lost' | 'retry' | 'administrative' | 'prefixes';

export type FsmAction =
  | { readonly kind: 'startTimer'; readonly timer: TimerName; readonly delayMs: number }
  | { readonly kind: 'stopTimer'; readonly timer: TimerName }
  /** Starts a TCP connection. */
  | { readonly kind: 'connect' }
  /** The connection of event 16 or 17 becomes this machine's own. */
  | {
      readonly kind: 'takeConnection';
      readonly connection: Connection;
      readonly direction: Direction;
    }
  /** The connection of event 16 or 17 gets a machine of its own (§6.8). */
  | { readonly kind: 'trackConnection'; readonly connection: Connection }
  | { readonly kind: 'refuseConnection'; readonly connection: Connection }
  | { readonly kind: 'sendOpen' }
  | { readonly kind: 'sendKeepalive' }
  | { readonly kind: 'sendNotification'; readonly fault: BgpFault }
  /** Ends the TCP connection or the attempt, after what was sent. */
  | { readonly kind: 'dropConnection' }
  /** Waits in Idle (backoff.ts). */
  | { readonly kind: 'damp'; readonly cause: DampCause }
  | { readonly kind: 'sessionUp' }
  /** isGraceful: keep the neighbor's routes as stale (RFC 4724 §4.2, RFC 8538 §4). */
  | { readonly kind: 'sessionDown'; readonly isGraceful: boolean }
  | { readonly kind: 'processUpdate'; readonly body: Uint8Array }
  | { readonly kind: 'processRouteRefresh'; readonly body: Uint8Array };

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
  isNotificationGraceful: false,
  timers: [],
};

/**
 * SendHoldTime (RFC 9687 §6): eight minutes, or twice the hold time when that is longer.
 *
 * @param holdTimeMs - as agreed; not 0, with which there is no SendHoldTimer
 */
export function sendHoldMs(holdTimeMs: number): number {
  return Math.max(480_000, 2 * holdTimeMs);
}

export function stay(state: FsmState, ...actions: FsmAction[]): Step {
  return { state, actions };
}

/** A step being put together: each call changes the state, or adds an action, or both. */
export class Transition {
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
    return this.#run(timer).act({ kind: 'startTimer', timer, delayMs });
  }

  stop(timer: TimerName): this {
    if (!this.#state.timers.includes(timer)) return this;
    const timers = this.#state.timers.filter((each) => each !== timer);
    this.#state = { ...this.#state, timers };
    return this.act({ kind: 'stopTimer', timer });
  }

  /**
   * The NOTIFICATION that ends the connection. Between two that keep routes over one, what is to end
   * them as well is a Hard Reset (RFC 8538 §3, §5.1); both sides do as it says (§4).
   */
  giveUp(fault: BgpFault): this {
    const { isNotificationGraceful } = this.#state;
    const isFinal = isHard(fault);
    const said = isNotificationGraceful && isFinal ? makeHardReset(fault) : fault;
    const isGraceful = isNotificationGraceful && !isFinal;
    return this.act({ kind: 'sendNotification', fault: said }).end(isGraceful);
  }

  /** The connection ends, and with it all timers and the session, if it stood. */
  end(isGraceful = false): this {
    if (this.#state.name === 'Established') this.act({ kind: 'sessionDown', isGraceful });
    for (const timer of this.#state.timers) this.stop(timer);
    const { name, connectRetryCount, timers } = this.#state;
    this.#state = { ...idleState, name, connectRetryCount, timers };
    return this.act({ kind: 'dropConnection' });
  }

  /** ConnectRetryCounter plus one. */
  count(): this {
    const connectRetryCount = this.#state.connectRetryCount + 1;
    this.#state = { ...this.#state, connectRetryCount };
    return this;
  }

  /** ConnectRetryCounter to zero. */
  reset(): this {
    this.#state = { ...this.#state, connectRetryCount: 0 };
    return this;
  }

  /** Who performs `damp` starts IdleHoldTimer. */
  damp(cause: DampCause): this {
    return this.#run('idleHold').act({ kind: 'damp', cause });
  }

  /** Hold and keepalive timers as agreed; none for a hold time of zero. */
  startAgreed(): this {
    const { holdTimeMs, keepaliveTimeMs } = this.#state;
    if (holdTimeMs === 0) return this.stop('hold');
    return this.start('hold', holdTimeMs).start('keepalive', keepaliveTimeMs);
  }

  /** The session stands: from now on the neighbor must take what it is sent (RFC 9687 §4.3). */
  up(): this {
    const { holdTimeMs } = this.#state;
    if (holdTimeMs > 0) this.start('sendHold', sendHoldMs(holdTimeMs));
    return this.act({ kind: 'sessionUp' });
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

  #run(timer: TimerName): this {
    if (this.#state.timers.includes(timer)) return this;
    this.#state = { ...this.#state, timers: [...this.#state.timers, timer] };
    return this;
  }
}
