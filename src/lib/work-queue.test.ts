// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from 'vitest';
import { ManualClock } from '../../test/support/manual-clock.ts';
import type { Worker, WorkQueue } from './work-queue.ts';

/** A clock that the steps move themselves. */
class StepClock extends ManualClock {
  #spentMs = 0;

  spend(ms: number): void {
    this.#spentMs += ms;
  }

  override busyMs(): number {
    return super.busyMs() + this.#spentMs;
  }
}

/** A customer with many steps. */
class Customer implements Worker {
  readonly #clock: StepClock;
  readonly #stepMs: number;
  readonly #log: Customer[];
  left: number;
  done = 0;

  constructor(clock: StepClock, log: Customer[], steps: number, stepMs: number) {
    this.#clock = clock;
    this.#log = log;
    this.left = steps;
    this.#stepMs = stepMs;
  }

  work(): boolean {
    this.#clock.spend(this.#stepMs);
    this.#log.push(this);
    this.left -= 1;
    this.done += 1;
    return this.left > 0;
  }
}

function setUp() {
  const clock = new StepClock();
  const log: Customer[] = [];
  const customer = (steps: number, stepMs = 0.25) => new Customer(clock, log, steps, stepMs);
  /** Several of them, with work. */
  const crowd = (count: number, steps: number, stepMs?: number): Customer[] => {
    const all = Array.from({ length: count }, () => customer(steps, stepMs));
    for (const each of all) clock.queue.add(each);
    return all;
  };
  return { clock, queue: clock.queue, log, customer, crowd };
}

/** Busy time of one turn. */
function turnMs(clock: StepClock): number {
  const beganMs = clock.busyMs();
  clock.turn();
  return clock.busyMs() - beganMs;
}

describe('customers', () => {
  test('have a step each in turn, however many steps they have', () => {
    const { clock, crowd } = setUp();
    const all = [...crowd(3, 1000), ...crowd(2, 7)];
    for (let turns = 0; turns < 50; turns += 1) {
      clock.turn();
      const most = Math.max(...all.map(({ done }) => done));
      for (const { done, left } of all) if (left > 0) expect(most - done).toBeLessThanOrEqual(1);
    }
  });

  test('have as much time as others, however long their steps are', () => {
    const { clock, crowd } = setUp();
    const [short] = crowd(1, 10_000, 0.25);
    const [long] = crowd(1, 10_000, 4);
    for (let turns = 0; turns < 200; turns += 1) clock.turn();
    // One has 0.25 ms in each round, the other one 0.5 ms on average.
    const ratio = (long!.done * 4) / (short!.done * 0.25);
    expect(ratio).toBeGreaterThan(1.5);
    expect(ratio).toBeLessThan(2.5);
  });

  test('that are new wait for one round', () => {
    const { clock, queue, log, crowd, customer } = setUp();
    crowd(10, 1000);
    clock.turn();
    const late = customer(1);
    queue.add(late);
    const before = log.length;
    clock.settle();
    expect(log.indexOf(late) - before).toBeLessThanOrEqual(10);
  });

  test('are there once, however often they are added', () => {
    const { clock, queue, customer } = setUp();
    const one = customer(3);
    for (let i = 0; i < 5; i += 1) queue.add(one);
    clock.settle();
    expect(one.done).toBe(3);
  });

  test('may be removed in a turn, and then have no step in it', () => {
    const { clock, queue, customer } = setUp();
    const victim = customer(10);
    queue.add({
      work: () => {
        queue.remove(victim);
        return false;
      },
    });
    queue.add(victim);
    clock.settle();
    expect(victim.done).toBe(0);
  });

  test('may add themselves in their own step', () => {
    const { clock, queue } = setUp();
    let steps = 0;
    const again: Worker = {
      work: () => {
        steps += 1;
        if (steps < 3) queue.add(again);
        return false;
      },
    };
    queue.add(again);
    clock.settle();
    expect(steps).toBe(3);
  });

  test('that throw have no other step; the rest continues', () => {
    const { clock, queue, crowd } = setUp();
    let steps = 0;
    queue.add({
      work: () => {
        steps += 1;
        throw new Error('broken');
      },
    });
    const all = crowd(3, 100);
    expect(() => clock.turn()).toThrow('broken');
    clock.settle();
    expect([steps, ...all.map(({ left }) => left)]).toEqual([1, 0, 0, 0]);
  });
});

