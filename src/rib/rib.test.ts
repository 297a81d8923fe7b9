// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from 'vitest';
import { ManualClock } from '../../test/support/manual-clock.ts';
import { formatIpv4Prefix, parseIpv4, parseIpv4Prefix } from '../net/ipv4.ts';
import { InternedAttributes } from './attributes.ts';
import { Lap } from './lap.ts';
import { Rib } from './rib.ts';
import type { RouteChange } from './rib-consumer.ts';
import {
  type AdjRibIn,
  type LocalRoutes,
  type NextHop,
  noAttributes,
  type PathAttributes,
  type RouteSource,
} from './route.ts';

const ip = (text: string) => parseIpv4(text)!;
const prefix = (text: string) => parseIpv4Prefix(text)!;

function attributesTo(nextHop: string, more: Partial<PathAttributes> = {}): PathAttributes {
  return {
    ...noAttributes,
    asPath: [{ kind: 'AS_SEQUENCE', asNumbers: [64501] }],
    nextHop: ip(nextHop),
    ...more,
  };
}

const neighbor = (address: string): RouteSource => ({
  kind: 'bgp',
  name: address,
  bgp: {
    isExternal: true,
    remoteAs: 64501,
    localAs: 64512,
    remoteId: ip(address),
    remoteAddress: ip(address),
  },
});

function setUp(options: { isMultipath?: boolean; stepMs?: number } = {}) {
  const clock = new ManualClock(options.stepMs);
  const attributes = new InternedAttributes({ queue: clock.queue });
  const rib = new Rib({
    name: 'red',
    clock,
    queue: clock.queue,
    attributes,
    isMultipath: options.isMultipath ?? true,
  });
  const eth0 = rib.openLocal({ kind: 'connected', name: 'eth0', bgp: undefined });
  const direct = (source: LocalRoutes, text: string, nextHop: NextHop) => {
    const { address, length } = prefix(text);
    source.announceDirect(address, length, nextHop);
  };
  direct(eth0, '172.16.1.0/24', { interface: 'eth0', address: 0 });
  const announce = (source: AdjRibIn, text: string, to: PathAttributes) => {
    const { address, length } = prefix(text);
    const key = new TextEncoder().encode(JSON.stringify(to));
    source.announce(
      address,
      length,
      attributes.intern(key, () => to),
    );
  };
  const via = (text: string) => {
    clock.settle();
    const { address, length } = prefix(text);
    return rib.lookup(address, length)?.nextHops;
  };
  const reasons = (text: string) => {
    clock.settle();
    const { address, length } = prefix(text);
    return rib.candidates(address, length).map((path) => `${path.source.name} ${path.reason}`);
  };
  return { clock, attributes, rib, eth0, direct, announce, via, reasons };
}

const withdraw = (source: AdjRibIn, text: string) =>
  source.withdraw(prefix(text).address, prefix(text).length);

