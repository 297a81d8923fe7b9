// SPDX-License-Identifier: Apache-2.0
/** What a peering adds to its state machine: the order in which things are done. */
import { expect, test } from 'vitest';
import { ManualClock } from '../../../test/support/manual-clock.ts';
import { MemoryHost, Segment } from '../../../test/support/memory-transport.ts';
import { seededRandom } from '../../lib/random.ts';
import { noBytes } from '../wire/bytes.ts';
import { encodeMessage, messageType } from '../wire/header.ts';
import { makeFault } from '../wire/notification.ts';
import { encodeOpen, type Open } from '../wire/open.ts';
import { encodeUpdate } from '../wire/update.ts';
import { Peering } from './peering.ts';
import type { PeeringHost } from './peering-host.ts';
import type { Connection } from './transport.ts';

const nearAddress = 0x0a00_0001;
const farAddress = 0x0a00_0002;
const open: Open = { as: 64512, holdTimeSeconds: 90, bgpId: 7, capabilities: [] };
const ttl = { ttl: 64, minTtl: 0 };

/** A peering whose every report to its host is written down, and the far end of its connection. */
class Bench {
  readonly clock = new ManualClock();
  readonly done: string[] = [];
  readonly bodies: Uint8Array[] = [];
  readonly peering: Peering;
  onUpdate: PeeringHost<Peering>['updateReceived'] = () => undefined;
  onUp: () => void = () => {};
  #far: Connection | undefined;

  constructor() {
    const { clock, done } = this;
    const segment = new Segment();
    const near = new MemoryHost(clock).join(segment, 'eth0', nearAddress);
    const far = new MemoryHost(clock).join(segment, 'eth0', farAddress);
    far.listen({ port: 179, interface: undefined, mark: undefined, ttl }, (connection) => {
      this.#far = connection;
      connection.attach({ received: () => {}, closed: () => {} });
    });
    this.peering = new Peering({
      clock,
      random: seededRandom(1),
      transport: near,
      queue: clock.queue,
      settings: { connectRetryMs: 5_000, openHoldMs: 240_000 },
      connectOptions: () => ({
        remoteAddress: farAddress,
        remotePort: 179,
        localAddress: undefined,
        interface: undefined,
        mark: undefined,
        ttl,
        md5Key: undefined,
      }),
      makeOpen: () => open,
      checkOpen: () => undefined,
      negotiate: () => ({
        holdTimeMs: 90_000,
        keepaliveTimeMs: 30_000,
        remoteId: 7,
        isFourOctet: false,
        families: [],
        multiprotocolFamilies: [],
        hasRouteRefresh: false,
        hasEnhancedRouteRefresh: false,
        gracefulRestart: undefined,
        isGraceful: false,
        isNotificationGraceful: false,
      }),
      openReceived: () => true,
      track: () => done.push('track'),
      refuse: () => done.push('refuse'),
      up: () => {
        done.push('up');
        this.onUp();
      },
      down: () => done.push('down'),
      damp: (_, cause) => done.push(`damp ${cause}`),
      moved: (peering, from) => done.push(`${from.name} > ${peering.state.name}`),
      updateReceived: (body) => {
        done.push('update');
        this.bodies.push(body.slice());
        return this.onUpdate(body);
      },
      routeRefreshReceived: () => undefined,
      sent: () => {},
      received: () => {},
      failed: (text) => done.push(text),
      notified: (sender, { code, subcode }) => done.push(`${sender} ${code}/${subcode}`),
      ending: () => {},
      ended: () => {},
    });
  }

  say(type: number, body = noBytes): void {
    this.#far?.write(encodeMessage(type, body));
    this.clock.pass(10);
  }

  /** @returns what was done from OpenConfirm on */
  establish(): string[] {
    this.peering.dispatch({ kind: 'automaticStart' });
    this.clock.pass(10);
    this.say(messageType.open, encodeOpen(open));
    this.done.length = 0;
    this.say(messageType.keepalive);
    return this.done;
  }
}

test('an UPDATE comes to the host with its body, one after the other', () => {
  const bench = new Bench();
  bench.establish();
  const bodies = [1, 2, 3].map((each) => encodeUpdate({ withdrawn: Uint8Array.of(8, each) }));
  for (const body of bodies) bench.say(messageType.update, body);
  expect(bench.bodies).toEqual(bodies);
});

test('the fault of an UPDATE is a step of its own, after the step that found it', () => {
  const bench = new Bench();
  bench.establish();
  bench.done.length = 0;
  let states = '';
  bench.onUpdate = () => {
    const before = bench.peering.state.name;
    bench.peering.dispatch({ kind: 'updateErrorReceived', fault: makeFault(3, 1, 'first') });
    states = `${before} ${bench.peering.state.name}`;
    return makeFault(3, 2, 'too late to be said');
  };
  bench.say(messageType.update, encodeUpdate({}));
  expect(states).toBe('Established Established');
  expect(bench.done).toEqual(['update', 'local 3/1', 'down', 'damp error', 'Established > Idle']);
});

test('what ends the session as it comes up ends it after the host knows that it is up', () => {
  const bench = new Bench();
  bench.onUp = () => {
    bench.peering.dispatch({ kind: 'automaticStop', fault: makeFault(6, 6, 'of the test') });
  };
  expect(bench.establish()).toEqual([
    'up',
    'OpenConfirm > Established',
    'local 6/6',
    'down',
    'damp administrative',
    'Established > Idle',
  ]);
});

test('nothing that waits is done after abandon()', () => {
  const bench = new Bench();
  bench.onUp = () => {
    bench.peering.dispatch({ kind: 'automaticStop', fault: makeFault(6, 6, 'of the test') });
    bench.peering.abandon();
  };
  expect(bench.establish()).not.toContain('local 6/6');
  expect(bench.peering.state.name).toBe('Idle');
});
