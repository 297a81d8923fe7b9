// SPDX-License-Identifier: Apache-2.0
/**
 * Keeps the state file up to date: what the next instance needs (run-dir.ts).
 *
 * A full disk does not stop this instance, but the next one will miss what was not written: the error is
 * logged, and writing is tried again until it succeeds.
 */
import type { Clock, Timer } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import type { RunDir, State } from './run-dir.ts';

const retryMs = 5_000;

export class StateFile {
  readonly #runDir: RunDir;
  readonly #clock: Clock;
  readonly #log: Log;
  #retry: Timer | undefined;
  #isStopped = false;

  constructor(runDir: RunDir, clock: Clock, log: Log) {
    this.#runDir = runDir;
    this.#clock = clock;
    this.#log = log;
  }

  /** @param state - asked again when it is tried again */
  write(state: () => State): void {
    try {
      this.#runDir.writeState(state());
    } catch (error) {
      if (this.#retry) return;
      this.#log.error({ error }, 'the state file was not written; the old one stays');
      if (this.#isStopped) return;
      this.#retry = this.#clock.after(retryMs, () => {
        this.#retry = undefined;
        this.write(state);
      });
    }
  }

  /** From here on nothing is tried again. */
  stop(): void {
    this.#isStopped = true;
    this.#retry?.clear();
    this.#retry = undefined;
  }
}
