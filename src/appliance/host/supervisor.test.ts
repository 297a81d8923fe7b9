// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from 'vitest';
import { ManualClock } from '../../../test/support/manual-clock.ts';
import { Supervisor, type SupervisorEnvironment } from './supervisor.ts';

function watched(environment: SupervisorEnvironment) {
  const clock = new ManualClock();
  const sent: string[] = [];
  const notify = (state: string): void => void sent.push(state.split('\n')[0] ?? '');
  return { clock, sent, supervisor: new Supervisor(clock, environment, 7, notify, () => 'works') };
}

describe('the supervisor', () => {
  test('is notified of readiness, and then four times in the time of its watchdog', () => {
    const { clock, sent, supervisor } = watched({ WATCHDOG_USEC: '60000000', WATCHDOG_PID: '7' });
    clock.pass(60_000);
    expect(sent).toEqual([]);
    supervisor.ready();
    clock.pass(60_000);
    expect(sent).toEqual(['READY=1', ...Array(5).fill('WATCHDOG=1')]);
  });

  test('is notified of a reload, and beats once as often', () => {
    const { clock, sent, supervisor } = watched({ WATCHDOG_USEC: '4000000' });
    supervisor.ready();
    supervisor.reloading();
    supervisor.ready();
    clock.pass(1000);
    supervisor.stopping();
    expect(sent).toEqual([
      ...['READY=1', 'WATCHDOG=1', 'RELOADING=1', 'READY=1'],
      ...['WATCHDOG=1', 'STOPPING=1'],
    ]);
  });

  test.each([
    ['none is asked for', {}],
    ['it is for another process', { WATCHDOG_USEC: '1000000', WATCHDOG_PID: '8' }],
  ])('has no watchdog when %s', (_, environment) => {
    const { clock, sent, supervisor } = watched(environment);
    supervisor.ready();
    clock.pass(10_000);
    expect(sent).toEqual(['READY=1']);
  });
});
