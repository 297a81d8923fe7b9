// SPDX-License-Identifier: Apache-2.0
import { beforeEach, describe, expect, test } from 'vitest';
import { ManualClock } from '../../test/support/manual-clock.ts';
import { seededRandom } from '../lib/random.ts';
import type { FailureDetection } from '../model/model.ts';
import { type Ipv4, parseIpv4 } from '../net/ipv4.ts';
import { Prober } from './prober.ts';
import type { AttemptHandlers, ProbeTransport, Way } from './sockets.ts';
import type { Ways } from './target-prober.ts';

const red: Way = { interface: 'red0', mark: 500 };
const blue: Way = { interface: 'blue0', mark: 501 };
const address = 0xc0000235;

/** Targets that answer by these ways, 10 ms after they are asked; everything else is silence. */
class Wire implements ProbeTransport {
  readonly clock = new ManualClock();
  readonly answering = new Set<string>(['192.0.2.53 red0', '192.0.2.80 red0']);
  readonly asked: { readonly way: string | undefined; readonly atMs: number }[] = [];
  names = new Map([['web.example', 0xc0000250]]);
  outstanding = 0;
  outstandingMax = 0;

  ping(remote: Ipv4, way: Way, handlers: AttemptHandlers) {
    this.asked.push({ way: way.interface, atMs: this.clock.nowMs() });
    this.outstanding += 1;
    this.outstandingMax = Math.max(this.outstandingMax, this.outstanding);
    let isOver = false;
    const over = (): void => {
      if (!isOver) this.outstanding -= 1;
      isOver = true;
    };
    const isRefused = this.answering.has(`refuses ${way.interface}`);
    const text = `${remote === address ? '192.0.2.53' : '192.0.2.80'} ${way.interface}`;
    if (isRefused || this.answering.has(text)) {
      this.clock.after(10, () => {
        if (isOver) return;
        over();
        if (isRefused) handlers.failed('HTTP status 503');
        else handlers.answered();
      });
    }
    return { cancel: over };
  }

  get(_: URL, remote: Ipv4, way: Way, handlers: AttemptHandlers) {
    return this.ping(remote, way, handlers);
  }

  resolve(host: string, done: (found: Ipv4 | undefined) => void): void {
    done(parseIpv4(host) ?? this.names.get(host));
  }
}

let wire: Wire;
let ways: Ways;
let states: string[];
let prober: Prober;

beforeEach(() => {
  wire = new Wire();
  ways = { ways: [red], reason: undefined };
  states = [];
  prober = new Prober({
    clock: wire.clock,
    random: seededRandom(1),
    transport: wire,
    waysTo: () => ways,
    changed: (_, kind, target, state) => states.push(`${kind} ${target} ${state}`),
    failureChanged: () => states.push('another reason'),
  });
});

const icmp = (intervalMs = 5000, timeoutMs = 15_000): FailureDetection => ({
  healthTimeoutMs: 90_000,
  icmp: { targets: [address], intervalMs, timeoutMs },
  http: undefined,
});
const http = (...targets: string[]): FailureDetection => ({
  healthTimeoutMs: 90_000,
  icmp: undefined,
  http: { targets, intervalMs: 10_000, timeoutMs: 30_000 },
});
const follow = (detection: FailureDetection, more: { isInUse?: boolean; isHeld?: boolean } = {}) =>
  prober.follow([{ key: 'a/b', detection, isInUse: false, isHeld: false, ...more }]);
const verdict = () => prober.verdicts().get('a/b');

describe('a target', () => {
  test('that fails for another reason is reported while it does not answer', () => {
    ways = { ways: [], reason: 'no route in network north' };
    follow(icmp());
    wire.clock.pass(10_000);
    expect(states).toEqual(['another reason']);
    expect(verdict()?.reason).toContain('192.0.2.53 (no route in network north)');
    ways = { ways: [red], reason: undefined };
    wire.clock.pass(5_000);
    expect(states.at(-1)).toBe('ICMP 192.0.2.53 answering');
    const count = states.length;
    wire.answering.clear();
    wire.clock.pass(10_000);
    expect(states.slice(count)).toEqual([]);
  });

  test('is waited for, answers, falls silent after its timeout, and comes back', () => {
    follow(icmp());
    expect(verdict()).toEqual({
      isReady: false,
      reason: 'ICMP probes have not answered yet: 192.0.2.53',
    });
    wire.clock.pass(300);
    expect(verdict()?.isReady).toBe(true);
    wire.clock.pass(60_000);
    wire.answering.delete('192.0.2.53 red0');
    wire.clock.pass(10_000);
    expect(verdict()?.isReady).toBe(true);
    wire.clock.pass(5_000);
    expect(verdict()?.reason).toMatch(/^no ICMP probe target answers: 192\.0\.2\.53 for 1[5-9]s$/);
    wire.answering.add('192.0.2.53 red0');
    wire.clock.pass(5_000);
    expect(verdict()?.isReady).toBe(true);
    const all = ['answering', 'silent', 'answering'];
    expect(states).toEqual(all.map((state) => `ICMP 192.0.2.53 ${state}`));
    expect(prober.answeredCount).toBeLessThan(prober.sentCount);
  });

  test('that never answers fails after its timeout', () => {
    wire.answering.clear();
    follow(icmp());
    wire.clock.pass(14_999);
    expect(verdict()?.reason).toContain('have not answered yet');
    wire.clock.pass(1);
    expect(verdict()?.reason).toBe('no ICMP probe target answers: 192.0.2.53 for 15s');
    expect(states).toEqual(['ICMP 192.0.2.53 silent']);
  });

  test('that always answers never misses a timeout that equals the interval', () => {
    follow(icmp(5000, 5000));
    wire.clock.pass(3_600_000);
    expect(states).toEqual(['ICMP 192.0.2.53 answering']);
  });

  test('is asked at the interval, a little early, one probe at a time', () => {
    wire.answering.clear();
    follow(icmp());
    wire.clock.pass(600_000);
    const gaps = wire.asked.slice(1).map(({ atMs }, i) => atMs - wire.asked[i]!.atMs);
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(3750);
    expect(Math.max(...gaps)).toBeLessThanOrEqual(4750);
    expect(new Set(gaps).size).toBeGreaterThan(10);
    expect(wire.outstandingMax).toBe(1);
  });

  test('with seconds of which no timer knows is asked all the same', () => {
    follow(icmp(0x7fff_ffff_000, 0x7fff_ffff_000));
    wire.clock.pass(300);
    expect(verdict()?.isReady).toBe(true);
  });
});

