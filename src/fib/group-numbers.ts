// SPDX-License-Identifier: Apache-2.0
/**
 * Numbers of next-hop groups, one pool for all networks of the data plane.
 *
 * A worker may still use a number that was freed. It is given out again only after the target confirmed
 * that no worker does; the target is asked again a while after the last change.
 */
import type { Clock, Timer } from '../lib/clock.ts';
import type { FibTarget } from './target.ts';

/** EGRET_GROUP_FIRST. */
const groupFirst = 2;
/** EGRET_GROUP_UNREACHABLE: what a prefix points to while no number is free. */
export const groupUnreachable = 1;

const reclaimMs = 20;

export class GroupNumbers {
  readonly #clock: Clock;
  readonly #target: FibTarget;
  /** The first number that does not exist. */
  readonly #end: number;
  #next = groupFirst;
  #free: number[] = [];
  /** Freed before the reclaim that is under way began. */
  #leaving: number[] = [];
  /** Freed since. */
  #freed: number[] = [];
  #hasFreedEntries = false;
  #usedCount = 0;
  #timer: Timer | undefined;
  #waiting: (() => void)[] = [];

  /** @param groupsMax - limits.groups of the arena: the numbers with a meaning come on top */
  constructor(options: {
    readonly clock: Clock;
    readonly target: FibTarget;
    readonly groupsMax: number;
  }) {
    this.#clock = options.clock;
    this.#target = options.target;
    this.#end = groupFirst + options.groupsMax;
  }

  /** Numbers that a group has now. */
  get usedCount(): number {
    return this.#usedCount;
  }

  /** @returns undefined when none is free; `onFree` is then called once, when one is */
  allocate(onFree: () => void): number | undefined {
    const number = this.#free.pop() ?? (this.#next < this.#end ? this.#next++ : undefined);
    if (number === undefined) {
      if (!this.#waiting.includes(onFree)) this.#waiting.push(onFree);
    } else {
      this.#usedCount += 1;
    }
    return number;
  }

  /** No delta names it any more. */
  free(number: number): void {
    this.#usedCount -= 1;
    this.#freed.push(number);
    this.#schedule();
  }

  /** Entries of the target were freed: it wants to be asked to reclaim them. */
  entriesFreed(): void {
    this.#hasFreedEntries = true;
    this.#schedule();
  }

  #schedule(): void {
    this.#timer ??= this.#clock.after(reclaimMs, () => {
      this.#timer = undefined;
      this.#reclaim();
    });
  }

  // A reclaim vouches for what was freed before the call that came before it: so what is freed
  // between two calls waits for the second one after.
  #reclaim(): void {
    const isReclaimed = this.#target.reclaim();
    if (isReclaimed) {
      this.#free = this.#free.concat(this.#leaving);
      const isAnyBack = this.#leaving.length > 0;
      this.#leaving = this.#freed;
      this.#freed = [];
      this.#hasFreedEntries = false;
      if (isAnyBack) this.#tellWaiting();
    }
    if (this.#leaving.length > 0 || this.#freed.length > 0 || this.#hasFreedEntries) {
      this.#schedule();
    }
  }

  #tellWaiting(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const tell of waiting) tell();
  }
}
