// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import { coalesced } from './coalesced.ts';

/** Work that finishes when the test lets it. */
function bench() {
  const events: string[] = [];
  const ends: (() => void)[] = [];
  let begun = 0;
  const ask = coalesced(async () => {
    const number = ++begun;
    events.push(`begin ${number}`);
    await new Promise<void>((resolve) => ends.push(resolve));
    events.push(`end ${number}`);
  });
  const end = async (): Promise<void> => {
    ends.shift()?.();
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { events, ask, end };
}

test('work begins at once, and again only when asked again', async () => {
  const { events, ask, end } = bench();
  ask();
  expect(events).toEqual(['begin 1']);
  await end();
  expect(events).toEqual(['begin 1', 'end 1']);
  ask();
  expect(events).toEqual(['begin 1', 'end 1', 'begin 2']);
});

test('asked while it is under way: once more afterwards, never two side by side', async () => {
  const { events, ask, end } = bench();
  for (let i = 0; i < 5; i += 1) ask();
  expect(events).toEqual(['begin 1']);
  await end();
  expect(events).toEqual(['begin 1', 'end 1', 'begin 2']);
  await end();
  await end();
  expect(events).toEqual(['begin 1', 'end 1', 'begin 2', 'end 2']);
});
