// SPDX-License-Identifier: Apache-2.0
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { Segment } from '../../test/support/memory-transport.ts';
import {
  a,
  addressA,
  addressB,
  Box,
  b,
  beginAnew,
  clock,
  config,
  ip,
  segment,
  toA,
  toB,
} from '../../test/support/two-speakers.ts';
import type { BgpFilter, FilterRule } from '../model/model.ts';
import { parseIpv4Prefix } from '../net/ipv4.ts';

beforeEach(() => beginAnew());

describe('two speakers', () => {
  test('establish, whichever connects first, and announce exactly their /32s', () => {
    a.speaker.setExports('red', [ip('10.50.0.2')]);
    a.speaker.setExports('blue', [ip('10.60.0.2')]);
    a.speaker.apply(config([toB()]));
    clock.pass(3_000);
    b.speaker.apply(config([toA()]));
    clock.pass(10_000);
    expect(a.row().state).toBe('Established');
    expect(b.row().state).toBe('Established');
    expect(b.rib('red').routes).toEqual(['10.50.0.2/32']);
    const attributes = b.rib('red').attributesOf('10.50.0.2/32');
    expect(attributes).toMatchObject({ origin: 'IGP', asPath: [], localPref: 100 });
    expect(attributes.nextHop).toBe(addressA);
    expect(attributes.med).toBeUndefined();
    expect(a.row()).toMatchObject({ announced: 1, received: 0, isEndOfRibReceived: true });
    expect(b.row()).toMatchObject({ announced: 0, received: 1, accepted: 1 });
    expect(a.kinds()).toEqual(['established', 'endOfRib']);
    a.speaker.setExports('red', []);
    clock.pass(10);
    expect(b.rib('red').routes).toEqual([]);
  });

  test('that start at once have their collision settled, for any seed', () => {
    for (let seed = 0; seed < 20; seed += 1) {
      beginAnew(seed, seed + 1000);
      a.speaker.apply(config([toB()]));
      b.speaker.apply(config([toA()]));
      clock.pass(200);
      expect(a.row().state).toBe('Established');
      expect(b.row().state).toBe('Established');
      clock.pass(60_000);
      expect(a.host.connectionCount).toBe(1);
      expect(b.host.connectionCount).toBe(1);
      expect(a.row().downCount + b.row().downCount).toBe(0);
      // RFC 4271 §6.8: the connection of the higher identifier stays.
      expect(b.row().remotePort).toBe(179);
    }
  });

  test('settle collisions of equal identifiers by AS (RFC 6286)', () => {
    const same = ip('9.9.9.9');
    const external = { routerId: same, remoteAs: 65001, localAs: 65002 };
    a.speaker.apply(config([toB(external)]));
    b.speaker.apply(config([toA({ routerId: same, remoteAs: 65002, localAs: 65001 })]));
    clock.pass(60_000);
    expect(a.row()).toMatchObject({ state: 'Established', remotePort: 179, downCount: 0 });
    expect(a.host.connectionCount).toBe(1);
  });

  test('announce to eBGP with our AS and without LOCAL_PREF, four octets too', () => {
    a.speaker.setExports('red', [ip('10.50.0.2')]);
    a.speaker.apply(config([toB({ localAs: 4_200_000_001, remoteAs: 65010 })]));
    b.speaker.apply(config([toA({ localAs: 65010, remoteAs: 4_200_000_001 })]));
    clock.pass(1_000);
    const attributes = b.rib('red').attributesOf('10.50.0.2/32');
    expect(attributes.asPath).toEqual([{ kind: 'AS_SEQUENCE', asNumbers: [4_200_000_001] }]);
    expect(attributes.localPref).toBeUndefined();
  });

  test('keep networks apart that have the same addresses', () => {
    const other = new Segment();
    const c = new Box(3);
    c.host.join(other, 'eth0', addressB);
    a.host.join(other, 'eth1', addressA);
    a.speaker.setExports('red', [ip('10.50.0.2')]);
    a.speaker.setExports('blue', [ip('10.60.0.2')]);
    a.speaker.apply(config([toB(), toB({ network: 'blue', interfaces: ['eth1'], mark: 501 })]));
    b.speaker.apply(config([toA()]));
    c.speaker.apply(config([toA()]));
    clock.pass(10_000);
    expect(b.rib('red').routes).toEqual(['10.50.0.2/32']);
    expect(c.rib('red').routes).toEqual(['10.60.0.2/32']);
  });

  test('refuse who arrives on an interface of a network for a neighbor of the main table', () => {
    const main = { network: undefined, interfaces: [], mark: undefined };
    const networkInterfaces = [{ network: 'red', interface: 'eth0', mark: 500 }];
    // A does not connect itself: no route leads to the neighbor but the network's.
    const away = toB({ ...main, port: 1, address: addressB });
    a.speaker.apply(config([away], { networkInterfaces }));
    b.speaker.apply(config([toA()]));
    clock.pass(10_000);
    expect(b.row().state).not.toBe('Established');
    expect(a.speaker.refusedCount).toBeGreaterThan(0);
  });

  test('are heard on their interface also when the main table gets a neighbor later', () => {
    const networkInterfaces = [{ network: 'red', interface: 'eth0', mark: 500 }];
    const red = toB({ port: 1 });
    a.speaker.apply(config([red], { networkInterfaces }));
    const main = toB({
      network: undefined,
      interfaces: [],
      mark: undefined,
      address: ip('10.9.9.9'),
    });
    a.speaker.apply(config([red, main], { networkInterfaces }));
    b.speaker.apply(config([toA()]));
    clock.pass(10_000);
    expect(b.row().state).toBe('Established');
  });

  test('keep their session when the network gets another interface', () => {
    a.speaker.apply(config([toB()]));
    b.speaker.apply(config([toA()]));
    clock.pass(10_000);
    a.speaker.apply(config([toB({ interfaces: ['eth0', 'eth1'] })]));
    clock.pass(1_000);
    expect(a.row()).toMatchObject({ state: 'Established', downCount: 0 });
  });

  test('fill the RIB that took the place of another', () => {
    a.speaker.apply(config([toB()]));
    b.speaker.apply(config([toA()]));
    a.speaker.setExports('red', [ip('10.50.0.2')]);
    clock.pass(10_000);
    b.ribs.delete('red');
    b.speaker.apply(config([toA()]));
    clock.pass(10_000);
    expect(b.rib('red').routes).toEqual(['10.50.0.2/32']);
  });

  test('come up by the other end when one cannot listen, and listen later', () => {
    const listen = vi.spyOn(b.host, 'listen').mockImplementation(() => {
      throw new Error('EADDRINUSE');
    });
    a.speaker.apply(config([toB()]));
    expect(b.speaker.apply(config([toA()]))).toBe(false);
    clock.pass(10_000);
    expect(b.row().state).toBe('Established');
    listen.mockRestore();
    expect(b.speaker.apply(config([toA()]))).toBe(true);
    expect(b.speaker.apply(config([]))).toBe(true);
  });

  test('listen again when the network gets another table', () => {
    const listen = vi.spyOn(a.host, 'listen');
    const marks = () => listen.mock.calls.map(([{ mark }]) => mark);
    a.speaker.apply(config([toB()]));
    a.speaker.apply(config([toB()]));
    expect(marks()).toEqual([500]);
    a.speaker.apply(config([toB({ mark: 501 })]));
    expect(marks()).toEqual([500, 501]);
  });

  test('need the same TCP-MD5 key', () => {
    a.speaker.apply(config([toB({ password: 's3cret' })]));
    b.speaker.apply(config([toA({ password: 'wrong' })]));
    clock.pass(60_000);
    expect(a.row().state).not.toBe('Established');
    b.speaker.apply(config([toA({ password: 's3cret' })]));
    clock.pass(30_000);
    expect(a.row().state).toBe('Established');
  });

  test('need GTSM on both ends', () => {
    a.speaker.apply(config([toB({ ttlSecurityHops: 1 })]));
    b.speaker.apply(config([toA()]));
    clock.pass(60_000);
    expect(a.row().state).not.toBe('Established');
    b.speaker.apply(config([toA({ ttlSecurityHops: 1 })]));
    clock.pass(60_000);
    expect(a.row().state).toBe('Established');
  });
});

