// SPDX-License-Identifier: Apache-2.0
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { maskOf } from '../net/ipv4.ts';
import { PrefixSet } from './prefix-set.ts';

test('property: it holds what was added and not deleted since', () => {
  const step = fc.record({
    address: fc.integer({ min: 0, max: 15 }).map((n) => (n << 28) >>> 0),
    length: fc.integer({ min: 4, max: 8 }),
    action: fc.constantFrom('add', 'add', 'delete', 'clear'),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const set = new PrefixSet(7);
      const model = new Set<string>();
      for (const { address, length, action } of steps) {
        const name = `${(address & maskOf(length)) >>> 0}/${length}`;
        if (action === 'clear') {
          set.clear();
          model.clear();
        } else {
          set[action](address, length);
          model[action](name);
        }
        expect(set.count).toBe(model.size);
      }
    }),
  );
});

test('what it took for many it gives back, also while a few stay', () => {
  const set = new PrefixSet(7);
  for (let i = 0; i < 100_000; i += 1) set.add(i << 8, 24);
  expect(set.bytes).toBeGreaterThan(100_000 * 20);
  for (let i = 100; i < 100_000; i += 1) set.delete(i << 8, 24);
  expect(set.count).toBe(100);
  expect(set.bytes).toBeLessThan(64 * 1024);
  for (let i = 0; i < 100; i += 1) set.delete(i << 8, 24);
  expect(set.count).toBe(0);
  expect(set.bytes).toBeLessThan(8 * 1024);
});

test('what it took it gives back at once when it is cleared', () => {
  const set = new PrefixSet(7);
  for (let i = 0; i < 100_000; i += 1) set.add(i << 8, 24);
  const takenBytes = process.memoryUsage().arrayBuffers;
  const { bytes } = set;
  set.clear();
  expect(takenBytes - process.memoryUsage().arrayBuffers).toBeGreaterThan(bytes * 0.9);
  expect(set.bytes).toBe(0);
});
