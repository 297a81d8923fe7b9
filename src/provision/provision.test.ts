// SPDX-License-Identifier: Apache-2.0
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { take } from './take.ts';
import { readSeed } from './volume.ts';

const key = (comment: string): string => `ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI ${comment}`;
let folder = '';
let said: string[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'egret-provision-'));
  said = [];
});
afterEach(() => rmSync(folder, { recursive: true }));

const say = (line: string): void => {
  said.push(line);
};

/** Takes a volume with these files over to data/. */
function provide(name: string, files: Readonly<Record<string, string | Buffer>>): void {
  const volume = join(folder, name);
  rmSync(volume, { recursive: true, force: true });
  mkdirSync(volume);
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(volume, path)), { recursive: true });
    writeFileSync(join(volume, path), content);
  }
  take(readSeed(volume, say), name, join(folder, 'data'), say);
}

const data = (path: string): string => readFileSync(join(folder, 'data', path), 'utf8');
const configs = (): string[] => readdirSync(join(folder, 'data/etc/egret')).sort();

describe('a volume EGRETCFG', () => {
  test('gives config and keys, whatever system wrote it', () => {
    provide('EGRETCFG', {
      'RED.YAML': 'kind: A\n',
      'blue.yml': 'kind: B\n',
      'notes.txt': 'not taken',
      authorized_keys: `\uFEFF# operators\r\n${key('ann')}\r\n\r\n${key('bob')}\r\n`,
    });
    expect(configs()).toEqual(['RED.yaml', 'blue.yml']);
    expect(data('ssh/authorized_keys/admin')).toBe(`${key('ann')}\n${key('bob')}\n`);
    expect(data('ssh/authorized_keys/status')).toBe(data('ssh/authorized_keys/admin'));
  });

  test('gives the read-only user keys of its own, and authorities', () => {
    provide('EGRETCFG', {
      authorized_keys: key('ann'),
      'authorized_keys.status': key('monitor'),
      'user_ca.pub': key('ca'),
    });
    expect(data('ssh/authorized_keys/status')).toBe(`${key('monitor')}\n`);
    expect(data('ssh/user_ca.pub')).toBe(`${key('ca')}\n`);
  });

  test('never writes over a config, and replaces keys once', () => {
    provide('EGRETCFG', { 'a.yaml': 'first', authorized_keys: key('ann') });
    provide('EGRETCFG', { 'b.yaml': 'second', authorized_keys: key('bob') });
    expect(configs()).toEqual(['a.yaml']);
    expect(data('ssh/authorized_keys/admin')).toBe(`${key('bob')}\n`);
    writeFileSync(join(folder, 'data/ssh/authorized_keys/admin'), `${key('edited')}\n`);
    provide('EGRETCFG', { authorized_keys: key('bob') });
    expect(data('ssh/authorized_keys/admin')).toBe(`${key('edited')}\n`);
    provide('EGRETCFG', { authorized_keys: key('ann') });
    expect(data('ssh/authorized_keys/admin')).toBe(`${key('ann')}\n`);
  });

  test('with nothing in it changes nothing', () => {
    provide('EGRETCFG', { 'a.yaml': 'first', authorized_keys: key('ann') });
    provide('EGRETCFG', {});
    expect(configs()).toEqual(['a.yaml']);
    expect(data('ssh/authorized_keys/admin')).toBe(`${key('ann')}\n`);
  });

  test('is taken whole when the power was cut on the way', () => {
    mkdirSync(join(folder, 'data/etc/egret.seed.new'), { recursive: true });
    writeFileSync(join(folder, 'data/etc/egret.seed.new/half.yaml'), 'ha');
    provide('EGRETCFG', { 'a.yaml': 'whole', 'b.yaml': 'whole' });
    expect(configs()).toEqual(['a.yaml', 'b.yaml']);

    mkdirSync(join(folder, 'data/etc/egret.seed'));
    writeFileSync(join(folder, 'data/etc/egret.seed/c.yaml'), 'was gathered');
    provide('EGRETCFG', {});
    expect(configs()).toEqual(['a.yaml', 'b.yaml', 'c.yaml']);
    expect(readdirSync(join(folder, 'data/etc'))).toEqual(['egret']);
  });

  test('with a name that is none is read without it', () => {
    provide('EGRETCFG', { '-x.yaml': '', '.hidden.yaml': '', 'ok.yaml': '' });
    expect(configs()).toEqual(['ok.yaml']);
    expect(said.join('\n')).toContain('"-x.yaml" is no name of a configuration file');
  });
});

describe('cloud-init', () => {
  test('NoCloud gives keys and files for /etc/egret, and nothing else', () => {
    const packed = gzipSync('packed').toString('base64');
    provide('cidata', {
      'meta-data': `instance-id: i-1\npublic-keys:\n  - ${key('meta')}\n`,
      'user-data': [
        '#cloud-config',
        `ssh_authorized_keys: ["${key('top')}"]`,
        `users: [default, {name: status, ssh_authorized_keys: ["${key('reader')}"]}]`,
        'runcmd: [reboot]',
        'write_files:',
        '- {path: /etc/egret/a.yaml, content: "plain"}',
        '- {path: /etc/egret/b.yaml, content: cGFja2Vk, encoding: b64}',
        `- {path: /etc/egret/c.yaml, content: ${packed}, encoding: gz+b64}`,
        '- {path: /etc/egret/../shadow.yaml, content: x}',
        '- {path: /etc/passwd, content: x}',
      ].join('\n'),
    });
    expect(configs()).toEqual(['a.yaml', 'b.yaml', 'c.yaml']);
    expect(['a', 'b', 'c'].map((name) => data(`etc/egret/${name}.yaml`))).toEqual([
      'plain',
      'packed',
      'packed',
    ]);
    expect(data('ssh/authorized_keys/admin')).toBe(`${key('meta')}\n${key('top')}\n`);
    expect(data('ssh/authorized_keys/status')).toBe(`${key('reader')}\n`);
    expect(said.join('\n')).toContain('"/etc/passwd" is no file of /etc/egret');
  });

  test('a config drive gives its keys', () => {
    provide('config-2', {
      'openstack/latest/meta_data.json': JSON.stringify({ public_keys: { mine: key('stack') } }),
      'openstack/latest/user_data': '#!/bin/sh\nrm -rf /\n',
    });
    expect(data('ssh/authorized_keys/admin')).toBe(`${key('stack')}\n`);
    expect(said.join('\n')).toContain('does not begin with #cloud-config');
  });

  test('what cannot be parsed is said, and the rest is taken', () => {
    provide('cidata', { 'user-data': '#cloud-config\n{', 'meta-data': `public-keys: ${key('a')}` });
    expect(data('ssh/authorized_keys/admin')).toBe(`${key('a')}\n`);
    expect(said.join('\n')).toContain('user-data: ');
  });
});

test('the program takes what it can of each folder, and of /data last', () => {
  const program = new URL('../provision.ts', import.meta.url).pathname;
  const box = join(folder, 'box');
  mkdirSync(box);
  writeFileSync(join(box, 'authorized_keys'), key('on the disk'));
  const words = [program, box, join(folder, 'missing')];
  execFileSync(process.execPath, words, { stdio: 'ignore' });
  expect(readFileSync(join(box, 'ssh/authorized_keys/admin'), 'utf8')).toBe(
    `${key('on the disk')}\n`,
  );
});