describe('next hops', () => {
  test('a BGP next hop resolves through a connected route', () => {
    const { rib, announce, via, eth0, direct, reasons } = setUp();
    const bgp = rib.openSource(neighbor('172.16.1.140'));
    announce(bgp, '192.0.2.0/24', attributesTo('172.16.1.140'));
    expect(via('192.0.2.0/24')).toEqual([{ interface: 'eth0', address: ip('172.16.1.140') }]);
    withdraw(eth0, '172.16.1.0/24');
    expect(via('192.0.2.0/24')).toBeUndefined();
    expect(reasons('192.0.2.0/24')).toEqual(['172.16.1.140 next-hop-unreachable']);
    direct(eth0, '172.16.0.0/16', { interface: 'eth1', address: 0 });
    expect(via('192.0.2.0/24')).toEqual([{ interface: 'eth1', address: ip('172.16.1.140') }]);
  });

  test('recursion: BGP through BGP through static through connected', () => {
    const { rib, announce, via } = setUp();
    const fixed = rib.openLocal({ kind: 'static', name: '172.16.1.9', bgp: undefined });
    fixed.announceVia(ip('10.9.0.0'), 16, ip('172.16.1.9'));
    const bgp = rib.openSource(neighbor('172.16.1.140'));
    announce(bgp, '10.8.0.0/16', attributesTo('10.9.0.1'));
    announce(bgp, '192.0.2.0/24', attributesTo('10.8.0.1'));
    expect(via('192.0.2.0/24')).toEqual([{ interface: 'eth0', address: ip('172.16.1.9') }]);
    withdraw(fixed, '10.9.0.0/16');
    expect(via('192.0.2.0/24')).toBeUndefined();
    expect(via('10.8.0.0/16')).toBeUndefined();
  });

  test('a static default reaches next hops, a default by BGP does not', () => {
    const { rib, announce, via, reasons } = setUp();
    const bgp = rib.openSource(neighbor('172.16.1.140'));
    announce(bgp, '0.0.0.0/0', attributesTo('172.16.1.140'));
    announce(bgp, '192.0.2.0/24', attributesTo('10.1.1.1'));
    expect(via('192.0.2.0/24')).toBeUndefined();
    const fixed = rib.openLocal({ kind: 'static', name: '172.16.1.9', bgp: undefined });
    fixed.announceVia(0, 0, ip('172.16.1.9'));
    expect(via('192.0.2.0/24')).toEqual([{ interface: 'eth0', address: ip('172.16.1.9') }]);
    expect(reasons('0.0.0.0/0')).toContain('172.16.1.140 source-kind');
  });

  test('a route never resolves through itself', () => {
    const { rib, announce, via, reasons } = setUp();
    const bgp = rib.openSource(neighbor('172.16.1.140'));
    announce(bgp, '10.0.0.0/8', attributesTo('10.0.0.1'));
    expect(via('10.0.0.0/8')).toBeUndefined();
    expect(reasons('10.0.0.0/8')).toEqual(['172.16.1.140 next-hop-unreachable']);
    // Another path makes the next hop reachable, by this very prefix: it still does not count.
    const other = rib.openSource(neighbor('172.16.1.141'));
    announce(other, '10.0.0.0/8', attributesTo('172.16.1.141', { localPref: 1 }));
    expect(via('10.0.0.0/8')).toEqual([{ interface: 'eth0', address: ip('172.16.1.141') }]);
    expect(reasons('10.0.0.0/8')).toContain('172.16.1.140 next-hop-in-prefix');
  });

  test('a neighbor that announces its own address is reached by the link', () => {
    const { rib, announce, via } = setUp();
    const bgp = rib.openSource(neighbor('172.16.1.140'));
    announce(bgp, '172.16.1.140/32', attributesTo('172.16.1.140'));
    announce(bgp, '192.0.2.0/24', attributesTo('172.16.1.140'));
    const link = [{ interface: 'eth0', address: ip('172.16.1.140') }];
    expect(via('172.16.1.140/32')).toEqual(link);
    expect(via('192.0.2.0/24')).toEqual(link);
  });

  test('two routes that lead to each other reach nothing', () => {
    const { rib, announce, via } = setUp();
    const bgp = rib.openSource(neighbor('172.16.1.140'));
    announce(bgp, '10.1.0.0/16', attributesTo('10.2.0.1'));
    announce(bgp, '10.2.0.0/16', attributesTo('10.1.0.1'));
    expect(via('10.1.0.0/16')).toBeUndefined();
    expect(via('10.2.0.0/16')).toBeUndefined();
  });

  test('choices that depend on each other come to rest', () => {
    const { rib, announce, via, clock } = setUp();
    const a = rib.openSource(neighbor('172.16.1.140'));
    const b = rib.openSource(neighbor('172.16.1.141'));
    announce(a, '10.1.0.0/16', attributesTo('10.2.0.1', { localPref: 200 }));
    announce(b, '10.1.0.0/16', attributesTo('172.16.1.141'));
    announce(a, '10.2.0.0/16', attributesTo('10.1.0.1', { localPref: 200 }));
    announce(b, '10.2.0.0/16', attributesTo('172.16.1.141'));
    clock.settle(1000);
    const link = [{ interface: 'eth0', address: ip('172.16.1.141') }];
    expect(via('10.1.0.0/16')).toEqual(link);
    expect(via('10.2.0.0/16')).toEqual(link);
  });

  test('a number that was freed and given to another next hop is not taken for the old one', () => {
    const { rib, announce, via } = setUp();
    const bgp = rib.openSource(neighbor('172.16.1.140'));
    const fixed = rib.openLocal({ kind: 'static', name: '172.16.1.9', bgp: undefined });
    const to = attributesTo('172.16.1.140');
    announce(bgp, '10.1.0.0/16', to);
    withdraw(bgp, '10.1.0.0/16');
    fixed.announceVia(ip('10.2.0.0'), 16, ip('172.16.1.9'));
    announce(bgp, '10.1.0.0/16', to);
    expect(via('10.1.0.0/16')).toEqual([{ interface: 'eth0', address: ip('172.16.1.140') }]);
    expect(via('10.2.0.0/16')).toEqual([{ interface: 'eth0', address: ip('172.16.1.9') }]);
  });

  test('a chain of more than 8 recursions is refused', () => {
    const { rib, announce, via } = setUp();
    const bgp = rib.openSource(neighbor('172.16.1.140'));
    announce(bgp, '10.0.0.0/24', attributesTo('172.16.1.140'));
    for (let i = 1; i < 12; i += 1)
      announce(bgp, `10.0.${i}.0/24`, attributesTo(`10.0.${i - 1}.1`));
    expect(via('10.0.7.0/24')).toHaveLength(1);
    expect(via('10.0.11.0/24')).toBeUndefined();
  });

  test('as many ways round as there are combinations of prefixes are not all tried', () => {
    const { rib, announce, via } = setUp();
    const bgp = rib.openSource(neighbor('172.16.1.140'));
    const cpu: number[] = [];
    // Eight prefixes hold each next hop on the way, and the way is one recursion too long.
    for (let i = 8; i >= 0; i -= 1) {
      const to = attributesTo(i === 8 ? '172.16.1.140' : `10.${i + 1}.0.1`);
      const before = process.threadCpuUsage();
      for (let length = 25; length <= 32; length += 1) {
        announce(bgp, `10.${i}.0.${length === 32 ? 1 : 0}/${length}`, to);
      }
      via(`10.${i}.0.1/32`);
      cpu.push(process.threadCpuUsage(before).user);
    }
    announce(bgp, '192.0.2.0/24', attributesTo('10.0.0.1'));
    expect(via('192.0.2.0/24')).toBeUndefined();
    // All the ways would be eight times as many from each step to the next: millions at the end.
    expect(cpu.at(-1)).toBeLessThan(1000 * Math.max(500, ...cpu.slice(0, 3)));
    announce(bgp, '10.5.0.1/32', attributesTo('172.16.1.140'));
    expect(via('192.0.2.0/24')).toEqual([{ interface: 'eth0', address: ip('172.16.1.140') }]);
  });

  test('thousands behind one link are resolved in slices, and those behind another not at all', () => {
    const { rib, announce, clock, eth0, direct } = setUp({ stepMs: 5 });
    let changed = 0;
    rib.openConsumer({ onDirty: () => {}, onSetChanged: () => (changed += 1) });
    direct(eth0, '172.17.0.0/16', { interface: 'eth1', address: 0 });
    const bgp = rib.openSource(neighbor('172.16.1.140'));
    for (let i = 0; i < 6000; i += 1) {
      const host = `${i >> 8}.${i & 255}`;
      announce(bgp, `10.${host}.0/24`, attributesTo(`172.17.${host}`));
    }
    announce(bgp, '11.0.0.0/24', attributesTo('172.16.1.140'));
    clock.settle();
    direct(eth0, '172.17.0.0/16', { interface: 'eth2', address: 0 });
    let changedMax = 0;
    for (let isMore = true; isMore; ) {
      const before = changed;
      isMore = clock.turn();
      changedMax = Math.max(changedMax, changed - before);
    }
    expect(changed).toBe(6000);
    expect(changedMax).toBeLessThan(1000);
    expect(rib.isPending).toBe(false);
  });

  test('a change of the link rewrites one set and touches no prefix', () => {
    const { rib, announce, clock, eth0, direct } = setUp();
    const changed: (readonly NextHop[])[] = [];
    const consumer = rib.openConsumer({
      onDirty: () => {},
      onSetChanged: (_, members) => changed.push(members),
    });
    const bgp = rib.openSource(neighbor('172.16.1.140'));
    for (let i = 0; i < 1000; i += 1) {
      announce(bgp, `10.${i >> 8}.${i & 255}.0/24`, attributesTo('172.16.1.140'));
    }
    clock.settle();
    consumer.take(2000, () => {});
    direct(eth0, '172.16.1.0/24', { interface: 'eth7', address: 0 });
    clock.settle();
    expect(changed).toEqual([[{ interface: 'eth7', address: ip('172.16.1.140') }]]);
    // The connected prefix alone.
    expect(consumer.pendingCount).toBe(1);
  });
});

