// SPDX-License-Identifier: Apache-2.0
/**
 * What the mirror does when the thread, the kernel or the host do not do as they should. Those are the
 * test's own here; test/kernel/kernel.test.ts has the real ones.
 */
import { execFileSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { ManualClock } from '../../test/support/manual-clock.ts';
import { silentLog } from '../lib/log.ts';
import type { HostLink, HostSnapshot } from './host-snapshot.ts';
import { Mirror, type MirrorParts } from './mirror.ts';
import type { MirrorNextHop, MirrorSource } from './mirror-table.ts';
import type { MirrorNative } from './native.ts';
import { encodeNewRoute, routeUnicast, rtmNewRoute, scopeUniverse } from './route-codec.ts';

const table = 500;
const protocol = 186;
const prefix = 0xc000_0200;
const link: HostLink = {
  ifindex: 7,
  name: 'up0',
  mac: '02:00:00:00:00:07',
  permanentMac: '',
  mtu: 1500,
  isUp: true,
  hasCarrier: true,
  isLoopback: false,
  hardwareType: 1,
  masterIfindex: 0,
  kind: 'veth',
  downCount: 0,
  vrfDevice: undefined,
};
const nextHop: MirrorNextHop = { interface: 'up0', address: 0x0a09_0002 };

/** The other side of a mirror: settles what is submitted, or keeps it. */
class TestThread implements MirrorNative {
  isMute = false;
  submitted = 0;
  isOpen = false;
  readonly #folder = mkdtempSync(join(tmpdir(), 'egret-mirror-'));
  #events = -1;

  open() {
    const path = join(this.#folder, 'events');
    execFileSync('mkfifo', [path]);
    const events = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    this.#events = openSync(path, 'w');
    this.isOpen = true;
    return { handle: this, events };
  }

  submit(_handle: unknown, _rows: Uint8Array, count: number): number {
    this.submitted += count;
    if (!this.isMute) this.settle();
    return count;
  }

  /** struct mirror_event, of progress. */
  settle(): void {
    const event = Buffer.alloc(32);
    event.writeUInt32LE(this.submitted, 0);
    event.writeUInt32LE(1, 8);
    writeSync(this.#events, event);
  }

  end(): void {
    if (this.#events >= 0) closeSync(this.#events);
    this.#events = -1;
    rmSync(this.#folder, { recursive: true, force: true });
  }

  hurry(): void {
    expect(this.isOpen).toBe(true);
  }

  close(): void {
    expect(this.isOpen).toBe(true);
    this.isOpen = false;
  }
}

/** A mirror, and a source that has one prefix or, without next hops, none. */
function makeMirror(routes: readonly MirrorNextHop[]) {
  const clock = new ManualClock();
  const thread = new TestThread();
  const checked: number[] = [];
  let isChanged = routes.length > 0;
  const source: MirrorSource = {
    takeChanges(_changesMax, visit) {
      if (!isChanged) return 0;
      isChanged = false;
      visit(prefix, 24, routes);
      return 1;
    },
    lookup(address) {
      checked.push(address);
      return routes;
    },
    refresh() {
      isChanged = routes.length > 0;
    },
    pendingCount: 0,
    routeCount: routes.length,
  };
  const snapshot: HostSnapshot = {
    generation: 1,
    links: new Map([['up0', link]]),
    addresses: [],
    mainRoutes: [],
  };
  let hostChanged = (_snapshot: HostSnapshot): void => {};
  const host: MirrorParts['host'] = {
    snapshot: () => snapshot,
    onChanged(listener) {
      hostChanged = listener;
      return () => {};
    },
  };
  /** What a dump of the table finds; may wait, or throw. */
  let dump: () => Promise<number[]> = async () => [];
  const rtnetlink: MirrorParts['rtnetlink'] = {
    async dumpEach(_what, _body, begin, visit) {
      begin();
      for (const found of await dump()) {
        const { body } = encodeNewRoute({
          table,
          prefix: found,
          prefixLength: 24,
          protocol,
          scope: scopeUniverse,
          type: routeUnicast,
          metric: 0,
          source: undefined,
          nextHops: [{ ifindex: link.ifindex, address: nextHop.address, weight: 1 }],
        });
        visit(rtmNewRoute, body, 0, body.length);
      }
    },
    requestAll: async () => [],
  };
  const mirror = new Mirror({
    native: thread,
    rtnetlink,
    host,
    clock,
    queue: clock.queue,
    log: silentLog,
    protocol,
  });
  closing.push(() => {
    mirror.close();
    thread.end();
  });
  return {
    mirror,
    source,
    thread,
    clock,
    checked,
    tellHostChanged: () => hostChanged(snapshot),
    setDump: (next: typeof dump) => {
      dump = next;
    },
  };
}

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Lets everything run that can. @returns how many turns had something to do */
async function rest(clock: ManualClock, turnsMax = 300): Promise<number> {
  let busy = 0;
  for (let quiet = 0; quiet < 20 && busy < turnsMax; ) {
    await nextTurn();
    if (clock.turn()) {
      busy += 1;
      quiet = 0;
    } else quiet += 1;
  }
  return busy;
}

async function isDone(promise: Promise<unknown>, clock: ManualClock): Promise<boolean> {
  let done = false;
  promise.then(
    () => {
      done = true;
    },
    () => {},
  );
  await rest(clock);
  return done;
}

test('a thread that takes its time is waited for without turning', async () => {
  const { mirror, source, thread, clock } = makeMirror([nextHop]);
  thread.isMute = true;
  expect(await isDone(mirror.open(table, source), clock)).toBe(true);
  await rest(clock);
  expect(thread.submitted).toBe(1);
  const removed = mirror.remove(table);
  expect(await rest(clock)).toBeLessThan(20);
  thread.isMute = false;
  thread.settle();
  expect(await isDone(removed, clock)).toBe(true);
  expect(thread.submitted).toBe(2);
  expect(mirror.status(table)).toBeUndefined();
});

test('when the thread has stopped, no call waits for it', async () => {
  const { mirror, source, thread, clock } = makeMirror([nextHop]);
  thread.isMute = true;
  expect(await isDone(mirror.open(table, source), clock)).toBe(true);
  await rest(clock);
  const removed = mirror.remove(table);
  expect(await isDone(removed, clock)).toBe(false);
  thread.end();
  expect(await isDone(removed, clock)).toBe(true);
  expect(await isDone(mirror.removeAll(), clock)).toBe(true);
});

test('a table that is being emptied is not read again', async () => {
  const { mirror, source, clock, setDump } = makeMirror([]);
  setDump(async () => [prefix]);
  expect(await isDone(mirror.open(table, source), clock)).toBe(true);
  let found = (_prefixes: number[]): void => {};
  setDump(
    () =>
      new Promise((resolve) => {
        found = resolve;
      }),
  );
  const removed = mirror.remove(table);
  const reconciled = mirror.reconcile(table);
  expect(await isDone(removed, clock)).toBe(true);
  found([prefix]); // as it was before
  expect(await isDone(reconciled, clock)).toBe(true);
});

test('a table that could not be read is read again', async () => {
  const { mirror, source, thread, clock, setDump } = makeMirror([]);
  expect(await isDone(mirror.open(table, source), clock)).toBe(true);
  setDump(async () => {
    throw new Error('it never held still');
  });
  await expect(mirror.reconcile(table)).rejects.toThrow('it never held still');
  setDump(async () => [prefix]);
  clock.pass(10_000);
  await rest(clock);
  expect(thread.submitted, 'a removal of what the source does not have').toBe(1);
});

test('what was refused is tried again however often the host changes', async () => {
  const { mirror, source, clock, checked, tellHostChanged } = makeMirror([
    { ...nextHop, interface: 'gone0' },
  ]);
  expect(await isDone(mirror.open(table, source), clock)).toBe(true);
  await rest(clock);
  expect(mirror.status(table)?.failed).toBe(1);
  for (let i = 0; i < 10; i += 1) {
    tellHostChanged();
    clock.pass(300);
    await rest(clock);
  }
  expect(checked).toContain(prefix);
});
