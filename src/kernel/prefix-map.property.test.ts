// SPDX-License-Identifier: Apache-2.0
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { PrefixMap, shardCount } from './prefix-map.ts';

// Few addresses, so that they meet.
const prefix = fc.tuple(fc.integer({ min: 0, max: 5000 }), fc.integer({ min: 0, max: 32 }));
const step = fc.oneof(
  fc.tuple(fc.constant('set' as const), prefix, fc.integer({ min: 0, max: 0xffff_ffff })),
  fc.tuple(fc.constant('delete' as const), prefix, fc.constant(0)),
);

function contents(map: PrefixMap): Map<string, number> {
  const all = new Map<string, number>();
  let wrong = 0;
  for (let shard = 0; shard < shardCount; shard += 1)
    map.forEachInShard(shard, (address, length, value, mark) => {
      if (mark !== (value & 0xff) || all.has(`${address}/${length}`)) wrong += 1;
      all.set(`${address}/${length}`, value);
    });
  expect(wrong).toBe(0);
  return all;
}

test('a PrefixMap is a Map', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
      const map = new PrefixMap();
      const model = new Map<string, number>();
      for (const [kind, [address, length], value] of steps) {
        const key = `${address}/${length}`;
        if (kind === 'set') {
          map.set(address, length, value, value & 0xff);
          model.set(key, value);
        } else {
          expect(map.delete(address, length)).toBe(model.delete(key));
        }
        expect(map.get(address, length)).toBe(model.get(key));
        expect(map.count).toBe(model.size);
      }
      expect(contents(map)).toEqual(model);
    }),
  );
});

test('many prefixes in one shard survive growth, removal and shrinking', () => {
  const map = new PrefixMap();
  const model = new Map<string, number>();
  for (let i = 0; i < 100_000; i += 1) {
    const address = (i * 256) >>> 0;
    map.set(address, 24, i, i & 0xff);
    model.set(`${address}/24`, i);
  }
  for (let i = 0; i < 100_000; i += 3) {
    const address = (i * 256) >>> 0;
    map.delete(address, 24);
    model.delete(`${address}/24`);
  }
  expect(map.count).toBe(model.size);
  const left = contents(map);
  expect([...model].every(([key, value]) => left.get(key) === value)).toBe(true);
  for (const key of [...model.keys()].slice(500)) {
    map.delete(Number(key.split('/')[0]), 24);
    model.delete(key);
  }
  expect(contents(map)).toEqual(model);
  map.clear();
  expect(map.count).toBe(0);
  expect(map.get(256, 24)).toBeUndefined();
});