describe('several sources', () => {
  test('equal paths share, the better one of a kind does not', () => {
    const { rib, announce, via } = setUp();
    const a = rib.openSource(neighbor('172.16.1.140'));
    const b = rib.openSource(neighbor('172.16.1.141'));
    announce(a, '192.0.2.0/24', attributesTo('172.16.1.140'));
    announce(b, '192.0.2.0/24', attributesTo('172.16.1.141'));
    expect(via('192.0.2.0/24')).toHaveLength(2);
    announce(b, '192.0.2.0/24', attributesTo('172.16.1.141', { localPref: 200 }));
    expect(via('192.0.2.0/24')).toEqual([{ interface: 'eth0', address: ip('172.16.1.141') }]);
  });

  test('without multipath one is chosen', () => {
    const { rib, announce, via, reasons } = setUp({ isMultipath: false });
    for (const address of ['172.16.1.141', '172.16.1.140']) {
      announce(rib.openSource(neighbor(address)), '192.0.2.0/24', attributesTo(address));
    }
    expect(via('192.0.2.0/24')).toEqual([{ interface: 'eth0', address: ip('172.16.1.140') }]);
    expect(reasons('192.0.2.0/24')).toContain('172.16.1.141 router-id');
  });
});

describe('a scan of the table', () => {
  test('comes to its end however often it is asked for again', () => {
    const { rib, announce, clock, eth0, direct } = setUp({ stepMs: 10 });
    const bgp = rib.openSource(neighbor('172.16.1.140'));
    const gone = rib.openSource(neighbor('172.16.1.141'));
    const mirror = rib.openConsumer({ isLearnedOnly: true, isExpanded: true, onDirty: () => {} });
    const prefixOf = (i: number) => `10.${i >> 8}.${i & 255}.0/24`;
    for (let i = 0; i < 6000; i += 1) announce(bgp, prefixOf(i), attributesTo('172.16.1.140'));
    for (let i = 6000; i < 6100; i += 1) announce(gone, prefixOf(i), attributesTo('172.16.1.140'));
    clock.settle();
    mirror.take(10_000, () => {});
    gone.close();
    direct(eth0, '172.16.1.140/32', { interface: 'eth1', address: 0 });
    // A turn visits 512 records, and in each a next hop is lost, found or moved.
    for (let turn = 0; turn < 80; turn += 1) {
      direct(eth0, `172.17.${turn}.0/24`, { interface: 'eth0', address: 0 });
      announce(bgp, `11.0.${turn}.0/24`, attributesTo(`172.17.${turn + 1}.1`));
      direct(eth0, '172.16.1.140/32', { interface: `eth${turn % 10}`, address: 0 });
      clock.turn();
    }
    expect(gone.routeCount).toBe(0);
    expect(mirror.pendingCount).toBeGreaterThan(6000);
  });

  test('none is passed over when the table grows and shrinks meanwhile', () => {
    const lap = new Lap();
    lap.begin();
    const seen: number[] = [];
    for (let i = 0; i < 5; i += 1) seen.push(lap.next(8));
    lap.begin();
    const again: number[] = [];
    for (let next = lap.next(10); next !== 0; next = lap.next(10)) again.push(next);
    expect([seen, again]).toEqual([
      [1, 2, 3, 4, 5],
      [6, 7, 8, 9, 1, 2, 3, 4, 5],
    ]);
    lap.begin();
    expect([lap.next(3), lap.next(1), lap.isDone]).toEqual([1, 0, true]);
  });
});

