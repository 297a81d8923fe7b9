// SPDX-License-Identifier: Apache-2.0
/**
 * A slot is tried once, and the good one comes back by itself: when the tried one cannot be read, finds
 * no root, or starts and is never confirmed; and when grubenv is empty or cut.
 *
 * Partitions are written over while the box is off, as a failed update or a bad disk leaves them.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Test, test } from 'tap';
import { partition } from '../../scripts/image/layout.ts';
import { Lab } from '../lab/namespace.ts';
import { run } from '../lab/process.ts';
import { Guest } from './guest.ts';

const MiB = 1 << 20;
const esp = fileURLToPath(new URL('../../build/image/esp.img', import.meta.url));

async function openBox(t: Test): Promise<Guest> {
  const lab = await Lab.open();
  t.teardown(() => lab.close());
  return Guest.create(await lab.host('outside'));
}

/** Writes over the beginning of a partition. */
async function overwrite(box: Guest, name: string, bytes: number, offset = 0): Promise<void> {
  const at = partition(name).startMiB * MiB + offset;
  await run(['qemu-io', '-f', 'qcow2', '-c', `write -P 0x65 ${at} ${bytes}`, box.disk]);
}

/** Gives the box an ESP with this grubenv. */
async function setGrubenv(box: Guest, text: string): Promise<void> {
  const [copy, file] = [join(box.folder, 'esp.img'), join(box.folder, 'grubenv')];
  await run(['cp', esp, copy]);
  writeFileSync(file, text);
  await run(['mcopy', '-o', '-i', copy, file, '::/grub/grubenv']);
  const { startMiB, sizeMiB } = partition('egret-esp');
  const write = `write -s ${copy} ${startMiB * MiB} ${sizeMiB * MiB}`;
  await run(['qemu-io', '-f', 'qcow2', '-c', write, box.disk]);
}

const grubenv = (lines: string): string => `# GRUB Environment Block\n${lines}`.padEnd(1024, '#');
/** Waits until GRUB has started slots in this order, each as often as it likes, and no other. */
async function starts(t: Test, box: Guest, order: string): Promise<void> {
  const lines = [...order].map((slot) => `starting slot ${slot}`);
  await box.shows(new RegExp(lines.join('[\\s\\S]*')));
  const slots = [...box.console().matchAll(/starting slot ([ab])/g)].map((match) => match[1]);
  // A UEFI screen and the serial line may both show a line.
  t.equal(slots.join('').replaceAll(/(.)\1+/g, '$1'), order);
}

/** What GRUB chooses shows before the kernel says anything. */
const choices = [
  {
    what: 'a tried slot whose kernel is missing leaves the good one, at once',
    grubenv: grubenv('good=a\ntry=b\n'),
    damage: ['egret-boot-b', MiB],
    order: 'ba',
  },
  {
    what: 'a good slot that cannot be read leaves the other one',
    grubenv: grubenv('good=b\n'),
    damage: ['egret-boot-b', MiB],
    order: 'ba',
  },
  { what: 'an empty grubenv means slot a', grubenv: '', order: 'a' },
  { what: 'a cut grubenv means slot a', grubenv: '# GRUB Environment Block\ngo', order: 'a' },
  { what: 'the good slot is started', grubenv: grubenv('good=b\n'), order: 'b' },
] as const;

for (const choice of choices) {
  test(choice.what, async (t) => {
    const box = await openBox(t);
    if ('damage' in choice) await overwrite(box, ...choice.damage);
    await setGrubenv(box, choice.grubenv);
    await box.start();
    await starts(t, box, choice.order);
  });
}

test('a tried slot whose kernel is cut leaves the good one', async (t) => {
  const box = await openBox(t);
  // The squashfs has the initrd first, and the kernel behind it. Such a kernel halts the machine.
  await overwrite(box, 'egret-boot-b', 6 * MiB, 11 * MiB);
  await setGrubenv(box, grubenv('good=a\ntry=b\n'));
  await box.start();
  await starts(t, box, 'ba');
});

test('a tried slot without a root leaves the good one', async (t) => {
  const box = await openBox(t);
  await overwrite(box, 'egret-b', MiB);
  await setGrubenv(box, grubenv('good=a\ntry=b\n'));
  await box.start();
  await starts(t, box, 'ba');
});

test('a tried slot that starts and is never confirmed leaves the good one', async (t) => {
  const box = await openBox(t);
  await setGrubenv(box, grubenv('good=a\ntry=b\n'));
  await box.start();
  await starts(t, box, 'ba');
  await box.answers();
});
