// SPDX-License-Identifier: Apache-2.0
import { beforeEach, describe, expect, test } from 'vitest';
import { announcement, internal, Script } from '../../test/support/scripted-neighbor.ts';
import {
  a,
  addressA,
  addressB,
  b,
  beginAnew,
  clock,
  config,
  ip,
  segment,
  toB,
} from '../../test/support/two-speakers.ts';
import { parseIpv4Prefix } from '../net/ipv4.ts';
import type { PathAttributes } from '../rib/route.ts';
import { encodeCapability, type GracefulRestart } from './wire/capability.ts';
import { type Family, ipv4Unicast, ipv6Unicast } from './wire/family.ts';
import { encodeMessage, headerBytes, messageType } from './wire/header.ts';
import { encodeNlri } from './wire/nlri.ts';
import { encodePathAttributes } from './wire/path-attribute.ts';
import { encodeEndOfRib, encodeUpdate } from './wire/update.ts';

beforeEach(() => beginAnew());

const restarts: GracefulRestart = {
  kind: 'gracefulRestart',
  isRestarting: false,
  hasNotification: false,
  restartTimeSeconds: 120,
  families: [],
};

const hex = (text: string) => Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'));

describe('against a script', () => {
  let script: Script;

  beforeEach(() => {
    script = new Script();
    a.speaker.apply(config([toB()]));
    clock.pass(10);
  });

  test('sends OPEN first, with its capabilities', () => {
    const [open] = script.opens();
    expect(open?.capabilities.map((each) => each.kind)).toEqual([
      'multiprotocol',
      'routeRefresh',
      'extendedMessage',
      'gracefulRestart',
      'fourOctetAs',
      'enhancedRouteRefresh',
    ]);
  });

  test.each([
    ['a foreign AS', { as: 65000 }, [2, 2]],
    ['our own identifier', { bgpId: ip('1.1.1.1') }, [2, 3]],
    ['an identifier of zero', { bgpId: 0 }, [2, 3]],
    ['a hold time of 2 s', { holdTimeSeconds: 2 }, [2, 6]],
  ])('refuses %s', (_, fields, notification) => {
    script.open(fields);
    expect(script.notifications).toEqual([notification]);
    expect(a.row().lastError).toMatchObject({
      sender: 'local',
      code: notification[0],
      subcode: notification[1],
    });
    clock.pass(5);
    expect(script.isClosed).toBe(true);
  });

  test('answers broken headers (RFC 4271 §6.1)', () => {
    script.raw(new Uint8Array(19));
    expect(script.notifications).toEqual([[1, 1]]);
  });

  test('takes extended messages from who never advertised them itself (RFC 8654 §4)', () => {
    script.establish();
    const nlri = Uint8Array.from({ length: 13_000 * 5 }, (_, at) => (at % 5 === 0 ? 32 : 10));
    script.say(messageType.update, encodeUpdate({ withdrawn: nlri }));
    expect(script.notifications).toEqual([]);
    expect(a.row()).toMatchObject({ state: 'Established', messagesReceived: { update: 1 } });
  });

  test('answers a length of 4097 with Bad Message Length, unless it has advertised more', () => {
    script.say(messageType.notification, Uint8Array.of(2, 4));
    clock.pass(10_000);
    script.establish();
    script.raw(encodeMessage(messageType.update, new Uint8Array(4097 - headerBytes)));
    expect(script.notifications).toEqual([[1, 2]]);
  });

  test('answers messages out of turn (RFC 6608)', () => {
    script.say(messageType.update, encodeUpdate({}));
    expect(script.notifications).toEqual([[5, 1]]);
    clock.pass(10_000);
    script.open();
    script.say(messageType.update, encodeUpdate({}));
    expect(script.notifications.at(-1)).toEqual([5, 2]);
    clock.pass(10_000);
    script.establish();
    script.open();
    expect(script.notifications.at(-1)).toEqual([5, 3]);
  });

  test('waits longer after each error, up to a minute, and refuses the neighbor meanwhile', () => {
    const tries: number[] = [];
    let seen = 1;
    script.open({ as: 1 });
    for (let ms = 0; ms < 400_000; ms += 100) {
      clock.pass(100);
      if (script.opens().length > seen) {
        seen = script.opens().length;
        tries.push(ms);
        script.open({ as: 1 });
      }
    }
    const gaps = tries.map((each, index) => each - (tries[index - 1] ?? 0));
    expect(gaps[0]).toBeLessThan(1_200);
    for (const [index, gap] of gaps.entries()) {
      const longest = Math.min(60_000, 1_000 * 2 ** index);
      expect(gap).toBeGreaterThanOrEqual(longest * 0.75 - 100);
      expect(gap).toBeLessThanOrEqual(longest + 300);
    }
    expect(gaps.length).toBeGreaterThan(8);
  });

  test.each([2, 3, 4, 6, 9])(
    'comes back within a second after Cease %i, however often',
    (subcode) => {
      for (let round = 1; round <= 12; round += 1) {
        script.establish();
        script.say(messageType.notification, Uint8Array.of(6, subcode));
        expect(a.row().state).toBe('Idle');
        expect(script.opens()).toHaveLength(round);
        clock.pass(1_050);
        expect(script.opens()).toHaveLength(round + 1);
      }
    },
  );

  test('takes the neighbor at once after its operator has reset the session', () => {
    script.establish();
    script.say(messageType.notification, Uint8Array.of(6, 4));
    const options = { remotePort: 179, localAddress: undefined, interface: 'eth0', mark: 500 };
    const opened: Uint8Array[] = [];
    b.host.connect(
      { ...options, remoteAddress: addressA, ttl: { ttl: 64, minTtl: 0 }, md5Key: undefined },
      {
        connected: (anew) =>
          anew.attach({ received: (chunk) => opened.push(chunk.slice()), closed: () => {} }),
        failed: () => {},
      },
    );
    clock.pass(50);
    expect(opened).toHaveLength(1);
    expect(a.row()).toMatchObject({ state: 'OpenSent', refusedCount: 0 });
  });

  test('is quiet two seconds after the last UPDATE without End-of-RIB', () => {
    script.establish();
    clock.pass(1_500);
    script.say(messageType.update, announcement(internal, '192.0.2.0/24'));
    clock.pass(1_900);
    expect(a.kinds()).toEqual(['established']);
    clock.pass(200);
    expect(a.kinds()).toEqual(['established', 'quiet']);
    script.say(messageType.update, encodeUpdate({}));
    expect(a.kinds()).toEqual(['established', 'quiet', 'endOfRib']);
  });

  test('pauses only, when it has said that it sends End-of-RIB (RFC 4724 §2)', () => {
    script.establish({ capabilities: [restarts] });
    clock.pass(3_000);
    expect(a.kinds()).toEqual(['established', 'pause']);
    script.say(messageType.update, encodeUpdate({}));
    expect(a.kinds()).toEqual(['established', 'pause', 'endOfRib']);
  });

  test('is not waited for while it restarts itself (RFC 4724 §4.1)', () => {
    script.establish({ capabilities: [{ ...restarts, isRestarting: true }] });
    clock.pass(3_000);
    expect(a.kinds()).toEqual(['established', 'quiet']);
  });

  test('takes UPDATEs, counts them, and treats faulty ones as withdrawn (RFC 7606)', () => {
    script.establish();
    script.say(messageType.update, announcement(internal, '192.0.2.0/24', '198.51.100.0/24'));
    expect(a.rib('red').routes).toEqual(['192.0.2.0/24', '198.51.100.0/24']);
    const attributes = Uint8Array.of(0x40, 1, 1, 9, 0x40, 2, 0, 0x40, 3, 4, 10, 0, 0, 1);
    const nlri = encodeNlri([parseIpv4Prefix('192.0.2.0/24')!]);
    script.say(messageType.update, encodeUpdate({ attributes, nlri }));
    expect(a.rib('red').routes).toEqual(['198.51.100.0/24']);
    expect(a.row()).toMatchObject({
      state: 'Established',
      received: 2,
      accepted: 1,
      attributeFaults: { 'treat-as-withdraw': 1 },
    });
    script.say(messageType.update, encodeUpdate({ withdrawn: nlri }));
    expect(a.row()).toMatchObject({ received: 1, accepted: 1 });
  });

  test('takes a prefix that is withdrawn and announced in one UPDATE as announced (RFC 4271 §4.3)', () => {
    script.establish();
    const withdrawn = encodeNlri([parseIpv4Prefix('192.0.2.0/24')!]);
    const attributes = encodePathAttributes(internal, { isFourOctet: false });
    script.say(messageType.update, encodeUpdate({ withdrawn, attributes, nlri: withdrawn }));
    expect(a.rib('red').routes).toEqual(['192.0.2.0/24']);
  });

  test('ends the session over a prefix that is none', () => {
    script.establish();
    script.say(messageType.update, encodeUpdate({ withdrawn: Uint8Array.of(33, 1, 2, 3, 4, 5) }));
    expect(script.notifications).toEqual([[3, 10]]);
  });

  test.each([
    ['our AS in AS_PATH', { asPath: [{ kind: 'AS_SEQUENCE', asNumbers: [64512] }] }],
    ['our ORIGINATOR_ID', { originatorId: ip('1.1.1.1') }],
    ['our identifier in CLUSTER_LIST', { clusterList: [7, ip('1.1.1.1')] }],
    ['our own next hop', { nextHop: addressA }],
    ['a next hop of zero', { nextHop: 0 }],
    ['a multicast next hop', { nextHop: ip('224.0.0.5') }],
    ['a loopback next hop', { nextHop: ip('127.0.0.1') }],
  ] as [string, Partial<PathAttributes>][])('does not accept %s', (_, fields) => {
    script.establish();
    script.say(messageType.update, announcement({ ...internal, ...fields }, '192.0.2.0/24'));
    expect(a.row()).toMatchObject({ state: 'Established', received: 1, accepted: 0 });
    script.say(messageType.update, announcement(internal, '192.0.2.0/24'));
    expect(a.row()).toMatchObject({ received: 1, accepted: 1 });
  });

  test('does not accept prefixes that no host has', () => {
    script.establish();
    const prefixes = ['127.1.0.0/16', '224.0.0.0/8', '0.1.0.0/16', '0.0.0.0/0'];
    script.say(messageType.update, announcement(internal, ...prefixes));
    expect(a.rib('red').routes).toEqual(['0.0.0.0/0']);
  });

  describe('prefixes of a family that was not negotiated (RFC 4760 §8)', () => {
    const offers = (...families: Family[]) => ({
      capabilities: families.map((family) => ({ kind: 'multiprotocol' as const, family })),
    });
    const mandatory = '400101 00 400200 400504 00000064';
    const nextHop = '400304 ac10018c';
    const reach4 = '800e0d 0001 01 04 ac10018c 00 18 cb0071';
    const reach6 = '800e1a 0002 01 10 20010db8 00000000 00000000 00000001 00 2020010db8';
    const say = (attributes: string, nlri = '') =>
      script.say(
        messageType.update,
        encodeUpdate({ attributes: hex(attributes), nlri: hex(nlri) }),
      );
    const refused = { state: 'Established', attributeFaults: { 'attribute-discard': 1 } };

    test('IPv6 is not offered, whatever the neighbor offers', () => {
      script.establish(offers(ipv4Unicast, ipv6Unicast));
      expect(a.row()).toMatchObject({
        capabilitiesReceived: ['ipv4-unicast', 'ipv6-unicast'],
        capabilitiesNegotiated: ['ipv4-unicast'],
      });
    });

    test('IPv6 in MP_REACH_NLRI is ignored, and IPv4 of the same UPDATE is taken', () => {
      script.establish(offers(ipv4Unicast, ipv6Unicast));
      say(`${mandatory} ${nextHop} ${reach6}`, '18 c00002');
      expect(a.row()).toMatchObject({ ...refused, received: 1, accepted: 1 });
      expect(a.rib('red').routes).toEqual(['192.0.2.0/24']);
    });

    test('IPv6 in MP_UNREACH_NLRI withdraws nothing and is no End-of-RIB', () => {
      script.establish(offers(ipv4Unicast, ipv6Unicast));
      script.say(messageType.update, announcement(internal, '32.1.0.0/16'));
      say('800f06 0002 01 10 2001');
      expect(a.row()).toMatchObject({ ...refused, accepted: 1, isEndOfRibReceived: false });
      say('800f03 0002 01');
      expect(a.row()).toMatchObject({ accepted: 1, isEndOfRibReceived: false });
    });

    test('IPv4 in MP_REACH_NLRI is taken when both have said so', () => {
      script.establish(offers(ipv4Unicast));
      say(`${mandatory} ${reach4}`);
      expect(a.rib('red').routes).toEqual(['203.0.113.0/24']);
      say('800f07 0001 01 18 cb0071');
      expect(a.rib('red').routes).toEqual([]);
      say('800f03 0001 01');
      expect(a.row()).toMatchObject({ isEndOfRibReceived: true });
    });

    test('the next hop of MP_REACH_NLRI counts, whatever NEXT_HOP says (RFC 4760 §3)', () => {
      script.establish(offers(ipv4Unicast));
      say(`${mandatory} 400304 7f000001 ${reach4}`);
      expect(a.rib('red').attributesOf('203.0.113.0/24').nextHop).toBe(addressB);
    });

    test('IPv4 in MP_REACH_NLRI is refused of a neighbor without the capability', () => {
      script.establish();
      say(`${mandatory} ${reach4}`);
      expect(a.row()).toMatchObject({ ...refused, received: 0 });
      say(`${mandatory} ${nextHop}`, '18 cb0071');
      expect(a.rib('red').routes).toEqual(['203.0.113.0/24']);
    });

    test('IPv4 is refused of a neighbor that offers IPv6 alone', () => {
      a.speaker.setExports('red', [ip('10.50.0.2')]);
      script.establish(offers(ipv6Unicast));
      say(`${mandatory} ${nextHop}`, '18 cb0071');
      expect(a.row()).toMatchObject({ ...refused, received: 0, announced: 0 });
      script.say(messageType.update, encodeUpdate({}));
      expect(a.row()).toMatchObject({ isEndOfRibReceived: false });
    });

    test('what cannot be read at all ends the session (RFC 7606 §3.j)', () => {
      script.establish(offers(ipv4Unicast, ipv6Unicast));
      say(`${mandatory} 800e05 0002 01 ff 00`);
      expect(script.notifications).toEqual([[3, 9]]);
    });
  });

  test('never passes on what it learned, whatever its communities', () => {
    script.establish();
    const noExport = { ...internal, communities: [0xffff_ff01, 0xffff_ff02] };
    script.say(messageType.update, announcement(noExport, '192.0.2.0/24'));
    expect(a.row()).toMatchObject({ accepted: 1, announced: 0 });
    expect(script.received.filter((each) => each.type === messageType.update)).toEqual([]);
  });

  test('repeats its routes when asked (RFC 2918), also in between BoRR and EoRR', () => {
    a.speaker.setExports('red', [ip('10.50.0.2')]);
    script.establish({
      capabilities: [{ kind: 'routeRefresh' }, { kind: 'enhancedRouteRefresh' }],
    });
    const before = script.received.length;
    script.say(messageType.routeRefresh, Uint8Array.of(0, 1, 0, 1));
    const types = script.received.slice(before).map((each) => [each.type, each.body[2]]);
    expect(types.map(([type]) => type)).toEqual([5, 2, 5]);
    expect([types[0]![1], types[2]![1]]).toEqual([1, 2]);
  });

  test('ignores refreshes of other families and of unknown subtypes (RFC 2918, RFC 7313)', () => {
    a.speaker.setExports('red', [ip('10.50.0.2')]);
    script.establish({
      capabilities: [{ kind: 'routeRefresh' }, { kind: 'enhancedRouteRefresh' }],
    });
    const before = script.received.length;
    script.say(messageType.routeRefresh, Uint8Array.of(0, 25, 0, 65));
    script.say(messageType.routeRefresh, Uint8Array.of(0, 1, 9, 1));
    expect(script.received.slice(before)).toEqual([]);
    expect(a.row().state).toBe('Established');
  });

  test('takes no BoRR and EoRR before End-of-RIB (RFC 7313 §4)', () => {
    script.establish({
      capabilities: [
        { kind: 'routeRefresh' },
        { kind: 'enhancedRouteRefresh' },
        { ...restarts, families: [{ family: ipv4Unicast, isForwarding: true }] },
      ],
    });
    script.say(messageType.update, announcement(internal, '192.0.2.0/24'));
    const repeatNothing = () => {
      script.say(messageType.routeRefresh, Uint8Array.of(0, 1, 1, 1));
      script.say(messageType.routeRefresh, Uint8Array.of(0, 1, 2, 1));
    };
    repeatNothing();
    expect(a.row()).toMatchObject({ state: 'Established', accepted: 1 });
    script.say(messageType.update, encodeEndOfRib());
    repeatNothing();
    expect(a.row()).toMatchObject({ state: 'Established', accepted: 0 });
  });

  test('keeps what was not repeated yet when the neighbor begins again (RFC 7313 §4)', () => {
    script.establish({
      capabilities: [{ kind: 'routeRefresh' }, { kind: 'enhancedRouteRefresh' }],
    });
    const begin = () => script.say(messageType.routeRefresh, Uint8Array.of(0, 1, 1, 1));
    script.say(messageType.update, announcement(internal, '192.0.2.0/24', '198.51.100.0/24'));
    begin();
    script.say(messageType.update, announcement(internal, '192.0.2.0/24'));
    begin();
    expect(a.rib('red').routes).toEqual(['192.0.2.0/24', '198.51.100.0/24']);
    script.say(messageType.update, announcement(internal, '198.51.100.0/24'));
    script.say(messageType.routeRefresh, Uint8Array.of(0, 1, 2, 1));
    expect(a.rib('red').routes).toEqual(['198.51.100.0/24']);
  });

  test('takes the last of several graceful restart capabilities (RFC 4724 §3)', () => {
    const families = [{ family: ipv4Unicast, isForwarding: true }];
    script.establish({ capabilities: [restarts, { ...restarts, families }] });
    script.say(messageType.update, announcement(internal, '192.0.2.0/24'));
    script.disconnect();
    expect(a.row()).toMatchObject({ isStale: true, accepted: 1 });
  });

  test('keeps nothing stale over a second restart (RFC 4724 §4.2)', () => {
    const families = [{ family: ipv4Unicast, isForwarding: true }];
    script.establish({ capabilities: [{ ...restarts, families }] });
    script.say(messageType.update, announcement(internal, '192.0.2.0/24', '198.51.100.0/24'));
    script.disconnect();
    clock.pass(10_000);
    script.establish({ capabilities: [{ ...restarts, families }] });
    script.say(messageType.update, announcement(internal, '192.0.2.0/24'));
    expect(a.row()).toMatchObject({ state: 'Established', isStale: true, accepted: 2 });
    script.disconnect();
    expect(a.rib('red').routes).toEqual(['192.0.2.0/24']);
  });

  describe('that keeps routes over a NOTIFICATION (RFC 8538)', () => {
    const families = [{ family: ipv4Unicast, isForwarding: true }];
    const capable = { capabilities: [{ ...restarts, hasNotification: true, families }] };
    const announce = (...prefixes: string[]) =>
      script.say(messageType.update, announcement(internal, ...prefixes));

    beforeEach(() => {
      script.establish(capable);
      announce('192.0.2.0/24', '198.51.100.0/24');
    });

    test('hears that we do, in bytes', () => {
      const restart = script
        .opens()[0]
        ?.capabilities.find(({ kind }) => kind === 'gracefulRestart');
      expect(restart && [...encodeCapability(restart)]).toEqual([64, 6, 0x40, 120, 0, 1, 1, 0x80]);
    });

    test('has its routes kept over one, until End-of-RIB or the restart time', () => {
      script.say(messageType.notification, Uint8Array.of(6, 4));
      expect(a.row()).toMatchObject({ isStale: true, accepted: 2, lastDown: { isGraceful: true } });
      clock.pass(1_050);
      script.establish(capable);
      announce('192.0.2.0/24');
      expect(a.row()).toMatchObject({ state: 'Established', isStale: true, accepted: 2 });
      script.say(messageType.update, encodeEndOfRib());
      expect(a.rib('red').routes).toEqual(['192.0.2.0/24']);
      script.say(messageType.notification, Uint8Array.of(6, 4));
      clock.pass(121_000);
      expect(a.rib('red').routes).toEqual([]);
    });

    test('has them kept over ours, and over the hold timer', () => {
      script.say(messageType.update, encodeUpdate({ withdrawn: Uint8Array.of(33, 1, 2, 3, 4, 5) }));
      expect(script.notifications).toEqual([[3, 10]]);
      expect(a.row()).toMatchObject({ isStale: true, accepted: 2 });
      clock.pass(5_000);
      script.establish(capable);
      clock.pass(91_000);
      expect(script.notifications.at(-1)).toEqual([4, 0]);
      expect(a.row()).toMatchObject({ isStale: true, accepted: 2 });
    });

    test('loses them by a Hard Reset, whose reason is shown', () => {
      const words = new TextEncoder().encode('moved');
      script.say(messageType.notification, Uint8Array.of(6, 9, 6, 2, words.length, ...words));
      expect(a.rib('red').routes).toEqual([]);
      expect(a.row().lastDown).toMatchObject({
        sender: 'remote',
        subcode: 9,
        isGraceful: false,
        words: 'moved',
        text: 'Cease: Administrative Shutdown, as Hard Reset (moved)',
      });
    });

    test('gets a Hard Reset when we stop for good', () => {
      void a.speaker.stop();
      clock.pass(10);
      expect(script.received.at(-1)?.body).toEqual(Uint8Array.of(6, 9, 6, 2));
      expect(a.rib('red').routes).toEqual([]);
    });

    test('keeps stale ones over several restarts, but not without end (RFC 8538 §4.1)', () => {
      let rounds = 0;
      for (; rounds < 30 && a.rib('red').routes.length > 0; rounds += 1) {
        script.say(messageType.notification, Uint8Array.of(6, 4));
        clock.pass(60_000);
        script.establish(capable);
      }
      // A restart time of 120 s, and 360 s for End-of-RIB.
      expect(rounds).toBe(8);
    });

    test('is not believed when it has not said so', () => {
      script.say(messageType.notification, Uint8Array.of(6, 9));
      clock.pass(1_050);
      script.establish({ capabilities: [{ ...restarts, families }] });
      announce('192.0.2.0/24');
      script.say(messageType.notification, Uint8Array.of(6, 4));
      expect(a.rib('red').routes).toEqual([]);
    });
  });

  test('makes no connection of its own after a second one of the neighbor was lost', () => {
    const families = [{ family: ipv4Unicast, isForwarding: true }];
    script.establish({ capabilities: [{ ...restarts, families }] });
    const options = { remotePort: 179, localAddress: undefined, interface: 'eth0', mark: 500 };
    b.host.connect(
      { ...options, remoteAddress: addressA, ttl: { ttl: 64, minTtl: 0 }, md5Key: undefined },
      { connected: (second) => second.destroy(), failed: () => {} },
    );
    clock.pass(20_000);
    expect(script.opens()).toHaveLength(1);
    expect(a.row()).toMatchObject({ state: 'Established', establishedCount: 1 });
  });

  test('sets R until the first session stands, and F from then on', () => {
    const flags = () => {
      const open = script.opens().at(-1);
      const restart = open?.capabilities.find((each) => each.kind === 'gracefulRestart');
      return [restart?.isRestarting, restart?.families[0]?.isForwarding];
    };
    for (const isForwardingPreserved of [true, false]) {
      a.crash();
      a.speaker.apply(config([toB()], { restart: { isRestarting: true, isForwardingPreserved } }));
      clock.pass(10);
      expect(flags()).toEqual([true, isForwardingPreserved]);
    }
    script.establish();
    expect(a.row().state).toBe('Established');
    script.disconnect();
    clock.pass(20_000);
    expect(flags()).toEqual([false, true]);
  });

  test('sends an OPEN without capabilities to who refuses them (RFC 5492 §3)', () => {
    script.say(messageType.notification, Uint8Array.of(2, 4));
    clock.pass(10_000);
    expect(script.opens().at(-1)?.capabilities).toEqual([]);
  });

  test('shows the words of the neighbor (RFC 9003)', () => {
    script.establish();
    const words = new TextEncoder().encode('maintenance');
    script.say(messageType.notification, Uint8Array.of(6, 2, words.length, ...words));
    expect(a.row().lastError).toMatchObject({
      sender: 'remote',
      code: 6,
      subcode: 2,
      text: 'Cease: Administrative Shutdown (maintenance)',
    });
  });

  test('keeps why it went down, whatever becomes of later attempts', () => {
    script.establish();
    clock.pass(5_000);
    const words = new TextEncoder().encode('maintenance');
    script.say(messageType.notification, Uint8Array.of(6, 2, words.length, ...words));
    const wentDown = clock.wallMs();
    const why = { sender: 'remote', code: 6, subcode: 2, words: 'maintenance', isGraceful: false };
    expect(a.row().lastDown).toMatchObject(why);
    expect(a.row().lastDown?.upMs).toBeCloseTo(5_010, -2);
    segment.isCut = true;
    clock.pass(30_000);
    expect(a.row().lastError?.text).toBe('no answer to our connection');
    expect(a.row().lastDown).toMatchObject(why);
    expect(wentDown - a.row().lastDown!.wallMs).toBeLessThan(20);
    segment.isCut = false;
    clock.pass(10_000);
    script.establish();
    script.disconnect();
    const lost = { sender: undefined, code: undefined, words: undefined, text: 'ECONNRESET' };
    expect(a.row().lastDown).toMatchObject(lost);
  });

  test('says of a session that we closed that it was us', () => {
    script.establish();
    script.say(messageType.update, encodeUpdate({ withdrawn: Uint8Array.of(33, 1, 2, 3, 4, 5) }));
    expect(a.row().lastDown).toMatchObject({ sender: 'local', code: 3, subcode: 10 });
  });

  test('keeps the last fifty events', () => {
    for (let round = 0; round < 30; round += 1) {
      script.establish();
      script.say(messageType.notification, Uint8Array.of(6, 4));
      clock.pass(1_050);
    }
    const { events } = a.row();
    expect(events).toHaveLength(50);
    expect(events.at(-1)!.wallMs).toBeGreaterThan(events[0]!.wallMs);
  });

  describe('that takes nothing of what it is sent, and sends KEEPALIVEs (RFC 9687)', () => {
    const keepAliveFor = (minutes: number) => {
      for (let half = 0; half < 2 * minutes; half += 1) {
        clock.pass(30_000);
        script.say(messageType.keepalive);
      }
    };

    test('is given up after eight minutes, with Send Hold Timer Expired', () => {
      script.establish();
      script.stopReading();
      keepAliveFor(7);
      expect(a.row()).toMatchObject({ state: 'Established', downCount: 0 });
      keepAliveFor(2);
      expect(a.row().lastDown).toMatchObject({ sender: 'local', code: 8, subcode: 0 });
      expect(a.row().lastDown?.upMs).toBeGreaterThanOrEqual(480_000);
      // The neighbor takes the NOTIFICATION no more than the rest: TCP is closed without it.
      expect(a.host.connectionCount).toBeLessThanOrEqual(1);
    });

    test('is given up after twice the hold time, when that is longer', () => {
      a.speaker.apply(config([toB({ holdTimeMs: 600_000 })]));
      clock.pass(10);
      script.establish({ holdTimeSeconds: 600 });
      script.stopReading();
      keepAliveFor(19);
      expect(a.row()).toMatchObject({ state: 'Established', downCount: 0 });
      keepAliveFor(5);
      expect(a.row().lastDown).toMatchObject({ sender: 'local', code: 8, subcode: 0 });
    });

    test('is kept as long as it takes something now and then', () => {
      script.establish();
      for (let round = 0; round < 4; round += 1) {
        script.stopReading();
        keepAliveFor(7);
        script.readAgain();
      }
      expect(a.row()).toMatchObject({ state: 'Established', downCount: 0 });
    });
  });

  test('sends KEEPALIVEs at most once a second, also with a hold time of 3 s (RFC 4271 §4.4)', () => {
    script.establish({ holdTimeSeconds: 3 });
    const count = () => script.received.filter(({ type }) => type === messageType.keepalive).length;
    const sentMs: number[] = [];
    for (let ms = 0; ms < 60_000; ms += 10) {
      const before = count();
      clock.pass(10);
      for (let more = count() - before; more > 0; more -= 1) sentMs.push(ms);
      if (ms % 1_000 === 0) script.say(messageType.keepalive);
    }
    const gaps = sentMs.slice(1).map((each, index) => each - sentMs[index]!);
    expect(gaps.length).toBeGreaterThan(30);
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(980);
    expect(Math.max(...gaps)).toBeLessThanOrEqual(1_020);
  });

  test('does not end a session whose bytes wait to be read', () => {
    script.establish({ holdTimeSeconds: 3 });
    // More than the read limit at once, and nothing else for longer than the hold time.
    const update = encodeMessage(messageType.update, announcement(internal, '192.0.2.0/24'));
    for (let count = 0; count < 40; count += 1) script.raw(update);
    clock.pass(2_900);
    script.say(messageType.keepalive);
    clock.pass(2_900);
    expect(a.row().state).toBe('Established');
    clock.pass(300);
    expect(script.notifications).toEqual([[4, 0]]);
  });
});
