import { expect, test } from 'vitest';
import { MeasuredClock } from './measured-clock.ts';

/** A clock whose CPU time is worked off by hand. */
function bench() {
  let cpuMs = 100;
  const queue: (() => void)[] = [];
  const add = (run: () => void) => {
    queue.push(run);
    return { clear: () => {} };
  };
  const clock = new MeasuredClock({
    nowMs: () => 0,
    wallMs: () => 0,
    threadCpuMs: () => cpuMs,
    after: (_delayMs, run) => add(run),
    soon: (run) => void add(run),
  });
  const work = (ms: number) => {
    cpuMs += ms;
  };
  const turn = () => queue.shift()?.();
  return { clock, work, turn };
}

test('the longest of timers and slices counts', () => {
  const { clock, work, turn } = bench();
  clock.soon(() => work(3));
  clock.after(1, () => work(7));
  clock.soon(() => work(2));
  clock.soon(() => {});
  for (let i = 0; i < 4; i += 1) turn();
  expect(clock.stepMsMax).toBe(7);
});

test('what runs between two slices counts with the first of them', () => {
  const { clock, work, turn } = bench();
  clock.soon(() => work(3));
  clock.soon(() => {});
  turn();
  work(5); // a promise's continuation, a socket, the garbage collector
  turn();
  expect(clock.stepMsMax).toBe(8);
});

test('what is disregarded does not count', () => {
  const { clock, work, turn } = bench();
  work(4);
  clock.disregard();
  clock.soon(() => {});
  work(3);
  turn();
  expect(clock.stepMsMax).toBe(3);
});

test('what came before the clock is not its affair, what comes before its first slice is', () => {
  const { clock, work, turn } = bench();
  work(4);
  clock.soon(() => {});
  turn();
  expect(clock.stepMsMax).toBe(4);
});
