// SPDX-License-Identifier: Apache-2.0
/**
 * Reconciliation: makes the box what the Model and the host ask for, in idempotent steps.
 *
 *   soon() ─▶ step ─▶ step ─▶ … ─▶ done        asked meanwhile: all of them once more
 *               └─ refused: logged, and all of them again after a second
 *
 * Each step is short, even with ten thousand clients, and other work gets its turn in between. A step
 * that waits long for the kernel or for a program is logged while it waits: no newer configuration is
 * applied before it is done.
 */
import type { Clock, Timer } from '../lib/clock.ts';
import { coalesced } from '../lib/coalesced.ts';
import type { Log } from '../lib/log.ts';
import type { WorkQueue } from '../lib/work-queue.ts';

/** Done in this order; the names are for the log. */
export type ReconcileSteps = Readonly<Record<string, () => void | Promise<void>>>;

export interface ReconcilerOptions {
  readonly clock: Clock;
  readonly queue: WorkQueue;
  readonly log: Log;
  readonly steps: ReconcileSteps;
}

/** Until what the kernel refused is tried again. */
const retryMs = 1_000;
/** Some ten times what a step takes on a busy box. */
const longMs = 5_000;

export class Reconciler {
  /** Asks for all steps. */
  readonly soon: () => void;
  readonly #options: ReconcilerOptions;
  #isHalted = false;
  #retry: Timer | undefined;
  /** What is under way, or the last one. */
  #running: Promise<void> = Promise.resolve();
  /** Those that wait for a run that begins after they asked. */
  #waiting: ((refusal: string | undefined) => void)[] = [];

  constructor(options: ReconcilerOptions) {
    this.#options = options;
    this.soon = coalesced(() => this.#runOrRetry());
  }

  /** All steps for the first time. What is refused is tried again, as ever. */
  begin(): Promise<void> {
    return this.#runOrRetry();
  }

  /**
   * Asks for all steps, and waits for them.
   *
   * @returns what the kernel refused, which is tried again; undefined: all is done
   */
  settle(): Promise<string | undefined> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.soon();
    });
  }

  /** Asks for all steps after a while, once however often it is asked: something is to be tried again. */
  later(): void {
    this.#retry ??= this.#options.clock.after(retryMs, () => {
      this.#retry = undefined;
      this.soon();
    });
  }

  /** No further step is taken. @returns when the one under way is done */
  async halt(): Promise<void> {
    this.#isHalted = true;
    this.#retry?.clear();
    await this.#running.catch(() => {});
  }

  async #runSteps(): Promise<void> {
    const { clock, queue, log, steps } = this.#options;
    for (const [name, run] of Object.entries(steps)) {
      await queue.pause();
      if (this.#isHalted) return;
      const late = clock.after(longMs, () => {
        log.warn({ step: name, seconds: longMs / 1000 }, 'reconciliation waits');
      });
      try {
        await run();
      } finally {
        late.clear();
      }
    }
  }

  async #runOrRetry(): Promise<void> {
    if (this.#isHalted) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    try {
      this.#running = this.#runSteps();
      await this.#running;
      for (const resolve of waiting) resolve(undefined);
    } catch (error) {
      for (const resolve of waiting) resolve(error instanceof Error ? error.message : `${error}`);
      if (this.#isHalted) return;
      this.#options.log.error({ error }, 'the kernel refused a change; it is tried again');
      this.later();
    }
  }
}
