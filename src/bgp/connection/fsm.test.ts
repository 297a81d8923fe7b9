// SPDX-License-Identifier: Apache-2.0
/** The rows of RFC 4271 §8.2.2 and RFC 9687, by event numbers, and what holds for all of them. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { makeFault } from '../wire/notification.ts';
import { step } from './fsm.ts';
import { type EventKind, eventNumber, type FsmEvent } from './fsm-event.ts';
import { type FsmName, type FsmState, idleState } from './fsm-step.ts';
import type { Connection } from './transport.ts';

const settings = { connectRetryMs: 5_000, openHoldMs: 240_000 };
const fault = makeFault(9, 9, 'of the test');
const body = Uint8Array.of(1, 2, 3);
/** Only passed on: the machine itself does nothing with it. */
const connection = { remotePort: 179 } as Connection;

const notGraceful = { isGraceful: false, isNotificationGraceful: false };

function eventOf(kind: EventKind): FsmEvent {
  switch (kind) {
    case 'automaticStop':
    case 'headerErrorReceived':
    case 'openErrorReceived':
    case 'updateErrorReceived':
      return { kind, fault };
    case 'tcpConnectionValid':
    case 'tcpConnectionInvalid':
    case 'tcpConnectAcked':
    case 'tcpConnectionConfirmed':
      return { kind, connection };
    case 'updateReceived':
    case 'routeRefreshReceived':
      return { kind, body };
    case 'notificationReceived':
      return { kind, notification: fault };
    case 'openReceived':
      return { kind, holdTimeMs: 90_000, keepaliveTimeMs: 30_000, ...notGraceful };
    default:
      return { kind };
  }
}

const kinds = Object.keys(eventNumber) as EventKind[];

/** States as they are reached, with a ConnectRetryCounter of 3. */
function stateOf(name: FsmName): FsmState {
  const path: Record<FsmName, EventKind[]> = {
    Idle: [],
    Connect: ['automaticStart'],
    Active: ['automaticStartPassive'],
    OpenSent: ['automaticStart', 'tcpConnectAcked'],
    OpenConfirm: ['automaticStart', 'tcpConnectAcked', 'openReceived'],
    Established: ['automaticStart', 'tcpConnectAcked', 'openReceived', 'keepaliveReceived'],
  };
  const reached = path[name].reduce<FsmState>(
    (state, kind) => step(state, eventOf(kind), settings).state,
    idleState,
  );
  return { ...reached, connectRetryCount: 3 };
}

/** What a step does, in short: timers as +hold -hold, NOTIFICATIONs as code/subcode. */
function shortOf(name: FsmName, kind: EventKind, state = stateOf(name)): string {
  return shortOfEvent(eventOf(kind), state);
}

function shortOfEvent(event: FsmEvent, state: FsmState): string {
  const { state: next, actions } = step(state, event, settings);
  const words = actions.map((action) => {
    switch (action.kind) {
      case 'startTimer':
        return `+${action.timer}`;
      case 'stopTimer':
        return `-${action.timer}`;
      case 'sendNotification':
        return `${action.fault.code}/${action.fault.subcode}`;
      case 'damp':
        return `damp:${action.cause}`;
      case 'sessionDown':
        return action.isGraceful ? 'downGracefully' : 'down';
      default:
        return action.kind;
    }
  });
  const counter = next.connectRetryCount === 3 ? '' : ` #${next.connectRetryCount}`;
  return `${words.join(' ')} > ${next.name}${counter}`.trim();
}

const ignored = (name: FsmName) => `> ${name}`;
const stops = {
  Connect: '-connectRetry dropConnection',
  Active: '-connectRetry dropConnection',
  OpenSent: '-hold dropConnection',
  OpenConfirm: '-hold -keepalive dropConnection',
  Established: '-hold -keepalive -sendHold dropConnection',
} as const;
const opening = '-connectRetry takeConnection sendOpen +hold > OpenSent';

