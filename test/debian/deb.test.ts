// SPDX-License-Identifier: Apache-2.0
/**
 * The package on a Debian 12 box with systemd: `apt install` gives a running, empty gateway; with a
 * configuration it forwards, and neither an upgrade, a restart nor a death of egretd loses a packet. A
 * forwarder that hangs is replaced.
 */
import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { test } from 'tap';
import { debPath } from '../../images/deb.ts';
import { openScene, type SceneOptions, sceneConfig } from '../appliance/scene.ts';
import { lostNothing, reaches, sawNoLeak, steadyFlow, watchLeaks } from '../appliance/witness.ts';
import { DebianBox } from '../lab/debian-box.ts';
import { until } from '../lab/process.ts';

const units = ['egretd', 'egret-forwarder'] as const;
const options = {
  clients: { alpha: { network: 'north' }, beta: { network: 'south' } },
} as const satisfies SceneOptions<'alpha' | 'beta'>;

test('the package', async (t) => {
  const scene = await openScene(t, options);
  await scene.egret.stop();
  const leaks = await watchLeaks(scene);
  const box = await DebianBox.boot(scene.figure.gateway);
  t.teardown(() => box.powerOff());
  const deb = `/root/${basename(debPath)}`;
  await copyFile(debPath, join(box.root, deb));
  const apt = (...words: readonly string[]) => box.run(['apt-get', '-y', '-q', ...words]);
  const pidOf = (unit: (typeof units)[number]): Promise<string> => box.property(unit, 'MainPID');
  const isRunning = async (unit: (typeof units)[number]): Promise<boolean> =>
    (await box.property(unit, 'SubState')) === 'running';

  await t.test('apt install gives a running, empty gateway', async (t) => {
    await apt('install', deb);
    for (const unit of units) {
      t.ok(await isRunning(unit), unit);
      t.equal(await box.property(unit, 'UnitFileState'), 'enabled');
    }
    const { stdout } = await box.run(['egret', 'show', 'networks', '--json']);
    t.match(JSON.parse(stdout), { rows: [] });
    t.equal((await box.run(['systemctl', '--failed', '--plain', '--no-legend'])).stdout, '');
  });

  await t.test('with a configuration it forwards', async (t) => {
    const folder = join(box.root, 'etc/egret');
    await mkdir(folder, { recursive: true });
    for (const [name, text] of Object.entries(sceneConfig(options))) {
      await writeFile(join(folder, name), text);
    }
    await box.run(['systemctl', 'reload', 'egretd']);
    await reaches(t, scene);
    await until('its state says so', async () =>
      /^2 of 2 networks ready/.test(await box.property('egretd', 'StatusText')),
    );
  });

  /** Does something to egretd. Not a packet may be lost, and the forwarder stays. */
  const survives = (what: string, act: () => Promise<unknown>): Promise<unknown> =>
    t.test(`${what}: egretd is another one, and nothing is lost`, async (t) => {
      const [before, forwarder] = [await pidOf('egretd'), await pidOf('egret-forwarder')];
      const flow = await steadyFlow(scene, 'alpha', 'north', 1000);
      await act();
      await until('egretd runs again', async () => {
        const pid = await pidOf('egretd');
        return pid !== before && pid !== '0' && (await isRunning('egretd'));
      });
      await until('networks are ready', async () =>
        /^2 of 2 networks ready/.test(await box.property('egretd', 'StatusText')),
      );
      t.equal(await pidOf('egret-forwarder'), forwarder, 'the forwarder is the same');
      await lostNothing(t, flow);
    });
  await survives('an upgrade', () => apt('install', '--reinstall', deb));
  await survives('systemctl restart', () => box.run(['systemctl', 'restart', 'egretd']));
  await survives('kill -9', () => box.run(['systemctl', 'kill', '-s', 'KILL', 'egretd']));

  await t.test('a forwarder that hangs is replaced by its watchdog', async (t) => {
    const before = await pidOf('egret-forwarder');
    await box.run(['systemctl', 'kill', '-s', 'STOP', 'egret-forwarder']);
    await until('another one runs', async () => {
      const pid = await pidOf('egret-forwarder');
      return pid !== before && pid !== '0' && (await isRunning('egret-forwarder'));
    });
    t.match(await box.property('egret-forwarder', 'NRestarts'), /^[1-9]/);
    await reaches(t, scene);
  });

  await t.test(
    'removed, it leaves neither a process nor a rule, but the configuration',
    async (t) => {
      await apt('remove', 'egret');
      const left = await box.run(['pgrep', '-f', '/usr/lib/egret'], { statuses: 'any' });
      t.equal(left.stdout, '');
      t.equal((await box.run(['nft', 'list', 'ruleset'])).stdout, '');
      const files = (await box.run(['ls', '/etc/egret'])).stdout.trim().split('\n');
      t.equal(files.length, Object.keys(sceneConfig(options)).length);
      await apt('purge', 'egret');
      t.equal((await box.run(['ls', '/var/lib/egret'], { statuses: 'any' })).status, 2);
    },
  );

  await t.test("at no moment did a packet leave with a client's source", (t) =>
    sawNoLeak(t, leaks),
  );
});
