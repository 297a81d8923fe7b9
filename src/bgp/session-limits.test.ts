// SPDX-License-Identifier: Apache-2.0
/** What Appliance.spec.neighbors[] sets: limits of prefixes, the first AS, MED. */
import { beforeEach, expect, test } from 'vitest';
import { announcement, internal, Script } from '../../test/support/scripted-neighbor.ts';
import { a, beginAnew, clock, config, ip, toB } from '../../test/support/two-speakers.ts';
import { parseIpv4Prefix } from '../net/ipv4.ts';
import type { SpeakerNeighbor } from './neighbor.ts';
import { messageType } from './wire/header.ts';
import { encodeNlri } from './wire/nlri.ts';
import { encodePathAttributes } from './wire/path-attribute.ts';
import { encodeUpdate } from './wire/update.ts';

let script: Script;

const refreshes = { capabilities: [{ kind: 'routeRefresh' as const }] };

function start(fields: Partial<SpeakerNeighbor>): void {
  script = new Script();
  a.speaker.apply(config([toB(fields)]));
  clock.pass(10);
}

/** 10.0.0.0/24 and so on. */
const prefixes = (count: number, from = 0): string[] =>
  Array.from({ length: count }, (_, at) => `10.0.${from + at}.0/24`);

const announce = (...names: string[]) =>
  script.say(messageType.update, announcement(internal, ...names));

const withdraw = (...names: string[]) => {
  const withdrawn = encodeNlri(names.map((each) => parseIpv4Prefix(each)!));
  script.say(messageType.update, encodeUpdate({ withdrawn }));
};

const refreshCount = () =>
  script.received.filter(({ type }) => type === messageType.routeRefresh).length;

beforeEach(() => beginAnew());

test('a neighbor that announces prefixes without end is given up (RFC 4486 §4)', () => {
  start({});
  script.establish();
  // Multicast prefixes: received, never accepted.
  const attributes = encodePathAttributes(internal, { isFourOctet: true });
  const nlri = new Uint8Array(800 * 5);
  let next = 0xe000_0000;
  for (let sent = 0; sent <= 4_000 && script.notifications.length === 0; sent += 800) {
    for (let at = 0; at < nlri.length; at += 5) {
      nlri.set([32, next >>> 24, next >>> 16, next >>> 8, next], at);
      next += 1;
    }
    script.say(messageType.update, encodeUpdate({ attributes, nlri }));
  }
  expect(script.notifications).toEqual([[6, 1]]);
});

test('a warning appears at 80 % of the limit, once, and is cleared again', () => {
  start({ maximumPrefixes: 10 });
  script.establish();
  announce(...prefixes(7));
  expect(a.row().warning).toBeUndefined();
  announce(...prefixes(1, 7));
  expect(a.row().warning).toBe('8 prefixes of at most 10');
  announce(...prefixes(1, 8));
  const near = a.logged.filter(({ msg }) => msg === 'prefixes are near the limit');
  expect(near).toMatchObject([{ network: 'red', received: 8, maximumPrefixes: 10 }]);
  withdraw(...prefixes(2));
  expect(a.row().warning).toBeUndefined();
});

test('Idle: the session ends at the first prefix above, and stays down for the restart time', () => {
  start({ maximumPrefixes: 3, restartTimeMs: 120_000 });
  script.establish();
  announce(...prefixes(3));
  expect(a.row().state).toBe('Established');
  announce(...prefixes(1, 3));
  expect(script.notifications).toEqual([[6, 1]]);
  expect(a.rib('red').routes).toEqual([]);
  expect(a.row().lastDown?.text).toContain('more than 3 prefixes');
  clock.pass(119_000);
  expect(a.row()).toMatchObject({ state: 'Idle' });
  expect(script.opens()).toHaveLength(1);
  clock.pass(1_100);
  expect(script.opens()).toHaveLength(2);
  script.establish();
  expect(a.row().state).toBe('Established');
});

