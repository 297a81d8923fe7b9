// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import type { Clock } from '../../lib/clock.ts';
import { WorkQueue } from '../../lib/work-queue.ts';
import { Memory } from './memory.ts';

/** A table whose size is set by hand, and what was done about it. */
function bench() {
  const timers: (() => void)[] = [];
  const tables = { isSettled: true, tableBytes: 0, attributeCount: 0 };
  const mirrors = { isSettled: true };
  const done: string[] = [];
  const clock: Clock = {
    nowMs: () => 0,
    wallMs: () => 0,
    busyMs: () => 0,
    after: (_delayMs, run) => {
      timers.push(run);
      return { clear: () => {} };
    },
    soon: (run) => run(),
  };
  const memory = new Memory({
    clock,
    queue: new WorkQueue(clock),
    tables,
    mirrors,
    dataPlane: { trimMemory: () => done.push('trim') },
    shrinkHeap: () => done.push('shrink'),
  });
  const hold = (bytes: number) => {
    tables.tableBytes = bytes;
    memory.changed();
  };
  const turn = () => timers.shift()?.();
  return { memory, tables, mirrors, done, hold, turn };
}

test('a table that went is given back, in two rounds, once', () => {
  const { done, hold, turn } = bench();
  hold(60 << 20);
  hold(1 << 20);
  hold(1 << 20);
  for (let i = 0; i < 5; i += 1) turn();
  expect(done).toEqual(['shrink', 'trim', 'shrink', 'trim']);
  hold(1 << 20);
  turn();
  expect(done).toEqual(['shrink', 'trim', 'shrink', 'trim']);
});

test('not before the mirror has followed', () => {
  const { mirrors, done, hold, turn } = bench();
  hold(60 << 20);
  mirrors.isSettled = false;
  hold(1 << 20);
  turn();
  turn();
  expect(done).toEqual([]);
  mirrors.isSettled = true;
  turn();
  expect(done).toEqual(['shrink']);
});

test("what a previous instance's routes took is given back when they are removed", () => {
  const { memory, mirrors, done, turn } = bench();
  mirrors.isSettled = false;
  memory.tookOver();
  turn();
  expect(done).toEqual([]);
  mirrors.isSettled = true;
  for (let i = 0; i < 5; i += 1) turn();
  expect(done).toEqual(['shrink', 'trim', 'shrink', 'trim']);
});

test('a table that grows, or shrinks a little, is left alone', () => {
  const { done, hold, turn } = bench();
  for (const mebibytes of [10, 60, 40]) hold(mebibytes << 20);
  turn();
  expect(done).toEqual([]);
});

test('where many attribute sets are left the heap stays as it is', () => {
  const { tables, done, hold, turn } = bench();
  tables.attributeCount = 150_000;
  hold(200 << 20);
  hold(60 << 20);
  for (let i = 0; i < 3; i += 1) turn();
  expect(done).toEqual(['trim', 'trim']);
});
