// SPDX-License-Identifier: Apache-2.0
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { makeSysctls } from './sysctl.ts';

let root: string;

const put = (path: string, value: string): void => {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), `${value}\n`);
};
const get = (path: string): string => readFileSync(join(root, path), 'utf8').trim();

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'egret-sysctl-'));
  put('net/ipv4/fwmark_reflect', '0');
  put('net/ipv4/tcp_fwmark_accept', '1');
  for (const name of ['all', 'ens5', 'ens5.7']) {
    put(`net/ipv4/conf/${name}/rp_filter`, '1');
    put(`net/ipv4/conf/${name}/arp_ignore`, '0');
  }
});
afterEach(() => rmSync(root, { recursive: true }));

test('sets what a port needs and puts back what was there', () => {
  const sysctls = makeSysctls({}, root);
  sysctls.apply(['ens5', 'ens5.7', 'absent']);
  expect(get('net/ipv4/conf/ens5/rp_filter')).toBe('2');
  expect(get('net/ipv4/conf/ens5.7/rp_filter')).toBe('2');
  expect(get('net/ipv4/conf/all/rp_filter')).toBe('1');
  expect(get('net/ipv4/fwmark_reflect')).toBe('1');
  sysctls.apply(['ens5']);
  expect(sysctls.record()).toEqual({
    'net/ipv4/fwmark_reflect': '0',
    'net/ipv4/tcp_fwmark_accept': '1',
    'net/ipv4/conf/ens5/rp_filter': '1',
    'net/ipv4/conf/ens5/arp_ignore': '0',
    'net/ipv4/conf/ens5.7/rp_filter': '1',
    'net/ipv4/conf/ens5.7/arp_ignore': '0',
  });
  sysctls.restore();
  expect(get('net/ipv4/conf/ens5/rp_filter')).toBe('1');
  expect(get('net/ipv4/conf/ens5.7/arp_ignore')).toBe('0');
  expect(get('net/ipv4/fwmark_reflect')).toBe('0');
  expect(sysctls.record()).toEqual({});
});

test('a later instance restores what an earlier one found, unless it was changed since', () => {
  makeSysctls({}, root).apply(['ens5']);
  const record = JSON.parse(
    JSON.stringify({ ...makeSysctls({ 'net/ipv4/conf/ens5/rp_filter': '1' }, root).record() }),
  );
  const later = makeSysctls(record, root);
  later.apply(['ens5']);
  put('net/ipv4/conf/ens5/arp_ignore', '8');
  later.restore();
  expect(get('net/ipv4/conf/ens5/rp_filter')).toBe('1');
  expect(get('net/ipv4/conf/ens5/arp_ignore')).toBe('8');
});

test('shows what the kernel makes of it', () => {
  const sysctls = makeSysctls({}, root);
  const effective = (path: string): string | undefined =>
    sysctls.show(['ens5']).find((row) => row.path === path)?.effective;
  put('net/ipv4/conf/ens5/rp_filter', '0');
  expect(effective('net/ipv4/conf/ens5/rp_filter')).toBe('1');
  sysctls.apply(['ens5']);
  expect(effective('net/ipv4/conf/ens5/rp_filter')).toBe('2');
  expect(effective('net/ipv6/conf/ens5/accept_ra')).toBeUndefined();
});
