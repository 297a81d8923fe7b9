// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import { ManualClock } from '../../test/support/manual-clock.ts';
import { asPathLength, InternedAttributes, neighborAs } from './attributes.ts';
import { noAttributes } from './route.ts';

const key = (n: number) => Uint8Array.of(n, n >> 8, 255);

test('equal bytes are one set, decoded once, and the key is copied', () => {
  const clock = new ManualClock();
  const table = new InternedAttributes({ queue: clock.queue });
  const bytes = key(1);
  const id = table.intern(bytes, () => noAttributes);
  bytes[0] = 9;
  expect(
    table.intern(key(1), () => {
      throw new Error('decoded twice');
    }),
  ).toBe(id);
  expect(table.intern(bytes, () => ({ ...noAttributes, med: 1 }))).not.toBe(id);
  expect(table.get(id)).toBe(noAttributes);
  expect(table.count).toBe(2);
});

test('a set lives while a route holds it, and to the end of the turn without', () => {
  const clock = new ManualClock();
  const table = new InternedAttributes({ queue: clock.queue });
  const kept = table.intern(key(1), () => noAttributes);
  table.intern(key(2), () => noAttributes);
  table.retain(kept);
  clock.settle();
  expect(table.count).toBe(1);
  table.release(kept);
  table.retain(kept);
  clock.settle();
  expect(table.get(kept)).toBe(noAttributes);
  table.release(kept);
  clock.settle();
  expect(table.count).toBe(0);
  expect(() => table.get(kept)).toThrow('held by a route');
});

test('ten thousand sets come and go, in any order', () => {
  const clock = new ManualClock();
  const table = new InternedAttributes({ queue: clock.queue, seed: 7 });
  const ids = Array.from({ length: 10_000 }, (_, i) => {
    const id = table.intern(key(i), () => ({ ...noAttributes, med: i }));
    table.retain(id);
    return id;
  });
  expect(new Set(ids).size).toBe(10_000);
  for (let i = 0; i < 10_000; i += 3) table.release(ids[i]!);
  clock.settle();
  expect(table.count).toBe(10_000 - 3334);
  for (let i = 0; i < 10_000; i += 1) {
    if (i % 3 !== 0) expect(table.intern(key(i), () => noAttributes)).toBe(ids[i]);
  }
  for (let i = 0; i < 10_000; i += 1) if (i % 3 !== 0) table.release(ids[i]!);
  clock.settle();
  expect(table.count).toBe(0);
});

test('what is missing counts as RFC 4271 says', () => {
  const table = new InternedAttributes({ queue: new ManualClock().queue });
  const fields = {
    localPref: 0,
    asPathLength: 0,
    origin: 0,
    med: 9,
    neighborAs: 0,
    originatorId: 0,
    clusterCount: 0,
    priority: 0,
  };
  table.read(
    table.intern(key(1), () => noAttributes),
    fields,
  );
  expect(fields).toMatchObject({ localPref: 100, med: 0, priority: 1024, asPathLength: 0 });
  table.read(
    table.intern(key(2), () => ({ ...noAttributes, med: 0xffff_ffff, localPref: 0x8000_0000 })),
    fields,
  );
  expect(fields).toMatchObject({ localPref: 0x8000_0000, med: 0xffff_ffff });
});

test('AS_PATH: a set counts one, confederations nothing; the neighboring AS is the first', () => {
  const sequence = { kind: 'AS_SEQUENCE', asNumbers: [4_200_000_000, 2] } as const;
  const set = { kind: 'AS_SET', asNumbers: [3, 4, 5] } as const;
  const confederation = { kind: 'AS_CONFED_SEQUENCE', asNumbers: [65000, 65001] } as const;
  expect(asPathLength([confederation, sequence, set])).toBe(3);
  expect(neighborAs([confederation, sequence])).toBe(4_200_000_000);
  expect(neighborAs([set, sequence])).toBe(0);
  expect(neighborAs([])).toBe(0);
});