describe('an established session', () => {
  beforeEach(() => {
    a.speaker.setExports('red', [ip('10.50.0.2'), ip('10.50.0.3')]);
    a.speaker.apply(
      config([toB()], { restart: { isRestarting: false, isForwardingPreserved: true } }),
    );
    b.speaker.apply(config([toA()]));
    clock.pass(10_000);
    expect(b.rib('red').routes).toHaveLength(2);
  });

  test('ends by the hold timer when the neighbor falls silent, and comes back', () => {
    segment.isCut = true;
    clock.pass(55_000);
    expect(b.row().state).toBe('Established');
    clock.pass(36_000);
    expect(b.row().state).not.toBe('Established');
    expect(b.row().lastError).toBeDefined();
    expect(b.row().events.map((each) => each.text)).toContainEqual(
      expect.stringContaining('Hold Timer Expired'),
    );
    // RFC 8538 §4: a silent neighbor is as good as one that restarts.
    expect(b.row()).toMatchObject({ isStale: true, accepted: 2 });
    segment.isCut = false;
    clock.pass(90_000);
    expect(b.row().state).toBe('Established');
    expect(b.rib('red').routes).toHaveLength(2);
  });

  test('stays for hours on keepalives alone', () => {
    clock.pass(4 * 3_600_000);
    expect(a.row()).toMatchObject({ state: 'Established', downCount: 0 });
    expect(a.row().messagesReceived.keepalive).toBeGreaterThan(400);
  });

  test('stops with Administrative Shutdown, within a second', async () => {
    const stopped = a.speaker.stop();
    clock.pass(1_100);
    await stopped;
    expect(b.row().lastError).toMatchObject({ text: expect.any(String) });
    expect(b.row().events.map((each) => each.text)).toContainEqual(
      expect.stringContaining('remote NOTIFICATION: Cease: Administrative Shutdown'),
    );
    expect(b.rib('red').routes).toEqual([]);
    expect(a.host.connectionCount).toBe(0);
  });

  test('is abandoned without a NOTIFICATION: the neighbor keeps the routes', async () => {
    const abandoned = a.speaker.abandon();
    clock.pass(1_100);
    await abandoned;
    expect(b.row()).toMatchObject({ isStale: true });
    expect(b.row().messagesReceived.notification).toBe(0);
    expect(b.rib('red').routes).toHaveLength(2);
  });

  test('keeps stale routes over a crash until End-of-RIB, then only what was repeated', () => {
    a.crash();
    clock.pass(100);
    expect(b.row()).toMatchObject({ isStale: true, accepted: 2 });
    expect(b.kinds().at(-1)).toBe('down');
    a.speaker.setExports('red', [ip('10.50.0.3'), ip('10.50.0.4')]);
    a.speaker.apply(
      config([toB()], { restart: { isRestarting: true, isForwardingPreserved: true } }),
    );
    const lost: string[] = [];
    for (let ms = 0; ms < 10_000; ms += 1) {
      clock.pass(1);
      if (!b.rib('red').has('10.50.0.3/32')) lost.push(`${ms}`);
    }
    expect(lost).toEqual([]);
    expect(b.row()).toMatchObject({ state: 'Established', isStale: false });
    expect(b.rib('red').routes).toEqual(['10.50.0.3/32', '10.50.0.4/32']);
  });

  test('drops stale routes when the neighbor did not preserve forwarding', () => {
    a.crash();
    a.speaker.apply(
      config([toB()], { restart: { isRestarting: true, isForwardingPreserved: false } }),
    );
    clock.pass(10_000);
    expect(b.row().state).toBe('Established');
    expect(b.rib('red').routes).toEqual([]);
  });

  test('drops stale routes when the restart time is over', () => {
    a.crash();
    clock.pass(119_000);
    expect(b.rib('red').routes).toHaveLength(2);
    clock.pass(2_000);
    expect(b.rib('red').routes).toEqual([]);
  });

  test('gives way to a restarted neighbor whose old connection never closed (RFC 4724 §5)', () => {
    segment.isCut = true;
    a.crash();
    clock.pass(5_000);
    segment.isCut = false;
    expect(b.row().state).toBe('Established');
    a.speaker.setExports('red', [ip('10.50.0.2'), ip('10.50.0.3')]);
    a.speaker.apply(
      config([toB()], { restart: { isRestarting: true, isForwardingPreserved: true } }),
    );
    for (let ms = 0; ms < 10_000; ms += 1) {
      clock.pass(1);
      expect(b.rib('red').has('10.50.0.2/32')).toBe(true);
    }
    expect(b.row()).toMatchObject({ state: 'Established', establishedCount: 2, isStale: false });
  });

  test('takes new filters without a reset: refresh in, correction out', () => {
    const reject = filter('no-3', {
      importV4: [rule({ action: 'Reject', prefix: equal('10.50.0.3/32') })],
    });
    b.speaker.apply(config([toA({ filters: ['no-3'] })], { filters: [reject] }));
    clock.pass(100);
    expect(b.rib('red').routes).toEqual(['10.50.0.2/32']);
    expect(b.row()).toMatchObject({ received: 2, accepted: 1, downCount: 0 });
    b.speaker.apply(config([toA()]));
    clock.pass(100);
    expect(b.rib('red').routes).toHaveLength(2);
    expect(b.row()).toMatchObject({ received: 2, accepted: 2 });
    const tag = filter('tag', {
      exportV4: [
        rule({ action: 'Reject', prefix: equal('10.50.0.3/32') }),
        rule({ action: 'Accept', operations: [{ kind: 'addCommunity', value: 0xffff_0001 }] }),
      ],
    });
    a.speaker.apply(config([toB({ filters: ['tag'] })], { filters: [tag] }));
    clock.pass(100);
    expect(b.rib('red').routes).toEqual(['10.50.0.2/32']);
    expect(b.rib('red').attributesOf('10.50.0.2/32').communities).toEqual([0xffff_0001]);
    expect(a.row().downCount + b.row().downCount).toBe(0);
  });

  test('the same configuration read again changes nothing, whatever the order of its fields', () => {
    const turned = <T extends object>(value: T): T =>
      Object.fromEntries(Object.entries(value).reverse()) as T;
    const reject = rule({ action: 'Reject', prefix: equal('10.50.0.3/32') });
    const apply = (rules: FilterRule[], neighbor = toA({ filters: ['no-3'] })) => {
      b.speaker.apply(config([neighbor], { filters: [filter('no-3', { importV4: rules })] }));
      clock.pass(100);
      return b.row().messagesSent.routeRefresh;
    };
    const asked = apply([reject]);
    expect(apply([turned({ ...reject, prefix: turned(reject.prefix!) })])).toBe(asked);
    expect(apply([reject], turned(toA({ filters: ['no-3'] })))).toBe(asked);
    expect(b.row().downCount).toBe(0);
    expect(apply([{ ...reject, prefix: equal('10.50.0.2/32') }])).toBeGreaterThan(asked);
    expect(b.rib('red').routes).toEqual(['10.50.0.3/32']);
  });

  test('is reset by a change of the connection, and leaves with a removed neighbor', () => {
    a.speaker.apply(config([toB({ holdTimeMs: 30_000 })]));
    clock.pass(30_000);
    expect(b.row()).toMatchObject({ state: 'Established', holdTimeMs: 30_000, downCount: 1 });
    expect(b.row().keepaliveTimeMs).toBe(10_000);
    a.speaker.apply(config([]));
    clock.pass(10);
    expect(b.row().events.at(-2)?.text).toContain('Peer De-configured');
    expect(b.rib('red').routes).toEqual([]);
  });
});

function rule(fields: Partial<FilterRule> & Pick<FilterRule, 'action'>): FilterRule {
  return {
    prefix: undefined,
    source: undefined,
    interface: undefined,
    peerType: undefined,
    community: undefined,
    asPathPrefix: undefined,
    priority: undefined,
    operations: [],
    ...fields,
  };
}

function equal(cidr: string): FilterRule['prefix'] {
  const v4 = parseIpv4Prefix(cidr)!;
  return { cidr, v4, operator: 'Equal', lengthMin: v4.length, lengthMax: 32 };
}

function filter(name: string, rules: Partial<BgpFilter>): BgpFilter {
  return { name, importV4: [], exportV4: [], importV6: [], exportV6: [], ...rules };
}