describe('graceful restart', () => {
  test('stale routes stay until swept; what was announced again is fresh', () => {
    const { rib, announce, via, clock } = setUp();
    const bgp = rib.openSource(neighbor('172.16.1.140'));
    announce(bgp, '10.1.0.0/16', attributesTo('172.16.1.140'));
    announce(bgp, '10.2.0.0/16', attributesTo('172.16.1.140'));
    bgp.markStale();
    expect(bgp.staleCount).toBe(2);
    announce(bgp, '10.1.0.0/16', attributesTo('172.16.1.140'));
    clock.settle();
    expect(bgp.staleCount).toBe(1);
    expect(rib.candidates(prefix('10.2.0.0/16').address, 16)[0]?.isStale).toBe(true);
    bgp.sweepStale();
    expect(via('10.1.0.0/16')).toHaveLength(1);
    expect(via('10.2.0.0/16')).toBeUndefined();
    expect([bgp.routeCount, bgp.staleCount]).toEqual([1, 0]);
  });

  test('RFC 4724 §4.2: a second restart removes what the first left stale', () => {
    const { rib, announce, via } = setUp();
    const bgp = rib.openSource(neighbor('172.16.1.140'));
    announce(bgp, '10.1.0.0/16', attributesTo('172.16.1.140'));
    announce(bgp, '10.2.0.0/16', attributesTo('172.16.1.140'));
    bgp.markStale();
    announce(bgp, '10.1.0.0/16', attributesTo('172.16.1.140'));
    bgp.sweepStale();
    bgp.markStale();
    expect(via('10.2.0.0/16')).toBeUndefined();
    expect(via('10.1.0.0/16')).toHaveLength(1);
    expect([bgp.routeCount, bgp.staleCount]).toEqual([1, 1]);
  });

  test('what is stale does not count as fresh when the epochs wrap around', () => {
    const { rib, announce, clock } = setUp();
    const bgp = rib.openSource(neighbor('172.16.1.140'));
    announce(bgp, '10.1.0.0/16', attributesTo('172.16.1.140'));
    const { address } = prefix('10.1.0.0/16');
    for (let i = 0; i < 0x1_0000; i += 1) {
      announce(bgp, '10.2.0.0/16', attributesTo('172.16.1.140'));
      bgp.markStale();
      if (i % 0x1000 === 0) clock.settle();
    }
    expect(rib.candidates(address, 16)).toEqual([]);
    expect([bgp.routeCount, bgp.staleCount]).toEqual([1, 1]);
  });
});

