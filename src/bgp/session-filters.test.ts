// SPDX-License-Identifier: Apache-2.0
/** New import filters on a session that stands: what the neighbor must do, and what is said if it does not. */
import { beforeEach, expect, test } from 'vitest';
import { announcement, internal, Script } from '../../test/support/scripted-neighbor.ts';
import { a, beginAnew, clock, config, toB } from '../../test/support/two-speakers.ts';
import type { BgpFilter } from '../model/model.ts';
import { parseIpv4Prefix } from '../net/ipv4.ts';
import type { Capability } from './wire/capability.ts';
import { messageType } from './wire/header.ts';
import { encodeUpdate } from './wire/update.ts';

let script: Script;

const refresh: Capability[] = [{ kind: 'routeRefresh' }];
const enhanced: Capability[] = [...refresh, { kind: 'enhancedRouteRefresh' }];
const begin = Uint8Array.of(0, 1, 1, 1);
const silence = 'no answer to ROUTE-REFRESH';

const rejecting = (cidr: string): BgpFilter => ({
  name: 'rejects',
  importV4: [
    {
      action: 'Reject',
      prefix: { cidr, v4: parseIpv4Prefix(cidr), operator: 'Equal', lengthMin: 0, lengthMax: 32 },
      ...{ source: undefined, interface: undefined, peerType: undefined, community: undefined },
      ...{ asPathPrefix: undefined, priority: undefined, operations: [] },
    },
  ],
  ...{ exportV4: [], importV6: [], exportV6: [] },
});

const announce = () => script.say(messageType.update, announcement(internal, '192.0.2.0/24'));

function change(): void {
  const filters = [rejecting('192.0.2.0/24')];
  a.speaker.apply(config([toB({ filters: ['rejects'] })], { filters }));
  clock.pass(10);
}

function keepAlive(seconds: number): void {
  for (let past = 0; past < seconds; past += 10) {
    clock.pass(10_000);
    script.say(messageType.keepalive);
  }
}

beforeEach(() => {
  beginAnew();
  script = new Script();
  a.speaker.apply(config([toB()]));
  clock.pass(10);
});

test.each([
  ['plain', refresh],
  ['enhanced', enhanced],
])('%s route refresh: a silent neighbor is named in status and log', (_, capabilities) => {
  script.establish({ capabilities });
  announce();
  change();
  expect(script.received.at(-1)).toEqual({ type: 5, body: Uint8Array.of(0, 1, 0, 1) });
  keepAlive(50);
  expect(a.row().warning).toBeUndefined();
  keepAlive(20);
  expect(a.row()).toMatchObject({ state: 'Established', accepted: 1 });
  expect(a.row().warning).toContain(silence);
  expect(a.row().warning).toContain('reset the session');
  expect(a.logged.filter(({ msg }) => msg === silence)).toMatchObject([{ network: 'red' }]);
});

test('plain: the first UPDATE is the answer, also a late one', () => {
  script.establish({ capabilities: refresh });
  announce();
  change();
  keepAlive(70);
  expect(a.row().warning).toContain(silence);
  script.say(messageType.update, encodeUpdate({}));
  expect(a.row().warning).toContain(silence);
  announce();
  expect(a.row()).toMatchObject({ received: 1, accepted: 0, warning: undefined });
});

test('enhanced: BoRR is the answer, and an UPDATE of another cause is none', () => {
  script.establish({ capabilities: enhanced });
  announce();
  change();
  announce();
  keepAlive(70);
  expect(a.row().warning).toContain(silence);
  script.say(messageType.routeRefresh, begin);
  expect(a.row().warning).toBeUndefined();
});

test('nothing is waited for from a neighbor without routes, or after the session', () => {
  script.establish({ capabilities: refresh });
  change();
  keepAlive(70);
  expect(a.row().warning).toBeUndefined();
  announce();
  a.speaker.apply(config([toB()]));
  clock.pass(10);
  script.disconnect();
  keepAlive(70);
  expect(a.row().warning).toBeUndefined();
});

test('without route refresh the session is reset, and the event says why', () => {
  script.establish();
  announce();
  change();
  expect(script.notifications).toEqual([[6, 6]]);
  expect(a.row().lastDown?.text).toContain('new import filters');
  clock.pass(1_050);
  script.establish();
  announce();
  expect(a.row()).toMatchObject({ state: 'Established', received: 1, accepted: 0 });
});