/** Event numbers, what happens. 0 is ROUTE-REFRESH. */
const table: Record<FsmName, [readonly number[], string][]> = {
  Idle: [
    [[1, 3], '+connectRetry connect > Connect #0'],
    [[13], '+connectRetry connect > Connect'],
    [[4, 5], '+connectRetry > Active #0'],
    [[6, 7], 'damp:error > Idle'],
    [[14, 17], 'refuseConnection > Idle'],
    [[2, 8, 9, 10, 11, 15, 16, 18, 19, 21, 22, 23, 24, 25, 26, 27, 28, 29, 0], ignored('Idle')],
  ],
  Connect: [
    [[1, 3, 4, 5, 6, 7, 14], ignored('Connect')],
    [[2], `${stops.Connect} > Idle #0`],
    [[9], 'dropConnection +connectRetry connect > Connect'],
    [[15], 'refuseConnection > Connect'],
    [[16], opening],
    [[17], 'trackConnection > Connect'],
    [[18], `${stops.Connect} damp:retry > Idle`],
    [
      [8, 10, 11, 13, 19, 21, 22, 23, 24, 25, 26, 27, 28, 29, 0],
      `${stops.Connect} damp:error > Idle #4`,
    ],
  ],
  Active: [
    [[1, 3, 4, 5, 6, 7, 14], ignored('Active')],
    [[2], `${stops.Active} > Idle #0`],
    [[9], '+connectRetry connect > Connect'],
    [[15], 'refuseConnection > Active'],
    [[16, 17], opening],
    [[18], `${stops.Active} damp:retry > Idle #4`],
    [
      [8, 10, 11, 13, 19, 21, 22, 23, 24, 25, 26, 27, 28, 29, 0],
      `${stops.Active} damp:error > Idle #4`,
    ],
  ],
  OpenSent: [
    [[1, 3, 4, 5, 6, 7, 14], ignored('OpenSent')],
    [[2], `6/2 ${stops.OpenSent} > Idle #0`],
    [[8, 21, 22], `9/9 ${stops.OpenSent} damp:error > Idle #4`],
    [[10], `4/0 ${stops.OpenSent} damp:error > Idle #4`],
    [[15], 'refuseConnection > OpenSent'],
    [[16, 17], 'trackConnection > OpenSent'],
    [[18], `${stops.OpenSent} +connectRetry > Active`],
    [[19], 'sendKeepalive +hold +keepalive > OpenConfirm'],
    [[23], `6/7 ${stops.OpenSent} damp:retry > Idle #4`],
    [[24], `${stops.OpenSent} damp:error > Idle`],
    [[25], `${stops.OpenSent} damp:error > Idle #4`],
    [[9, 11, 13, 26, 27, 28, 29, 0], `5/1 ${stops.OpenSent} damp:error > Idle #4`],
  ],
  OpenConfirm: [
    [[1, 3, 4, 5, 6, 7, 14], ignored('OpenConfirm')],
    [[2], `6/2 ${stops.OpenConfirm} > Idle #0`],
    [[8, 21, 22], `9/9 ${stops.OpenConfirm} damp:error > Idle #4`],
    [[10], `4/0 ${stops.OpenConfirm} damp:error > Idle #4`],
    [[11], 'sendKeepalive +keepalive > OpenConfirm'],
    [[15], 'refuseConnection > OpenConfirm'],
    [[16, 17], 'trackConnection > OpenConfirm'],
    [[18], `${stops.OpenConfirm} damp:lost > Idle #4`],
    [[23], `6/7 ${stops.OpenConfirm} damp:retry > Idle #4`],
    [[24], `${stops.OpenConfirm} damp:error > Idle`],
    [[25], `${stops.OpenConfirm} damp:error > Idle #4`],
    [[26], '+hold +sendHold sessionUp > Established'],
    [[9, 13, 19, 27, 28, 29, 0], `5/2 ${stops.OpenConfirm} damp:error > Idle #4`],
  ],
  Established: [
    [[1, 3, 4, 5, 6, 7, 14], ignored('Established')],
    [[2], `6/2 down ${stops.Established} > Idle #0`],
    [[8, 21, 22, 28], `9/9 down ${stops.Established} damp:error > Idle #4`],
    [[10], `4/0 down ${stops.Established} damp:error > Idle #4`],
    [[11], 'sendKeepalive +keepalive > Established'],
    [[15, 16, 17], 'refuseConnection > Established'],
    [[18], `down ${stops.Established} damp:lost > Idle #4`],
    [[23], `6/7 down ${stops.Established} damp:retry > Idle #4`],
    [[24, 25], `down ${stops.Established} damp:error > Idle #4`],
    [[26], '+hold > Established'],
    [[27], '+hold processUpdate > Established'],
    [[29], `8/0 down ${stops.Established} damp:error > Idle #4`],
    [[0], 'processRouteRefresh > Established'],
    [[9, 13, 19], `5/3 down ${stops.Established} damp:error > Idle #4`],
  ],
};

