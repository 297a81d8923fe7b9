// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import { ManualClock } from '../../test/support/manual-clock.ts';
import { systemClock } from './clock.ts';
import { LoopDelay } from './loop-delay.ts';

function setUp() {
  const clock = new ManualClock();
  const histogram = {
    max: 0,
    p99: 0,
    percentile: () => histogram.p99,
    reset: () => {
      histogram.max = 0;
      histogram.p99 = 0;
    },
  };
  /** Milliseconds between two calls of the timer. */
  const seen = (maxMs: number, p99Ms: number): void => {
    histogram.max = maxMs * 1e6;
    histogram.p99 = p99Ms * 1e6;
  };
  return { clock, seen, delay: new LoopDelay(clock, histogram) };
}

test('a delay is what is over the resolution of the timer', () => {
  const { seen, delay } = setUp();
  expect([delay.maxMs, delay.recent]).toEqual([0, { maxMs: 0, p99Ms: 0 }]);
  seen(35, 10);
  expect([delay.maxMs, delay.recent]).toEqual([25, { maxMs: 25, p99Ms: 0 }]);
});

test('the maximum is kept forever, and for two windows at most as a recent one', () => {
  const { clock, seen, delay } = setUp();
  seen(35, 20);
  clock.pass(30_000);
  seen(13, 12);
  expect([delay.maxMs, delay.recent]).toEqual([25, { maxMs: 25, p99Ms: 10 }]);
  clock.pass(30_000);
  expect([delay.maxMs, delay.recent]).toEqual([25, { maxMs: 3, p99Ms: 2 }]);
  delay.stop();
  clock.pass(600_000);
  expect(delay.recent.maxMs).toBe(3);
});

test('the system sees what holds the thread up', async () => {
  const delay = new LoopDelay(systemClock);
  await new Promise((resolve) => setTimeout(resolve, 50));
  const untilMs = performance.now() + 100;
  while (performance.now() < untilMs);
  await expect.poll(() => delay.maxMs, { timeout: 60_000 }).toBeGreaterThan(80);
  delay.stop();
});