describe('consumers', () => {
  test('hear a prefix once however often it changed, and not of what they never saw', () => {
    const { rib, announce, clock } = setUp();
    let dirtyCount = 0;
    const consumer = rib.openConsumer({ isLearnedOnly: true, onDirty: () => dirtyCount++ });
    const bgp = rib.openSource(neighbor('172.16.1.140'));
    announce(bgp, '10.1.0.0/16', attributesTo('172.16.1.140'));
    clock.settle();
    withdraw(bgp, '10.1.0.0/16');
    clock.settle();
    announce(bgp, '10.1.0.0/16', attributesTo('172.16.1.140', { med: 1 }));
    announce(bgp, '10.2.0.0/16', attributesTo('172.16.1.140'));
    clock.settle();
    expect(dirtyCount).toBe(1);
    const seen: RouteChange[] = [];
    expect(consumer.take(10, (change) => seen.push({ ...change }))).toBe(2);
    expect(seen.map(({ address, kind }) => [address, kind])).toEqual([
      [ip('10.1.0.0'), 'bgp'],
      [ip('10.2.0.0'), 'bgp'],
    ]);
    withdraw(bgp, '10.1.0.0/16');
    clock.settle();
    expect(dirtyCount).toBe(2);
    consumer.take(10, (change) => {
      expect(change).toMatchObject({ set: 0, kind: undefined, wasPresent: true });
    });
    expect(rib.usage.prefixes).toBe(2);
  });

  test('one that expands sets hears of every prefix when a next hop moves', () => {
    const { rib, announce, clock, eth0, direct } = setUp();
    const consumer = rib.openConsumer({ isLearnedOnly: true, isExpanded: true, onDirty: () => {} });
    const bgp = rib.openSource(neighbor('172.16.1.140'));
    for (let i = 0; i < 100; i += 1) announce(bgp, `10.0.${i}.0/24`, attributesTo('172.16.1.140'));
    clock.settle();
    consumer.take(1000, () => {});
    direct(eth0, '172.16.1.0/24', { interface: 'eth7', address: 0 });
    clock.settle();
    const seen = new Set<string | undefined>();
    expect(consumer.take(1000, ({ set }) => seen.add(rib.members(set)[0]?.interface))).toBe(100);
    expect([...seen]).toEqual(['eth7']);
  });

  test('a late one hears of everything, and a closed one leaves nothing behind', () => {
    const { rib, announce, clock, eth0, attributes } = setUp();
    const bgp = rib.openSource(neighbor('172.16.1.140'));
    announce(bgp, '10.1.0.0/16', attributesTo('172.16.1.140'));
    clock.settle();
    const consumer = rib.openConsumer({ remembers: true, onDirty: () => {} });
    clock.settle();
    expect(consumer.take(10, () => {})).toBe(2);
    bgp.close();
    eth0.close();
    clock.settle();
    expect(rib.usage.prefixes).toBe(2);
    consumer.close();
    clock.settle();
    expect(rib.usage).toMatchObject({ prefixes: 0, paths: 0, nextHops: 0, sets: 0 });
    expect(attributes.count).toBe(0);
  });
});

