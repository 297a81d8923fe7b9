// SPDX-License-Identifier: Apache-2.0
/** Keys and certificates as ssh-keygen makes them. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { readAuthorizedKeys } from './authorized-keys.ts';
import { identify, identityOf } from './identity.ts';
import { fingerprint, readCertificate } from './ssh-blob.ts';

const folder = mkdtempSync(join(tmpdir(), 'egret-identity-'));
afterAll(() => rmSync(folder, { recursive: true }));

const keygen = (...argv: string[]): string =>
  execFileSync('ssh-keygen', argv, { encoding: 'utf8', cwd: folder });

function publicKey(name: string, type: string): string {
  keygen('-q', '-t', type, '-N', '', '-C', `${name}@example.net`, '-f', name);
  return readFileSync(join(folder, `${name}.pub`), 'utf8').trim();
}

publicKey('ca', 'ed25519');

test.each([['ed25519'], ['ecdsa'], ['rsa']])('a certificate of a key of type %s', (type) => {
  publicKey(type, type);
  const options = ['-n', 'admin', '-z', '77', '-O', 'force-command=show "a b"'];
  keygen('-q', '-s', 'ca', '-I', 'dave at work', ...options, `${type}.pub`);
  const [name = '', blob = ''] = readFileSync(join(folder, `${type}-cert.pub`), 'utf8').split(' ');
  expect(readCertificate(name, blob)).toEqual({
    keyId: 'dave at work',
    serial: 77n,
    forceCommand: 'show "a b"',
  });
  expect(identityOf(name, blob, '')).toEqual({
    who: 'dave at work',
    isConsole: false,
    forcedCommand: 'show "a b"',
  });
  // One that is damaged allows nothing, instead of everything.
  const cut = blob.slice(0, 100);
  expect(identityOf(name, cut, '')).toMatchObject({ forcedCommand: '' });
});

test('a key is named by its comment, or by its fingerprint', () => {
  const line = publicKey('carol', 'ed25519');
  const [type = '', blob = ''] = line.split(' ');
  const other = publicKey('other', 'ed25519');
  expect(identityOf(type, blob, `# keys\n${other}\n\n${line}\n`)).toEqual({
    who: 'carol@example.net',
    isConsole: false,
    forcedCommand: undefined,
  });
  const [shown] = keygen('-l', '-f', 'carol.pub').split(' ').slice(1);
  expect(fingerprint(blob)).toBe(shown);
  expect(identityOf(type, blob, other).who).toBe(shown);
  expect(identityOf(type, blob, `${type} ${blob}`).who).toBe(shown);
  const restricted = `restrict,command="show \\"x\\"",from="10.0.0.0/8, 192.0.2.1" ${line}`;
  expect(identityOf(type, blob, restricted)).toMatchObject({
    who: 'carol@example.net',
    forcedCommand: 'show "x"',
  });
});

test('no key is the console, and no name speaks to a terminal', () => {
  const line = publicKey('x', 'ed25519').split(' ').slice(0, 2).join(' ');
  const [type = '', blob = ''] = line.split(' ');
  const named = (comment: string) => identityOf(type, blob, `${line} ${comment}`).who;
  expect(named('console')).toBe('console (SSH)');
  expect(named('Console ')).toBe('Console (SSH)');
  expect(named('a\u001b]0;x\u0007b')).toBe('a ]0;x b');
  expect(named('x'.repeat(5_000))).toHaveLength(128);
});

test('without SSH it is the console', () => {
  expect(identify('admin', { SSH_USER_AUTH: '/etc/passwd' })).toEqual({
    who: 'console',
    isConsole: true,
    forcedCommand: undefined,
  });
  const connection = '192.0.2.1 1 192.0.2.2 22';
  expect(identify('admin', { SSH_CONNECTION: connection }).who).toBe('admin');
  const path = join(folder, 'none');
  expect(identify('admin', { SSH_CONNECTION: connection, SSH_USER_AUTH: path }).who).toBe('admin');
});

test('lines that are no keys are left out', () => {
  const text = 'ssh-ed25519\nnonsense AAAA x\n"\ncommand="a ssh-ed25519 AAAA x\n# ssh-ed25519 AAAA';
  expect(readAuthorizedKeys(text)).toEqual([]);
});
