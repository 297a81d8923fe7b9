// SPDX-License-Identifier: Apache-2.0
/**
 * The image starts under both firmwares, takes keys from a volume EGRETCFG, and answers over SSH; no
 * service has failed. Without config it says so, on the console and over SSH.
 */
import { test } from 'tap';
import { version } from '../../src/version.ts';
import { Lab } from '../lab/namespace.ts';
import { Guest } from './guest.ts';

for (const firmware of ['bios', 'uefi'] as const) {
  test(`${firmware}: from power on to an answer over SSH`, async (t) => {
    const lab = await Lab.open();
    t.teardown(() => lab.close());
    const box = await Guest.create(await lab.host('outside'), { firmware });
    await box.start();
    await box.answers();
    for (const user of ['status', 'admin']) {
      const { stdout, stderr } = await box.ssh(user, 'version', {
        options: ['-o', 'LogLevel=INFO'],
      });
      t.match(stdout, version, `${user} is answered`);
      t.match(
        stderr,
        /No configuration: this box forwards nothing/,
        `${user} reads what is missing`,
      );
    }
    await box.shows(/No configuration: this box forwards nothing/);
    t.notMatch(box.console(), /No authorized keys/);
    t.notMatch(box.console(), /FAILED/);

    const hostKey = /SHA256:\S+ egret \(ED25519\)/.exec(box.console())?.[0] ?? '';
    t.not(hostKey, '');
    const before = box.console().length;
    await box.cutPower();
    await box.start();
    await box.answers();
    await box.shows(/ED25519/, before);
    t.match(box.console().slice(before), hostKey, 'the host key is kept');
  });
}

test('without keys the console says how to supply them', async (t) => {
  const lab = await Lab.open();
  t.teardown(() => lab.close());
  const box = await Guest.create(await lab.host('outside'), { config: false });
  await box.start();
  await box.shows(/No authorized keys: no user can log in by SSH/);
  await box.shows(/volume labelled EGRETCFG/);
});