describe('size', () => {
  // 300,000 prefixes in an order that has nothing to do with their addresses.
  const many = Array.from(
    { length: 300_000 },
    (_, i) => ((Math.imul(i, 0x9e37_79b1) >>> 0) & 0xffff_ff00) >>> 0,
  );
  const distinct = [...new Set(many)];

  test('memory comes back after three load and flush cycles', () => {
    const { rib, announce, clock, attributes } = setUp();
    const consumer = rib.openConsumer({ remembers: true, onDirty: () => {} });
    const drain = () => {
      clock.settle();
      while (consumer.take(10_000, () => {}) > 0) clock.settle();
    };
    drain();
    const emptyBytes = rib.usage.bytes;
    const loaded: number[] = [];
    for (let cycle = 0; cycle < 3; cycle += 1) {
      const bgp = rib.openSource(neighbor('172.16.1.140'));
      announce(bgp, '10.0.0.0/8', attributesTo('172.16.1.140'));
      const id = attributes.intern(Uint8Array.of(1), () => attributesTo('172.16.1.140'));
      for (const address of distinct) bgp.announce(address, 24, id);
      drain();
      expect(rib.routeCount).toBe(distinct.length + 2);
      loaded.push(rib.usage.bytes);
      bgp.close();
      drain();
      expect(rib.usage.bytes).toBeLessThanOrEqual(emptyBytes * 1.1);
      expect(rib.usage).toMatchObject({ prefixes: 1, paths: 1 });
      expect(attributes.count).toBe(0);
    }
    expect(loaded[2]).toBe(loaded[0]);
    expect(loaded[0]! / distinct.length).toBeLessThan(80);
  });

  test('a listing is sorted by address, the longest first, as Linux lists a table', () => {
    const { rib, announce, clock } = setUp();
    const bgp = rib.openSource(neighbor('172.16.1.140'));
    const listed = ['0.0.0.0/0', '10.0.0.0/8', '192.0.2.0/25', '192.0.2.0/24', '192.0.2.7/32'];
    for (const prefix of listed) announce(bgp, prefix, attributesTo('172.16.1.140'));
    clock.settle();
    const listing = rib.openListing();
    const found: string[] = [];
    const visit = (address: number, length: number) =>
      found.push(formatIpv4Prefix({ address, length }));
    while (listing.next(100, visit)) clock.settle();
    expect(found.filter((prefix) => listed.includes(prefix))).toEqual(listed);
  });

  test('a listing is sorted, whole, and in slices', () => {
    const { rib, announce, clock, attributes } = setUp();
    const bgp = rib.openSource(neighbor('172.16.1.140'));
    announce(bgp, '0.0.0.0/0', attributesTo('172.16.1.140'));
    const id = attributes.intern(Uint8Array.of(1), () => attributesTo('172.16.1.140'));
    for (const address of distinct.slice(0, 20_000)) {
      bgp.announce(address, 24, id);
      bgp.announce(address, 32, id);
    }
    clock.settle();
    const listing = rib.openListing();
    const keys: number[] = [];
    let isMore = true;
    while (isMore) {
      const before = keys.length;
      isMore = listing.next(100, (address, length) => keys.push(address * 64 - length));
      expect(keys.length - before).toBeLessThanOrEqual(100);
    }
    expect(keys.length).toBe(rib.routeCount);
    expect(keys).toEqual(keys.toSorted((a, b) => a - b));
  });

  test('work is cut into slices', () => {
    const { rib, clock, attributes } = setUp({ stepMs: 5 });
    const bgp = rib.openSource(neighbor('172.16.1.140'));
    const id = attributes.intern(Uint8Array.of(1), () => attributesTo('172.16.1.140'));
    for (const address of distinct.slice(0, 50_000)) bgp.announce(address, 24, id);
    expect(rib.isPending).toBe(true);
    expect(clock.settle()).toBeGreaterThan(20);
    bgp.close();
    expect(clock.settle()).toBeGreaterThan(20);
    expect(rib.isPending).toBe(false);
  });
});
