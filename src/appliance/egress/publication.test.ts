// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import type { DataPlane } from '../../dataplane/dataplane.ts';
import type { EgressPlan } from '../../egress/plan.ts';
import { type Exports, Publication } from './publication.ts';

const plan = {} as EgressPlan;
const a = 0x0a320002;
const b = 0x0a320003;

/** A data plane that takes plans up on demand, and a clock that runs timers on demand. */
function bench() {
  const events: string[] = [];
  let published = 0;
  let isBusy = false;
  let acknowledged = 0;
  const timers = new Set<() => void>();
  const publication = new Publication({
    dataPlane: {
      publishPlan: () => {
        if (isBusy) return undefined;
        events.push(`publish ${++published}`);
        return published;
      },
      planAcknowledged: () => acknowledged,
    } as unknown as DataPlane,
    clock: {
      nowMs: () => 0,
      wallMs: () => 0,
      busyMs: () => 0,
      soon: (run) => run(),
      after: (_, run) => {
        timers.add(run);
        return { clear: () => timers.delete(run) };
      },
    },
    wake: () => {},
    announce: (exports) => events.push(`announce ${exports.get('red')?.join(',') ?? ''}`),
  });
  const runTimers = () => {
    for (const run of [...timers]) {
      timers.delete(run);
      run();
    }
  };
  return {
    publication,
    events,
    runTimers,
    acknowledge: () => (acknowledged = published),
    setBusy: (value: boolean) => (isBusy = value),
  };
}

const red = (...addresses: number[]): Exports => new Map([['red', addresses]]);

test('an address is announced only after the forwarder has taken up its plan', () => {
  const { publication, events, runTimers, acknowledge } = bench();
  publication.publish(plan, red(a));
  runTimers();
  expect(events).toEqual(['publish 1']);
  acknowledge();
  runTimers();
  expect(events).toEqual(['publish 1', `announce ${a}`]);
});

test('an address that is removed is withdrawn before its plan', () => {
  const { publication, events, runTimers, acknowledge } = bench();
  publication.publish(plan, red(a, b));
  acknowledge();
  runTimers();
  events.length = 0;
  publication.publish(plan, red(b));
  expect(events).toEqual([`announce ${b}`, 'publish 2']);
});

test('a plan for which there is no room yet is tried again, and announced only then', () => {
  const { publication, events, runTimers, acknowledge, setBusy } = bench();
  setBusy(true);
  publication.publish(plan, red(a));
  runTimers();
  acknowledge();
  runTimers();
  expect(events).toEqual([]);
  setBusy(false);
  runTimers();
  expect(events).toEqual(['publish 1']);
  acknowledge();
  runTimers();
  expect(events).toEqual(['publish 1', `announce ${a}`]);
});

test('while held, what the previous instance announced stays announced', () => {
  const { publication, events, runTimers, acknowledge } = bench();
  publication.resume(red(a));
  publication.hold(true);
  publication.publish(plan, red(b));
  acknowledge();
  runTimers();
  expect(events).toEqual([`announce ${a}`, 'publish 1', `announce ${a},${b}`]);
  publication.hold(false);
  runTimers();
  expect(events.at(-1)).toBe(`announce ${b}`);
});