describe.each(Object.entries(table))('%s', (name, rows) => {
  test('has a row for every event', () => {
    const listed = rows.flatMap(([numbers]) => numbers).sort((x, y) => x - y);
    expect(listed).toEqual(Object.values(eventNumber).sort((x, y) => x - y));
  });

  const cases = rows.flatMap(([numbers, expected]) => numbers.map((each) => [each, expected]));
  test.each(cases as [number, string][])('event %i: %s', (number, expected) => {
    const kind = kinds.find((each) => eventNumber[each] === number)!;
    expect(shortOf(name as FsmName, kind)).toBe(expected);
  });
});

test('the RFCs have 29 events, of which DelayOpen is not ours (12, 20)', () => {
  const numbers = new Set<number>(Object.values(eventNumber));
  const absent = Array.from({ length: 29 }, (_, at) => at + 1).filter((each) => !numbers.has(each));
  expect(absent).toEqual([12, 20]);
});

test('an action has what its event brought', () => {
  const actionsOf = (name: FsmName, kind: EventKind) =>
    step(stateOf(name), eventOf(kind), settings).actions;
  const taken = (direction: string) => ({ kind: 'takeConnection', connection, direction });
  expect(actionsOf('Connect', 'tcpConnectAcked')).toContainEqual(taken('outgoing'));
  expect(actionsOf('Active', 'tcpConnectionConfirmed')).toContainEqual(taken('incoming'));
  expect(actionsOf('Idle', 'tcpConnectionConfirmed')).toEqual([
    { kind: 'refuseConnection', connection },
  ]);
  expect(actionsOf('OpenSent', 'tcpConnectionConfirmed')).toEqual([
    { kind: 'trackConnection', connection },
  ]);
  expect(actionsOf('Established', 'updateReceived')).toContainEqual({
    kind: 'processUpdate',
    body,
  });
  expect(actionsOf('Established', 'routeRefreshReceived')).toEqual([
    { kind: 'processRouteRefresh', body },
  ]);
});

test.each([
  ['Maximum Number of Prefixes', 1, 'error'],
  ['Administrative Shutdown', 2, 'administrative'],
  ['Peer De-configured', 3, 'administrative'],
  ['Administrative Reset', 4, 'administrative'],
  ['Connection Rejected', 5, 'error'],
  ['Other Configuration Change', 6, 'administrative'],
  ['Connection Collision', 7, 'retry'],
  ['Out of Resources', 8, 'error'],
  ['Hard Reset', 9, 'administrative'],
  ['BFD Down', 10, 'error'],
])('a Cease for %s (%i) is damped as %s', (_, subcode, cause) => {
  const cease = makeFault(6, subcode, 'of the test');
  const damps = (event: FsmEvent) =>
    step(stateOf('Established'), event, settings).actions.filter(({ kind }) => kind === 'damp');
  const expected = [{ kind: 'damp', cause }];
  expect(damps({ kind: 'notificationReceived', notification: cease })).toEqual(expected);
  expect(damps({ kind: 'automaticStop', fault: cease })).toEqual(expected);
});

test('a hold time of zero leaves no timer running', () => {
  const open: FsmEvent = {
    kind: 'openReceived',
    holdTimeMs: 0,
    keepaliveTimeMs: 0,
    ...notGraceful,
  };
  const confirmed = step(stateOf('OpenSent'), open, settings).state;
  expect(confirmed.timers).toEqual([]);
  expect(step(confirmed, eventOf('keepaliveReceived'), settings).state.timers).toEqual([]);
});

test('a graceful neighbor leaves its routes stale, and may connect again (RFC 4724 §4.2, §5)', () => {
  const state = { ...stateOf('Established'), isGraceful: true };
  const lost = `downGracefully ${stops.Established} damp:lost > Idle #4`;
  expect(shortOf('Established', 'tcpConnectionFailed', state)).toBe(lost);
  const tracked = 'trackConnection > Established';
  expect(shortOf('Established', 'tcpConnectionConfirmed', state)).toBe(tracked);
  const told = `down ${stops.Established} damp:error > Idle #4`;
  expect(shortOf('Established', 'notificationReceived', state)).toBe(told);
});

