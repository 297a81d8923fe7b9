// SPDX-License-Identifier: Apache-2.0
/**
 * Updates of a box, as an operator installs them over SSH: what is not signed or too old is refused; a
 * slot that does not start leads back to the good one by itself; one that is healthy is confirmed.
 */
import { createReadStream, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'tap';
import { makeHead, type PartFiles, writeUpdate } from '../../src/image/pack.ts';
import type { SlotReport } from '../../src/image/slot-report.ts';
import { version } from '../../src/version.ts';
import { Lab } from '../lab/namespace.ts';
import { bootPatienceMs, Guest } from './guest.ts';

const build = fileURLToPath(new URL('../../build', import.meta.url));
const key = readFileSync(join(build, 'keys/development.key'), 'utf8');
const parts: PartFiles = {
  boot: join(build, 'image/boot.squashfs'),
  root: join(build, 'image/root.squashfs'),
};
/** Newer than what runs, and a version before it. */
const next = version.replace(/\d+$/, (patch) => `${Number(patch) + 1}`);
const broken = `${next}-broken`;

async function report(box: Guest): Promise<SlotReport | undefined> {
  const { status, stdout } = await box.ssh('status', 'image status --json', { statuses: 'any' });
  return status === 0 ? (JSON.parse(stdout) as SlotReport) : undefined;
}

/** Waits until the box says so, also over a restart. */
async function comesTo(box: Guest, isSo: (now: SlotReport) => boolean): Promise<SlotReport> {
  const end = performance.now() + bootPatienceMs;
  for (;;) {
    const now = await report(box);
    if (now && isSo(now)) return now;
    if (performance.now() > end) {
      throw new Error(`the slots are ${JSON.stringify(now)}\n${box.console().slice(-4000)}`);
    }
  }
}

test('an update is refused, comes back from a broken slot, and is confirmed', async (t) => {
  const lab = await Lab.open();
  t.teardown(() => lab.close());
  const box = await Guest.create(await lab.host('outside'));
  const update = async (wanted: string, files: PartFiles, signedBy: string | undefined) => {
    const path = join(box.folder, 'update');
    await writeUpdate(await makeHead(wanted, files, signedBy), files, path);
    return path;
  };
  const install = (path: string, options = '') =>
    box.ssh('admin', `image install - ${options}`, {
      stdin: createReadStream(path),
      statuses: 'any',
      timeoutS: 900,
    });

  await box.start();
  await box.answers();
  const first = await comesTo(box, () => true);
  t.match(first, { running: 'a', confirmed: 'a', floor: version });
  t.match(first.slots.a, { version, state: 'confirmed', signedBy: 'development' });
  t.match(first.slots.b, { version, state: 'ready', signedBy: 'development' });
  t.match(first.keys, [{ name: 'development', isDevelopment: true }]);
  const shown = await box.ssh('status', 'image status');
  t.match(shown.stdout, /DEVELOPMENT key/);

  const garbage = join(box.folder, 'garbage');
  writeFileSync(garbage, Buffer.alloc(1 << 20, 'no file system '));
  const files = { ...parts, root: garbage };
  const unsigned = await update(next, files, undefined);
  for (const [options, status, said] of [
    ['', 5, /is not signed/],
    ['--allow-unsigned', 1, /on the console only/],
  ] as const) {
    const refused = await install(unsigned, options);
    t.equal(refused.status, status);
    t.match(refused.stderr, said);
  }
  const denied = await box.ssh('status', 'image install -', { stdin: 'x', statuses: 'any' });
  t.equal(denied.status, 4, 'the read-only user installs nothing');
  const old = await install(await update('0.0.1', files, key));
  t.equal(old.status, 5);
  t.match(old.stderr, /older than/);
  t.strictSame(await report(box), first, 'nothing was changed');

  const bad = await install(await update(broken, files, key));
  t.equal(bad.status, 0, bad.stderr);
  t.match(bad.stdout, /restarting into slot b/);
  const back = await comesTo(box, ({ slots }) => slots.b.state === 'not confirmed');
  t.match(back, { running: 'a', confirmed: 'a' });
  t.match(back.slots.b.version, broken);

  const good = await install(await update(next, parts, key));
  t.equal(good.status, 0, good.stderr);
  const confirmed = await comesTo(box, (now) => now.confirmed === 'b');
  t.match(confirmed, { running: 'b', floor: next });
  t.match(confirmed.slots.b, { version: next, state: 'confirmed' });
  const again = await install(await update(broken, files, key));
  t.equal(again.status, 5, 'the floor has risen');

  const before = box.console().length;
  await box.cutPower();
  await box.start();
  await comesTo(box, ({ running }) => running === 'b');
  t.match(box.console().slice(before), /starting slot b/);
});
