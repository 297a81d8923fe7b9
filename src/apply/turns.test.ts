// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import { ManualClock } from '../../test/support/manual-clock.ts';
import { Turns } from './turns.ts';

/** Work that is done when the test says so. */
function open(): { work: () => Promise<string>; finish: (result: string) => void } {
  const { promise, resolve } = Promise.withResolvers<string>();
  return { work: () => promise, finish: resolve };
}

test('one after the other, in the order in which they came', async () => {
  const turns = new Turns(new ManualClock());
  const order: string[] = [];
  const first = open();
  const one = turns.take('one', async () => {
    order.push(await first.work());
  });
  const more = ['two', 'three'].map((name) =>
    turns.take(name, async () => {
      order.push(`${name} begins`);
      await Promise.resolve();
      order.push(`${name} ends`);
    }),
  );
  first.finish('one ends');
  // Asked for in the moment in which the turn passes on: behind those that wait.
  const last = one.then(() => turns.take('four', async () => order.push('four')));
  await Promise.all([...more, last]);
  expect(order).toEqual([
    ...['one ends', 'two begins', 'two ends', 'three begins', 'three ends', 'four'],
  ]);
});

test('work that fails passes the turn on', async () => {
  const turns = new Turns(new ManualClock());
  const failing = turns.take('one', () => Promise.reject(new Error('failed')));
  const next = turns.take('two', async () => 'done');
  await expect(failing).rejects.toThrow('failed');
  expect(await next).toBe('done');
});

test('a person gives up after ten seconds, a deadline does not', async () => {
  const clock = new ManualClock();
  const turns = new Turns(clock);
  const first = open();
  const one = turns.take('alice (apply)', first.work);
  const person = turns.take('bob (apply)', async () => 'bob');
  const deadline = turns.take('the deadline', async () => 'reverted', true);
  clock.pass(10_000);
  await expect(person).rejects.toMatchObject({ code: 'CONFIG_BUSY' });
  await expect(person).rejects.toThrow('alice (apply)');
  first.finish('');
  await one;
  expect(await deadline).toBe('reverted');
});
