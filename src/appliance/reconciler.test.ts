// SPDX-License-Identifier: Apache-2.0
import { setTimeout as sleep } from 'node:timers/promises';
import pino from 'pino';
import { describe, expect, test } from 'vitest';
import { systemClock } from '../lib/clock.ts';
import { WorkQueue } from '../lib/work-queue.ts';
import { Reconciler, type ReconcileSteps } from './reconciler.ts';

/** Every delay is a hundredth of what it should be; counts the delays that run at once. */
function hastyClock() {
  const running = new Set<object>();
  const after = (delayMs: number, run: () => void) => {
    const mark = {};
    running.add(mark);
    const timer = systemClock.after(delayMs / 100, () => {
      running.delete(mark);
      run();
    });
    const clear = (): void => {
      running.delete(mark);
      timer.clear();
    };
    return { clear };
  };
  return { clock: { ...systemClock, after }, running };
}

function reconcilerOf(steps: ReconcileSteps) {
  const logged: { step?: string; msg: string }[] = [];
  const log = pino({ base: null }, { write: (line) => void logged.push(JSON.parse(line)) });
  const { clock, running } = hastyClock();
  const queue = new WorkQueue(clock);
  const reconciler = new Reconciler({ clock, queue, log, steps });
  return { reconciler, logged, running };
}

describe('a reconciler', () => {
  test('takes its steps in order, and all once more when asked meanwhile', async () => {
    const taken: string[] = [];
    const { reconciler } = reconcilerOf({
      first: () => void taken.push('first'),
      second: async () => {
        await sleep(5);
        if (taken.push('second') === 2) for (let i = 0; i < 3; i += 1) reconciler.soon();
      },
    });
    reconciler.soon();
    await expect.poll(() => taken.length).toBe(4);
    await sleep(20);
    expect(taken).toEqual(['first', 'second', 'first', 'second']);
  });

  test('tells what was refused, and tries all of it again', async () => {
    let refusals = 2;
    let done = 0;
    const { reconciler, logged } = reconcilerOf({
      refused: () => {
        refusals -= 1;
        if (refusals >= 0) throw new Error('no');
      },
      behind: () => {
        done += 1;
      },
    });
    reconciler.soon();
    await expect.poll(() => done).toBe(1);
    expect(logged.map(({ msg }) => msg)).toEqual(
      Array(2).fill('the kernel refused a change; it is tried again'),
    );
  });

  test('tries once again, however often it was asked while something was refused', async () => {
    let runs = 0;
    let waitingMax = 0;
    const { reconciler, running } = reconcilerOf({
      refused: () => {
        runs += 1;
        waitingMax = Math.max(waitingMax, running.size);
        throw new Error('no');
      },
    });
    for (let i = 1; i <= 10; i += 1) {
      reconciler.soon();
      await expect.poll(() => runs, { interval: 1 }).toBeGreaterThanOrEqual(i);
    }
    // The step's own and one for the next try, never one for each time that it was asked.
    expect(waitingMax).toBe(2);
    await reconciler.halt();
  });

  test('tells which step it waits for', async () => {
    const { reconciler, logged } = reconcilerOf({
      short: () => {},
      long: () => sleep(120),
    });
    await reconciler.begin();
    expect(logged).toMatchObject([{ step: 'long', msg: 'reconciliation waits' }]);
  });

  test('halts behind the step that is under way', async () => {
    const taken: string[] = [];
    const { reconciler } = reconcilerOf({
      first: async () => {
        await sleep(10);
        taken.push('first');
      },
      second: () => void taken.push('second'),
    });
    reconciler.soon();
    await sleep(5);
    await reconciler.halt();
    expect(taken).toEqual(['first']);
    reconciler.soon();
    await sleep(20);
    expect(taken).toEqual(['first']);
  });
});
