// SPDX-License-Identifier: Apache-2.0
/**
 * What the supervisor that started egretd is notified of, systemd for one: readiness, a state in words,
 * and that the main loop runs (sd_notify(3), sd_watchdog_enabled(3)). Without a supervisor all of it
 * does nothing.
 *
 * The watchdog is fed by a timer of the main loop, four times as often as asked for, so that a loop that
 * hangs ends egretd, and one that is only slow does not.
 */
import type { Clock, Timer } from '../../lib/clock.ts';

/** The environment, as far as it is read here. */
export type SupervisorEnvironment = Readonly<Record<string, string | undefined>>;

export class Supervisor {
  readonly #clock: Clock;
  readonly #notify: (state: string) => void;
  /** Undefined: no watchdog. */
  readonly #beatMs: number | undefined;
  readonly #state: () => string;
  #timer: Timer | undefined;

  /**
   * @param notify - sends lines of NAME=VALUE
   * @param state - one line for `systemctl status`
   */
  constructor(
    clock: Clock,
    environment: SupervisorEnvironment,
    pid: number,
    notify: (state: string) => void,
    state: () => string,
  ) {
    this.#clock = clock;
    this.#notify = notify;
    this.#state = state;
    const { WATCHDOG_USEC: wait, WATCHDOG_PID: watched } = environment;
    const isOurs = watched === undefined || Number(watched) === pid;
    this.#beatMs = isOurs && Number(wait) > 0 ? Number(wait) / 1000 / 4 : undefined;
  }

  /** Also after a reload. */
  ready(): void {
    this.#notify(`READY=1\nSTATUS=${this.#state()}`);
    if (this.#timer === undefined) this.#beat();
  }

  reloading(): void {
    this.#notify('RELOADING=1\nSTATUS=reads the configuration');
  }

  /** The watchdog is still fed: the orderly stop has a time limit of its own. */
  stopping(): void {
    this.#notify('STOPPING=1\nSTATUS=stops');
  }

  #beat(): void {
    if (this.#beatMs === undefined) return;
    this.#notify(`WATCHDOG=1\nSTATUS=${this.#state()}`);
    this.#timer = this.#clock.after(this.#beatMs, () => this.#beat());
  }
}