test('Idle: another limit ends the restart time', () => {
  start({ maximumPrefixes: 3 });
  script.establish();
  announce(...prefixes(4));
  clock.pass(10_000);
  expect(a.row().state).toBe('Idle');
  a.speaker.apply(config([toB({ maximumPrefixes: 5 })]));
  clock.pass(10);
  script.establish();
  announce(...prefixes(4));
  expect(a.row()).toMatchObject({ state: 'Established', accepted: 4 });
});

test('Drop: prefixes above are refused and counted, and what is there still changes', () => {
  start({ maximumPrefixes: 3, maximumPrefixesAction: 'Drop' });
  script.establish();
  announce(...prefixes(5));
  expect(a.row()).toMatchObject({
    state: 'Established',
    received: 3,
    accepted: 3,
    droppedCount: 2,
  });
  expect(a.row().warning).toBe('over the limit of 3 prefixes: 2 announcements dropped');
  expect(a.rib('red').routes).toEqual(prefixes(3));
  script.say(messageType.update, announcement({ ...internal, localPref: 7 }, '10.0.0.0/24'));
  expect(a.rib('red').attributesOf('10.0.0.0/24').localPref).toBe(7);
  expect(a.row()).toMatchObject({ received: 3, droppedCount: 2 });
  // What checks refuse counts as well, and is not kept either.
  announce('224.1.0.0/16', '224.2.0.0/16');
  expect(a.row()).toMatchObject({ received: 3, accepted: 3, droppedCount: 4 });
});

test('Drop: there is room again after a withdrawal', () => {
  start({ maximumPrefixes: 2, maximumPrefixesAction: 'Drop' });
  script.establish();
  announce(...prefixes(3));
  withdraw('10.0.0.0/24');
  announce('10.0.2.0/24');
  expect(a.rib('red').routes).toEqual(['10.0.1.0/24', '10.0.2.0/24']);
});

test('Drop: a raised limit asks for what was dropped, a lowered one drops what is repeated', () => {
  const drops = { maximumPrefixesAction: 'Drop' as const };
  start({ ...drops, maximumPrefixes: 2 });
  script.establish(refreshes);
  announce(...prefixes(4));
  a.speaker.apply(config([toB({ ...drops, maximumPrefixes: 10 })]));
  clock.pass(10);
  expect(refreshCount()).toBe(1);
  announce(...prefixes(4));
  expect(a.row()).toMatchObject({ state: 'Established', accepted: 4, droppedCount: 0 });
  expect(a.row().warning).toBeUndefined();
  a.speaker.apply(config([toB({ ...drops, maximumPrefixes: 3 })]));
  clock.pass(10);
  announce(...prefixes(4));
  expect(a.row()).toMatchObject({ downCount: 0, received: 3, droppedCount: 1 });
});

test('firstAs: Accept takes an AS_PATH that begins with another AS (RFC 4271 §6.3)', () => {
  const external = { remoteAs: 65001, isFirstAsEnforced: true };
  start(external);
  script.establish({ as: 65001, ...refreshes });
  const behind = announcement(
    { ...internal, asPath: [{ kind: 'AS_SEQUENCE', asNumbers: [65009] }] },
    '10.0.0.0/24',
  );
  script.say(messageType.update, behind);
  expect(a.row()).toMatchObject({ received: 1, accepted: 0 });
  a.speaker.apply(config([toB({ ...external, isFirstAsEnforced: false })]));
  clock.pass(10);
  expect(refreshCount()).toBe(1);
  script.say(messageType.update, behind);
  expect(a.row()).toMatchObject({ downCount: 0, accepted: 1 });
});

test.each([
  [7, [0x80, 4, 4, 0, 0, 0, 7]],
  [undefined, []],
])('med %s is in what is announced as %j', (med, bytes) => {
  start({ med });
  a.speaker.setExports('red', [ip('10.50.0.2')]);
  script.establish();
  const update = script.received.find(({ type }) => type === messageType.update);
  const text = Buffer.from(update!.body).toString('hex');
  const attribute = Buffer.from([0x80, 4, 4]).toString('hex');
  expect(text.includes(attribute)).toBe(med !== undefined);
  expect(text).toContain(Buffer.from(bytes).toString('hex'));
});
