// SPDX-License-Identifier: Apache-2.0
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ManualClock } from '../../test/support/manual-clock.ts';
import type { HostSnapshot } from '../kernel/host-snapshot.ts';
import { silentLog } from '../lib/log.ts';
import type { Model } from '../model/model.ts';
import { HostSetup } from './host-setup.ts';

const modelOf = (mtu: number, hostname = 'gw1'): Model =>
  ({
    networks: [],
    appliance: {
      host: { hostname, dns: [], ntp: [], interfaces: [{ name: 'ens5', mtu, addresses: [] }] },
    },
  }) as unknown as Model;

const snapshot = { links: new Map() } as unknown as HostSnapshot;

describe('host set-up', () => {
  let root = '';
  let asked: string[] = [];
  let failing = '';
  const clock = new ManualClock();

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'egret-host-'));
    for (const folder of ['etc', 'proc/sys/kernel'])
      mkdirSync(join(root, folder), { recursive: true });
    writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0::/root:/bin/sh\n');
    writeFileSync(join(root, 'proc/sys/kernel/hostname'), 'localhost\n');
    asked = [];
    failing = '';
  });
  afterEach(() => rmSync(root, { recursive: true }));

  const open = (): HostSetup =>
    new HostSetup({
      clock,
      log: silentLog,
      root,
      run: async (argv) => {
        asked.push(argv.join(' '));
        if (argv[0] === failing) throw new Error('it is not there');
      },
    });
  const settled = (): Promise<void> => new Promise((done) => setImmediate(done));
  const folder = (): string => join(root, 'run/systemd/network');

  test('writes what differs, whole, and asks its readers', async () => {
    open().follow(modelOf(1400), snapshot);
    await settled();
    expect(readdirSync(folder())).toEqual(['10-egret-ens5.network']);
    expect(readFileSync(join(folder(), '10-egret-ens5.network'), 'utf8')).toContain(
      'MTUBytes=1400',
    );
    expect(readFileSync(join(root, 'proc/sys/kernel/hostname'), 'utf8')).toBe('gw1\n');
    expect(asked).toContain('systemctl restart systemd-networkd.service');
  });

  test('asks for nothing when nothing changed, but once after the start', async () => {
    const first = open();
    first.follow(modelOf(1400), snapshot);
    await settled();
    asked = [];
    first.follow(modelOf(1400), snapshot);
    await settled();
    expect(asked).toEqual([]);
    open().follow(modelOf(1400), snapshot);
    await settled();
    expect(asked, 'the previous instance may have been stopped before').toEqual([
      'networkctl reload',
    ]);
  });

  test('leaves files of others alone', async () => {
    mkdirSync(folder(), { recursive: true });
    writeFileSync(join(folder(), '10-egret-ens9.network'), '');
    writeFileSync(join(folder(), '90-default.network'), '');
    open().follow(modelOf(1400), snapshot);
    await settled();
    expect(readdirSync(folder()).sort()).toEqual(['10-egret-ens5.network', '90-default.network']);
  });

  test('a program that fails is asked again', async () => {
    failing = 'networkctl';
    const setup = open();
    setup.follow(modelOf(1400), snapshot);
    await settled();
    failing = '';
    asked = [];
    clock.pass(2_000);
    await settled();
    expect(asked).toEqual(['networkctl reload']);
    clock.pass(10_000);
    await settled();
    expect(asked).toEqual(['networkctl reload']);
  });
});
