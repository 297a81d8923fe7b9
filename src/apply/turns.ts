// SPDX-License-Identifier: Apache-2.0
/**
 * One writer of the configuration at a time. Others wait for their turn, in the order in which they
 * came; a person not forever.
 */
import type { Clock } from '../lib/clock.ts';
import { EgretError } from '../lib/errors.ts';

interface Waiting {
  readonly begin: () => void;
}

/** Then a person is better served by the name of who is at it. */
const patienceMs = 10_000;

export class Turns {
  readonly #clock: Clock;
  /** Whose turn it is, and what for. */
  #holder: string | undefined;
  readonly #waiting: Waiting[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * @param holder - who does what, for those that wait too long
   * @param isPatient - waits as long as it takes: a deadline, a signal
   * @throws EgretError CONFIG_BUSY, and whatever the work throws
   */
  async take<Value>(holder: string, work: () => Promise<Value>, isPatient = false): Promise<Value> {
    if (this.#holder !== undefined) await this.#wait(isPatient);
    this.#holder = holder;
    try {
      return await work();
    } finally {
      this.#holder = undefined;
      this.#waiting.shift()?.begin();
    }
  }

  #wait(isPatient: boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const tooLong = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
        reject(new EgretError('CONFIG_BUSY', { holder: this.#holder ?? '' }));
      };
      const timer = isPatient ? undefined : this.#clock.after(patienceMs, tooLong);
      const waiting: Waiting = {
        begin: () => {
          timer?.clear();
          // Nothing may come between: one that asks now waits behind.
          this.#holder = 'the next one';
          resolve();
        },
      };
      this.#waiting.push(waiting);
    });
  }
}
