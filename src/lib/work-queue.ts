// SPDX-License-Identifier: Apache-2.0
/**
 * The one scheduler of the main thread: all work that can wait, in small steps, with one budget for
 * each turn of the event loop (docs/adr/0011-one-scheduler.md).
 *
 *   timers ─▶ I/O ─▶ urgent ─▶ step of each customer, in turn, until the budget is used ─▶ timers …
 *             └─────────────── what counts against the budget ───────────────┘
 *
 * Urgent is what a person or a neighbor waits for: an answer to a status request, a connection that was accepted, a
 * timer that first lets pending I/O through. It runs before all else. The rest is done for customers:
 * the RIB of one network, its FIB, one BGP connection, one table of the mirror. Each has a step in its
 * turn. One that takes longer than its share passes until the others have had as much; so no customer
 * starves, whatever another one's steps cost, and a new customer waits for one round.
 *
 * In every turn, customers have a little time even when I/O and urgent work used the budget up; and
 * at least one urgent call is made. What continues behind a promise runs only when the queue has
 * returned: so a turn ends with the first customer that it continues.
 *
 * A step that throws is not tried again; the others go on in the next turn.
 */
import type { Clock } from './clock.ts';

export interface Worker {
  /** One step, half a millisecond at most if possible. @returns whether there is more */
  work(): boolean;
}

/** From the begin of a turn to its last step's begin. */
const turnMs = 8;
/** What customers have in each turn. */
const leastMs = 2;
/** Of a customer in each round. */
const shareMs = 0.5;
/** The most that one owes: a step may take long only because another process had the core. */
const debtMaxMs = 10;
/** Ends a turn when the clock stands still, in tests. */
const stepsMax = 10_000;

export class WorkQueue {
  readonly #clock: Clock;
  /** Customers in the order of their turns. */
  readonly #ready = new Set<Worker>();
  /** What customers have taken beyond their shares. Kept when they are done: they may come again. */
  readonly #debtsMs = new Map<Worker, number>();
  #urgent: (() => void)[] = [];
  #isScheduled = false;
  /** A promise was resolved: what it continues has the rest of this turn. */
  #hasContinued = false;
  /** Busy time when this turn began, or when the first of its work was added. */
  #turnBeganMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A customer has work. Adding it twice is harmless. */
  add(worker: Worker): void {
    this.#ready.add(worker);
    this.#schedule();
  }

  remove(worker: Worker): void {
    this.#ready.delete(worker);
  }

  /** Runs once, before all customers, when pending I/O has been dealt with. */
  soon(run: () => void): void {
    this.#urgent.push(run);
    this.#schedule();
  }

  /**
   * Lets others have their turn, between two steps of something long that is written with `await`.
   *
   * @param urgency - urgent: an answer is waited for
   */
  pause(urgency: 'urgent' | 'ordinary' = 'ordinary'): Promise<void> {
    return new Promise((resolve) => {
      const goOn = (): false => {
        this.#hasContinued = true;
        resolve();
        return false;
      };
      if (urgency === 'urgent') this.soon(goOn);
      else this.add({ work: goOn });
    });
  }

  /** Does a job as a customer of its own. @param step - as Worker.work  @returns when it is done */
  job(step: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const work = (): boolean => {
        try {
          if (step()) return true;
          resolve();
        } catch (error) {
          reject(error);
        }
        this.#hasContinued = true;
        return false;
      };
      this.add({ work });
    });
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#turnBeganMs = this.#clock.busyMs();
    this.#clock.soon(() => this.#run());
  }

  #run(): void {
    this.#isScheduled = false;
    const endMs = this.#turnBeganMs + turnMs;
    try {
      this.#runUrgent(endMs);
      const leastEndMs = this.#clock.busyMs() + leastMs;
      const readyEndMs = this.#hasContinued ? leastEndMs : Math.max(endMs, leastEndMs);
      this.#hasContinued = false;
      this.#runReady(readyEndMs);
    } finally {
      if (this.#ready.size === 0) this.#debtsMs.clear();
      if (this.#urgent.length > 0 || this.#ready.size > 0) this.#schedule();
    }
  }

  /** What was urgent when the turn came; what that makes urgent is for the next one. */
  #runUrgent(endMs: number): void {
    const due = this.#urgent;
    this.#urgent = [];
    this.#hasContinued = false;
    let count = 0;
    try {
      while (count < due.length && !this.#hasContinued) {
        count += 1;
        due[count - 1]!();
        if (this.#clock.busyMs() >= endMs) break;
      }
    } finally {
      if (count < due.length) this.#urgent = [...due.slice(count), ...this.#urgent];
    }
  }

  #runReady(endMs: number): void {
    let nowMs = this.#clock.busyMs();
    let steps = 0;
    // One that has more is moved to the end of the set, which a loop over it reaches again.
    for (const worker of this.#ready) {
      this.#ready.delete(worker);
      if (this.#owes(worker)) {
        this.#ready.add(worker);
      } else {
        if (worker.work()) this.#ready.add(worker);
        const beganMs = nowMs;
        nowMs = this.#clock.busyMs();
        const debtMs = Math.min(nowMs - beganMs - shareMs, debtMaxMs);
        if (debtMs > 0) this.#debtsMs.set(worker, debtMs);
        steps += 1;
        if (nowMs >= endMs || this.#hasContinued || steps === stepsMax) break;
      }
    }
  }

  /** Pays one share of a debt. @returns whether this customer passes in this round */
  #owes(worker: Worker): boolean {
    const debtMs = this.#debtsMs.get(worker);
    if (debtMs === undefined) return false;
    if (debtMs > shareMs) this.#debtsMs.set(worker, debtMs - shareMs);
    else this.#debtsMs.delete(worker);
    return debtMs > shareMs;
  }
}
