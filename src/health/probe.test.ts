// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import {
  answered,
  begun,
  begunInUse,
  type ProbeKind,
  stateOf,
  type TargetReport,
  type TargetState,
  verdictOf,
} from './probe.ts';

const timeoutMs = 15_000;

test.each([
  ['just begun', begun(1000), 1000, 'waiting'],
  ['begun, one millisecond before the timeout', begun(1000), 15_999, 'waiting'],
  ['begun, at the timeout', begun(1000), 16_000, 'silent'],
  ['of a gateway in use', begunInUse(1000), 15_999, 'answering'],
  ['of a gateway in use, at the timeout', begunInUse(1000), 16_000, 'silent'],
  ['answered', answered(1000), 15_999, 'answering'],
  ['answered, at the timeout', answered(1000), 16_000, 'silent'],
] as const)('a target %s', (_, answers, nowMs, state) => {
  expect(stateOf(answers, timeoutMs, nowMs)).toBe(state);
});

const report = (kind: ProbeKind, state: TargetState, failure?: string): TargetReport => ({
  kind,
  target: kind === 'ICMP' ? '192.0.2.53' : 'http://192.0.2.80/',
  state,
  silentMs: 16_900,
  failure,
});

// Rows: states of ICMP targets, states of HTTP targets, whether the gateway may be ready.
test.each<[TargetState[], TargetState[], boolean]>([
  [['answering'], [], true],
  [['waiting'], [], false],
  [['silent'], [], false],
  [['silent', 'answering'], [], true],
  [['waiting', 'answering'], [], true],
  [['silent', 'waiting'], [], false],
  [['silent', 'silent'], [], false],
  [[], ['answering'], true],
  [[], ['silent'], false],
  [[], ['silent', 'silent', 'answering'], true],
  [['answering'], ['answering'], true],
  [['answering'], ['silent'], false],
  [['answering'], ['waiting'], false],
  [['silent'], ['answering'], false],
  [['silent', 'answering'], ['answering', 'silent'], true],
  [['silent', 'answering'], ['silent', 'silent'], false],
  [['silent'], ['silent'], false],
])('ICMP %j and HTTP %j: %s', (icmp, http, isReady) => {
  const reports = [
    ...icmp.map((state) => report('ICMP', state)),
    ...http.map((state) => report('HTTP', state)),
  ];
  expect(verdictOf(reports).isReady).toBe(isReady);
});

test('the reason names what fails and since when', () => {
  expect(verdictOf([report('ICMP', 'silent')]).reason).toBe(
    'no ICMP probe target answers: 192.0.2.53 for 16s',
  );
  expect(verdictOf([report('HTTP', 'silent', 'HTTP status 503')]).reason).toBe(
    'no HTTP probe target answers: http://192.0.2.80/ for 16s (HTTP status 503)',
  );
  expect(verdictOf([report('ICMP', 'waiting'), report('ICMP', 'silent')]).reason).toBe(
    'ICMP probes have not answered yet: 192.0.2.53, 192.0.2.53 for 16s',
  );
  expect(verdictOf([report('ICMP', 'silent'), report('HTTP', 'waiting')]).reason).toBe(
    'no ICMP probe target answers: 192.0.2.53 for 16s; HTTP probes have not answered yet: http://192.0.2.80/',
  );
});