describe('the ways to a target', () => {
  test('are tried one after the other in a round; the one that answered comes first', () => {
    ways = { ways: [blue, red], reason: undefined };
    follow(icmp());
    wire.clock.pass(3000);
    expect(wire.asked.map(({ way }) => way)).toEqual(['blue0', 'red0']);
    expect(verdict()?.isReady).toBe(true);
    wire.clock.pass(5000);
    expect(wire.asked.slice(2).every(({ way }) => way === 'red0')).toBe(true);
    wire.answering.clear();
    wire.answering.add('192.0.2.53 blue0');
    wire.clock.pass(15_000);
    expect(verdict()?.isReady).toBe(true);
    expect(wire.outstandingMax).toBe(1);
  });

  test('that refuse are passed at once', () => {
    wire.answering.add('refuses blue0');
    ways = { ways: [blue, red], reason: undefined };
    follow(icmp());
    wire.clock.pass(300);
    expect(verdict()?.isReady).toBe(true);
  });

  test('may be none: nothing is sent, the reason says why, and a new one is taken at once', () => {
    ways = { ways: [], reason: 'no route in network red' };
    follow(icmp());
    wire.clock.pass(300);
    expect(verdict()?.reason).toBe(
      'ICMP probes have not answered yet: 192.0.2.53 (no route in network red)',
    );
    expect(prober.sentCount).toBe(0);
    ways = { ways: [red], reason: undefined };
    follow(icmp());
    wire.clock.pass(10);
    expect(verdict()?.isReady).toBe(true);
  });
});

describe('a change of the Model', () => {
  test('that leaves a probe alone does not touch it, and another pace forgets nothing', () => {
    follow(icmp());
    wire.clock.pass(10_000);
    const { sentCount } = prober;
    follow(icmp());
    follow(icmp(5000, 20_000));
    expect(verdict()?.isReady).toBe(true);
    expect(prober.sentCount).toBe(sentCount);
    wire.answering.clear();
    follow(icmp(5000, 5000));
    wire.clock.pass(5000);
    expect(verdict()?.isReady).toBe(false);
    expect(states).toEqual(['ICMP 192.0.2.53 answering', 'ICMP 192.0.2.53 silent']);
  });

  test('that removes a probe stops it', () => {
    follow(icmp());
    wire.clock.pass(1000);
    prober.follow([]);
    const { sentCount } = prober;
    wire.clock.pass(60_000);
    expect(prober.sentCount).toBe(sentCount);
    expect(verdict()).toBeUndefined();
    expect(wire.outstanding).toBe(0);
  });

  test('that adds a probe to a gateway in use presumes it answered until its timeout', () => {
    wire.answering.clear();
    follow(icmp(), { isInUse: true });
    wire.clock.pass(14_999);
    expect(verdict()?.isReady).toBe(true);
    wire.clock.pass(1);
    expect(verdict()?.isReady).toBe(false);
  });

  test('what is presumed does not age while the gateway is held', () => {
    wire.answering.clear();
    follow(icmp(), { isInUse: true, isHeld: true });
    wire.clock.pass(14_000);
    follow(icmp(), { isInUse: true, isHeld: true });
    wire.clock.pass(14_000);
    expect(verdict()?.isReady).toBe(true);
    follow(icmp(), { isInUse: true });
    wire.clock.pass(1000);
    expect(verdict()?.isReady).toBe(false);
  });
});

describe('HTTP', () => {
  test('names are resolved for every round; the reason says why a target failed', () => {
    follow(http('http://unknown.example/', 'http://web.example:8080/health'));
    wire.clock.pass(300);
    expect(verdict()?.isReady).toBe(true);
    wire.names.clear();
    wire.clock.pass(40_000);
    expect(verdict()?.reason).toMatch(
      /unknown\.example\/ for \d+s \(its name has no address\), .*health for \d+s \(its name/,
    );
    wire.names.set('web.example', 0xc0000250);
    wire.answering.add('refuses red0');
    wire.clock.pass(10_000);
    expect(verdict()?.reason).toMatch(/health for \d+s \(HTTP status 503\)$/);
  });
});