describe('where both keep routes over a NOTIFICATION (RFC 8538)', () => {
  const state = { ...stateOf('Established'), isGraceful: true, isNotificationGraceful: true };
  const kept = (cause: string) => `downGracefully ${stops.Established} damp:${cause} > Idle #4`;
  const outcome = (event: FsmEvent) => shortOfEvent(event, state);

  test('one that is no Hard Reset leaves stale routes, whichever side sends it (§4)', () => {
    const notification = makeFault(6, 2, 'of the test');
    expect(outcome({ kind: 'notificationReceived', notification })).toBe(kept('administrative'));
    expect(outcome({ kind: 'notificationReceived', notification: fault })).toBe(kept('error'));
    expect(outcome({ kind: 'updateErrorReceived', fault })).toBe(`9/9 ${kept('error')}`);
    expect(outcome({ kind: 'holdExpired' })).toBe(`4/0 ${kept('error')}`);
    expect(outcome({ kind: 'sendHoldExpired' })).toBe(`8/0 ${kept('error')}`);
  });

  test('a Hard Reset ends them', () => {
    const notification = makeFault(6, 9, 'of the test', Uint8Array.of(6, 2));
    const lost = `down ${stops.Established} damp:administrative > Idle #4`;
    expect(outcome({ kind: 'notificationReceived', notification })).toBe(lost);
  });

  test.each([
    [1, 'error', true],
    [2, 'administrative', true],
    [3, 'administrative', true],
    [4, 'administrative', false],
    [6, 'administrative', false],
    [8, 'error', true],
  ])('our Cease %i is damped as %s; as a Hard Reset: %s (§5.1)', (subcode, cause, isHard) => {
    const cease = makeFault(6, subcode, 'of the test', Uint8Array.of(7));
    const event: FsmEvent = { kind: 'automaticStop', fault: cease };
    const lost = `down ${stops.Established} damp:${cause} > Idle #4`;
    expect(outcome(event)).toBe(isHard ? `6/9 ${lost}` : `6/${subcode} ${kept(cause)}`);
    const [first] = step(state, event, settings).actions;
    const data = first?.kind === 'sendNotification' ? [...first.fault.data] : [];
    expect(data).toEqual(isHard ? [6, subcode, 7] : [7]);
  });

  test('no neighbor that has not said so gets a Hard Reset (§4)', () => {
    const unaware = { ...state, isNotificationGraceful: false };
    const lost = `6/2 down ${stops.Established} > Idle #0`;
    expect(shortOfEvent({ kind: 'manualStop' }, unaware)).toBe(lost);
    expect(outcome({ kind: 'manualStop' })).toBe(`6/9 down ${stops.Established} > Idle #0`);
  });
});

describe('whatever happens', () => {
  const history = fc.array(fc.constantFrom(...kinds), { maxLength: 60 });

  test('UPDATEs count in Established only, and Idle runs no timer but IdleHoldTimer', () => {
    fc.assert(
      fc.property(history, (events) => {
        let state: FsmState = idleState;
        const running = new Set<string>();
        for (const kind of events) {
          const { state: next, actions } = step(state, eventOf(kind), settings);
          for (const action of actions) {
            if (action.kind === 'startTimer') running.add(action.timer);
            if (action.kind === 'stopTimer') running.delete(action.timer);
            if (action.kind === 'damp') running.add('idleHold');
            if (action.kind === 'processUpdate') expect(state.name).toBe('Established');
            if (action.kind === 'sessionUp') expect(next.name).toBe('Established');
          }
          // The timers that the state names are those that run.
          expect([...running].sort()).toEqual([...next.timers].sort());
          if (next.name === 'Idle')
            expect(next.timers.filter((each) => each !== 'idleHold')).toEqual([]);
          else expect(next.timers).not.toContain('idleHold');
          const wasUp = state.name === 'Established';
          const isUp = next.name === 'Established';
          const downs = actions.filter((each) => each.kind === 'sessionDown').length;
          const ups = actions.filter((each) => each.kind === 'sessionUp').length;
          expect([ups, downs]).toEqual([isUp && !wasUp ? 1 : 0, wasUp && !isUp ? 1 : 0]);
          state = next;
        }
      }),
      { numRuns: 500 },
    );
  });
});
