// SPDX-License-Identifier: Apache-2.0
/**
 * When a configuration that waits for `egret confirm` is reverted. The deadline is an age of this boot,
 * which neither a restart of egretd nor a change of the clock moves.
 */
import type { Pending } from '../history/history.ts';
import type { Boot } from '../lib/boot.ts';
import type { Clock, Timer } from '../lib/clock.ts';

/** A timer and the boot's age may run apart by as much as the clocks are off in this time. */
const lookMs = 60_000;

export class ConfirmDeadline {
  readonly #clock: Clock;
  readonly #boot: Boot;
  readonly #over: () => void;
  #timer: Timer | undefined;

  constructor(clock: Clock, boot: Boot, over: () => void) {
    this.#clock = clock;
    this.#boot = boot;
    this.#over = over;
  }

  set(pending: Pending | null): void {
    this.clear();
    if (!pending) return;
    const leftMs = this.#leftMs(pending);
    this.#timer = this.#clock.after(Math.max(0, Math.min(leftMs, lookMs)), () => {
      if (this.isOver(pending)) this.#over();
      else this.set(pending);
    });
  }

  clear(): void {
    this.#timer?.clear();
    this.#timer = undefined;
  }

  isOver(pending: Pending): boolean {
    return this.#leftMs(pending) <= 0;
  }

  #leftMs({ untilAgeMs }: Pending): number {
    return untilAgeMs - this.#boot.ageMs();
  }
}
