// SPDX-License-Identifier: Apache-2.0
/** What comes from an SSH client: words, keys, certificates. Read or refused, and nothing is ever thrown. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readKeys } from '../../src/cli/editor/keys.ts';
import { EditedText } from '../../src/cli/editor/text.ts';
import { readAuthorizedKeys } from '../../src/cli/shell/authorized-keys.ts';
import { identityOf } from '../../src/cli/shell/identity.ts';
import { readCertificate } from '../../src/cli/shell/ssh-blob.ts';
import { quoted, splitWords } from '../../src/cli/shell/words.ts';
import { onOneLine, printable } from '../../src/lib/printable.ts';

const numRuns = Number(process.env.FUZZ_RUNS ?? 300);
const timeout = Number(process.env.FUZZ_SECONDS ?? 60) * 2_000;

const type = 'ssh-ed25519-cert-v01@openssh.com';
const field = (bytes: Uint8Array | string): Buffer => {
  const value = Buffer.from(bytes as string);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(value.length);
  return Buffer.concat([length, value]);
};

/** A certificate of this key id and command, unsigned. */
function certificate(keyId: string, command: string): Buffer {
  const number = (bytes: number): Buffer => Buffer.alloc(bytes);
  const critical = Buffer.concat([field('force-command'), field(field(command))]);
  return Buffer.concat([
    ...[field(type), field('nonce'), field('key'), number(8), number(4), field(keyId)],
    ...[field(field('admin')), number(16), field(critical), field(''), field(''), field('')],
  ]);
}

const text = fc.string({ unit: 'binary', maxLength: 60 });
const isWellFormed = (value: string): boolean => value.isWellFormed();

describe('what an SSH client sends', () => {
  test('words', { timeout }, () => {
    const line = fc.oneof(
      text,
      fc.array(fc.constantFrom(...`ab '"\\\t$;`), { maxLength: 40 }).map((all) => all.join('')),
    );
    fc.assert(
      fc.property(line, (line) => {
        const split = splitWords(line);
        if (!split.ok) return;
        expect(splitWords(split.value.map(quoted).join(' '))).toEqual(split);
      }),
      { numRuns },
    );
  });

  test('certificates', { timeout }, () => {
    fc.assert(
      fc.property(text.filter(isWellFormed), text.filter(isWellFormed), (keyId, command) => {
        const blob = certificate(keyId, command).toString('base64');
        expect(readCertificate(type, blob)).toEqual({ keyId, serial: 0n, forceCommand: command });
      }),
      { numRuns },
    );
  });

  test('damaged certificates never allow more', { timeout }, () => {
    const sound = certificate('dave', 'show pools');
    const damage = fc.tuple(fc.nat(sound.length), fc.nat(4), fc.uint8Array({ maxLength: 4 }));
    fc.assert(
      fc.property(fc.array(damage, { minLength: 1, maxLength: 3 }), (changes) => {
        let bytes = sound;
        for (const [at, cut, put] of changes) {
          bytes = Buffer.concat([
            bytes.subarray(0, at),
            Buffer.from(put),
            bytes.subarray(at + cut),
          ]);
        }
        const { who } = identityOf(type, bytes.toString('base64'), '');
        expect(who).not.toBe('');
        expect(onOneLine(who)).toBe(who);
      }),
      { numRuns },
    );
  });

  test('files of keys', { timeout }, () => {
    const line = fc
      .array(
        fc.constantFrom('ssh-ed25519', 'AAAA', ' ', '"', '\\', ',', 'command=', '#', '\n', 'x'),
        {
          maxLength: 40,
        },
      )
      .map((parts) => parts.join(''));
    fc.assert(
      fc.property(fc.oneof(line, text), (file) => {
        for (const key of readAuthorizedKeys(file)) expect(key.type).toMatch(/^ssh-|^ecdsa-|^sk-/);
        expect(identityOf('ssh-ed25519', 'AAAA', file).who).not.toBe('console');
      }),
      { numRuns },
    );
  });

  test('keys of the editor', { timeout }, () => {
    const typed = fc.array(
      fc.oneof(text, fc.constantFrom('\u001b[A', '\u001b[', '\u001bOF', '\r', '\u007f', '\u000b')),
    );
    fc.assert(
      fc.property(typed, (parts) => {
        const edited = new EditedText('apiVersion: v1\nkind: Namespace\n');
        let rest = '';
        for (const part of parts) {
          const read = readKeys(rest + part);
          rest = read.rest;
          for (const key of read.keys) {
            if (key.kind === 'text') edited.insert(key.text);
            else if (key.kind === 'move') edited.move(key.move, 5);
            else if (key.kind === 'enter') edited.breakLine();
            else if (key.kind === 'backspace') edited.eraseBack();
            else if (key.kind === 'delete') edited.erase();
            else edited.cutLine();
          }
          const { row, column } = edited.cursor;
          expect(edited.lines[row]!.length).toBeGreaterThanOrEqual(column);
        }
        expect(printable(edited.text)).toBe(edited.text);
      }),
      { numRuns },
    );
  });
});
