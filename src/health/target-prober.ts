// SPDX-License-Identifier: Apache-2.0
/**
 * Probes one target again and again: rounds of attempts, one outstanding at a time.
 *
 *   round ─▶ resolve the name ─▶ way 1 ─no answer─▶ way 2 ─ … ─▶ wait for the next round
 *                                  └──answer: the round is over, the next one begins with this way
 *
 * The ways of a round (the interfaces by which the gateway's networks lead to the target) share three
 * quarters of the interval. Rounds begin 75 to 95 % of the interval apart: jittered, as RFC 4271 §10
 * does it, and never so late that a target which answers every time would miss a timeout that equals
 * the interval.
 */
import type { Clock, Timer } from '../lib/clock.ts';
import type { Random } from '../lib/random.ts';
import type { Ipv4 } from '../net/ipv4.ts';
import { type Answers, answered, begun, begunInUse, stateOf, type TargetState } from './probe.ts';
import type { Attempt, AttemptHandlers, Way } from './sockets.ts';

/** The ways to a target now, and if there is none, why. */
export interface Ways {
  readonly ways: readonly Way[];
  readonly reason: string | undefined;
}

export interface TargetProberOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Whether clients use the gateway already (begunInUse). */
  readonly isInUse: boolean;
  /** @param done - may be called at once; undefined: there is no such address */
  resolve(done: (address: Ipv4 | undefined) => void): void;
  waysTo(address: Ipv4): Ways;
  attempt(address: Ipv4, way: Way, handlers: AttemptHandlers): Attempt;
  /** The state is another one. */
  changed(): void;
  /** It does not answer, and fails for another reason than before. */
  failureChanged(): void;
}

export interface Pace {
  readonly intervalMs: number;
  readonly timeoutMs: number;
}

const firstRoundMsMax = 250;
/** The longest that Node's timers can wait. */
const delayMsMax = 0x7fff_ffff;

export class TargetProber {
  readonly #options: TargetProberOptions;
  #pace: Pace;
  #answers: Answers;
  #lastState: TargetState;
  #failure: string | undefined;
  #lastAddress: Ipv4 | undefined;
  #lastWay: Way | undefined;
  #isWithoutWay = false;
  #attempt: Attempt | undefined;
  #patience: Timer | undefined;
  #round: Timer | undefined;
  #expiry: Timer | undefined;
  /** Rounds begun; answers to an older one are ignored. */
  #rounds = 0;

  constructor(options: TargetProberOptions, pace: Pace) {
    this.#options = options;
    this.#pace = pace;
    const nowMs = options.clock.nowMs();
    this.#answers = options.isInUse ? begunInUse(nowMs) : begun(nowMs);
    this.#lastState = this.state;
    this.#schedule(Math.min(pace.intervalMs, firstRoundMsMax) * options.random.next());
    this.#expireLater();
  }

  get state(): TargetState {
    return stateOf(this.#answers, this.#pace.timeoutMs, this.#options.clock.nowMs());
  }

  get silentMs(): number {
    return this.#options.clock.nowMs() - this.#answers.sinceMs;
  }

  get failure(): string | undefined {
    return this.#failure;
  }

  /** What it knows stays. */
  setPace(pace: Pace): void {
    const isFaster = pace.intervalMs < this.#pace.intervalMs;
    const isSame = pace.intervalMs === this.#pace.intervalMs;
    if (isSame && pace.timeoutMs === this.#pace.timeoutMs) return;
    this.#pace = pace;
    if (isFaster) this.#schedule(Math.min(pace.intervalMs, firstRoundMsMax));
    this.#expireLater();
  }

  /** As long as nothing was learned, what was presumed at the beginning is presumed again. */
  presumeAgain(): void {
    if (this.#answers.kind !== 'presumed') return;
    this.#answers = begunInUse(this.#options.clock.nowMs());
    this.#expireLater();
  }

  /** Routes may have changed: a round that found no way begins again when there is one. */
  waysChanged(): void {
    if (!this.#isWithoutWay || this.#lastAddress === undefined) return;
    if (this.#options.waysTo(this.#lastAddress).ways.length > 0) this.#begin();
  }

  stop(): void {
    this.#rounds += 1;
    this.#endAttempt();
    this.#round?.clear();
    this.#expiry?.clear();
  }

  #schedule(delayMs: number): void {
    this.#round?.clear();
    this.#round = this.#options.clock.after(Math.min(delayMs, delayMsMax), () => this.#begin());
  }

  #begin(): void {
    const { random } = this.#options;
    this.#rounds += 1;
    this.#endAttempt();
    this.#isWithoutWay = false;
    this.#schedule(this.#pace.intervalMs * (0.75 + 0.2 * random.next()));
    const round = this.#rounds;
    this.#options.resolve((address) => {
      if (round !== this.#rounds) return;
      this.#lastAddress = address;
      if (address === undefined) this.#fail('its name has no address');
      else this.#tryAll(address);
    });
  }

  #tryAll(address: Ipv4): void {
    const { ways, reason } = this.#options.waysTo(address);
    if (ways.length === 0) {
      this.#isWithoutWay = true;
      this.#fail(reason);
      return;
    }
    const last = this.#lastWay;
    const isLast = (way: Way): boolean =>
      way.interface === last?.interface && way.mark === last?.mark;
    const [first, ...others] = [...ways.filter(isLast), ...ways.filter((way) => !isLast(way))];
    const patienceMs = (this.#pace.intervalMs * 0.75) / ways.length;
    if (first) this.#try(address, first, others, patienceMs);
  }

  #try(address: Ipv4, way: Way, others: readonly Way[], patienceMs: number): void {
    const next = (failure: string | undefined): void => {
      this.#endAttempt();
      this.#fail(failure);
      const [following, ...rest] = others;
      if (following) this.#try(address, following, rest, patienceMs);
    };
    this.#patience = this.#options.clock.after(Math.min(patienceMs, delayMsMax), () =>
      next(undefined),
    );
    this.#attempt = this.#options.attempt(address, way, {
      answered: () => {
        this.#endAttempt();
        this.#lastWay = way;
        this.#answered();
      },
      failed: next,
    });
  }

  #endAttempt(): void {
    this.#patience?.clear();
    this.#patience = undefined;
    this.#attempt?.cancel();
    this.#attempt = undefined;
  }

  #fail(failure: string | undefined): void {
    if (failure === this.#failure) return;
    this.#failure = failure;
    if (this.state !== 'answering') this.#options.failureChanged();
  }

  #answered(): void {
    this.#answers = answered(this.#options.clock.nowMs());
    this.#failure = undefined;
    this.#expireLater();
  }

  /** Tells the state when it is another one, and comes back when time makes it so. */
  #expireLater(): void {
    this.#expiry?.clear();
    const { clock, changed } = this.#options;
    const { state } = this;
    if (state !== this.#lastState) {
      this.#lastState = state;
      changed();
    }
    const remainingMs = this.#pace.timeoutMs - this.silentMs;
    if (remainingMs <= 0) return;
    // Timers may be a little early, and cannot wait for any length of time.
    const delayMs = Math.min(Math.max(1, remainingMs), delayMsMax);
    this.#expiry = clock.after(delayMs, () => this.#expireLater());
  }
}