describe('the budget of a turn', () => {
  test('is one for all customers', () => {
    const { clock, crowd } = setUp();
    crowd(1, 1000);
    const alone = turnMs(clock);
    crowd(99, 1000);
    expect(turnMs(clock)).toBe(alone);
    expect(alone).toBeGreaterThan(1);
  });

  test('counts what I/O took before', () => {
    const { clock, crowd } = setUp();
    const all = crowd(10, 1000);
    const stepsOfTurn = (): number => {
      const before = all.reduce((sum, { done }) => sum + done, 0);
      clock.turn();
      return all.reduce((sum, { done }) => sum + done, 0) - before;
    };
    const free = stepsOfTurn();
    clock.spend(4);
    const busy = stepsOfTurn();
    clock.spend(1000);
    const least = stepsOfTurn();
    expect(busy).toBeLessThan(free);
    expect(least).toBeLessThan(busy);
    expect(least).toBeGreaterThan(0);
  });
});

describe('urgent work', () => {
  test('comes before all customers, in its order', () => {
    const { clock, queue, log, crowd } = setUp();
    crowd(50, 100);
    clock.turn();
    const seen: number[] = [];
    const before = log.length;
    queue.soon(() => seen.push(log.length - before));
    queue.soon(() => seen.push(log.length - before));
    clock.turn();
    expect(seen).toEqual([0, 0]);
  });

  test('that is asked for by urgent work waits for I/O first', () => {
    const { clock, queue } = setUp();
    const seen: string[] = [];
    queue.soon(() => {
      seen.push('first');
      queue.soon(() => seen.push('second'));
    });
    clock.turn();
    expect(seen).toEqual(['first']);
    clock.turn();
    expect(seen).toEqual(['first', 'second']);
  });

  test('without end does not starve customers, nor the event loop', () => {
    const { clock, queue, crowd } = setUp();
    const all = crowd(2, 100);
    let calls = 0;
    const ask = (): void => {
      calls += 1;
      clock.spend(3);
      queue.soon(ask);
    };
    for (let i = 0; i < 100; i += 1) queue.soon(ask);
    for (let turns = 0; turns < 10; turns += 1) {
      const before = calls;
      clock.turn();
      expect(calls - before).toBeLessThan(5);
    }
    for (const { done } of all) expect(done).toBeGreaterThan(10);
  });

  test('that throws takes nothing with it', () => {
    const { clock, queue, crowd } = setUp();
    const [one] = crowd(1, 5);
    const seen: string[] = [];
    queue.soon(() => {
      throw new Error('broken');
    });
    queue.soon(() => seen.push('behind'));
    expect(() => clock.turn()).toThrow('broken');
    clock.settle();
    expect([seen, one!.left]).toEqual([['behind'], 0]);
  });
});

describe('what continues behind a promise', () => {
  const counted = async (queue: WorkQueue, urgency: 'urgent' | 'ordinary', seen: number[]) => {
    for (let i = 0; i < 3; i += 1) {
      await queue.pause(urgency);
      seen.push(i);
    }
  };

  test.each(['urgent', 'ordinary'] as const)('has a turn for itself (%s)', async (urgency) => {
    const { clock, queue } = setUp();
    const seen: number[] = [];
    const all = [1, 2, 3].map(() => counted(queue, urgency, seen));
    for (let turns = 1; turns <= 9; turns += 1) {
      clock.turn();
      await Promise.resolve();
      await Promise.resolve();
      expect(seen.length).toBe(turns);
    }
    await Promise.all(all);
  });

  test('a job is done when its last step is, and fails with it', async () => {
    const { clock, queue } = setUp();
    let steps = 0;
    const done = queue.job(() => {
      steps += 1;
      return steps < 5;
    });
    const failed = queue.job(() => {
      throw new Error('broken');
    });
    const refused = expect(failed).rejects.toThrow('broken');
    clock.settle();
    await refused;
    await done;
    expect(steps).toBe(5);
  });
});
