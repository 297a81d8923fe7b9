// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import type { Clock } from '../../lib/clock.ts';
import { WorkQueue } from '../../lib/work-queue.ts';
import { Takeover } from './takeover.ts';

/** A clock that is moved by hand. */
function bench(awaited: string[], deferralMs = 120_000) {
  let nowMs = 0;
  const timers = new Set<{ atMs: number; run: () => void }>();
  const reasons: string[] = [];
  const after = (delayMs: number, run: () => void) => {
    const timer = { atMs: nowMs + delayMs, run };
    timers.add(timer);
    return { clear: () => timers.delete(timer) };
  };
  const advance = (ms: number) => {
    nowMs += ms;
    for (const timer of [...timers].sort((a, b) => a.atMs - b.atMs)) {
      if (timer.atMs <= nowMs && timers.delete(timer)) timer.run();
    }
  };
  const clock: Clock = {
    nowMs: () => nowMs,
    wallMs: () => nowMs,
    busyMs: () => 0,
    after,
    soon: (run) => after(0, run),
  };
  const takeover = new Takeover({
    clock,
    queue: new WorkQueue(clock),
    awaited,
    deferralMs,
    onReady: (reason) => reasons.push(reason),
  });
  return { takeover, reasons, advance };
}

test('with no neighbor that was up, it takes over at once', () => {
  const { reasons, advance } = bench([]);
  advance(0);
  expect(reasons).toEqual(['no neighbor was up']);
});

test('RFC 4724 §4.1: the last End-of-RIB ends the deferral', () => {
  const { takeover, reasons, advance } = bench(['red', 'blue']);
  advance(0);
  takeover.established('red');
  takeover.established('blue');
  takeover.synchronized('red');
  expect(reasons).toEqual([]);
  takeover.synchronized('blue');
  expect(reasons).toEqual(['every neighbor has sent its routes']);
});

test('a neighbor that does not come back is not waited for', () => {
  const { takeover, reasons, advance } = bench(['red', 'dead']);
  takeover.established('red');
  takeover.synchronized('red');
  advance(19_000);
  expect(reasons).toEqual([]);
  advance(1_000);
  expect(reasons).toEqual(['neighbors that did not come back are not waited for']);
});

test('a neighbor that came up and went down again is not waited for', () => {
  const { takeover, reasons } = bench(['red']);
  takeover.down('red');
  expect(reasons).toEqual([]);
  takeover.established('red');
  takeover.down('red');
  expect(reasons).toEqual(['the last neighbor went down']);
});

test('an established neighbor that never ends its routes is waited for until the deferral ends', () => {
  const { takeover, reasons, advance } = bench(['red']);
  takeover.established('red');
  advance(60_000);
  expect(reasons).toEqual([]);
  advance(60_000);
  expect(reasons).toEqual(['the deferral time is over']);
});

test('a neighbor that was configured away is not waited for', () => {
  const { takeover, reasons } = bench(['red']);
  takeover.keep(new Set());
  expect(reasons).toEqual(['the configuration changed']);
});
