// SPDX-License-Identifier: Apache-2.0
/** Files of the configuration by name: what is written whole, and everything that is refused. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { fileBytesMax } from '../config/yaml/documents.ts';
import { systemFiles } from '../lib/durable-files.ts';
import { OperatorFiles } from './operator-files.ts';

let outer: string;
let folder: string;
let files: OperatorFiles;
beforeEach(() => {
  outer = mkdtempSync(join(tmpdir(), 'egret-files-'));
  folder = join(outer, 'etc');
  mkdirSync(folder);
  files = new OperatorFiles(folder, systemFiles);
});
afterEach(() => rmSync(outer, { recursive: true }));

async function* body(...chunks: (string | Uint8Array)[]): AsyncGenerator<Uint8Array> {
  for (const chunk of chunks) yield Buffer.from(chunk);
}
const put = (name: string, ...chunks: (string | Uint8Array)[]): Promise<void> =>
  files.put(name, body(...chunks));
const refused = { code: 'FILE_REFUSED' };

test('a file is put, listed, read and removed, byte by byte', async () => {
  await put('a.yaml', 'kind: ', 'x # ü\r\n');
  await put('b.yml', 'two');
  expect(await files.list()).toMatchObject([
    { name: 'a.yaml', bytes: 14 },
    { name: 'b.yml', bytes: 3 },
  ]);
  expect((await files.get('a.yaml')).toString()).toBe('kind: x # ü\r\n');
  expect(statSync(join(folder, 'a.yaml')).mode & 0o777).toBe(0o600);
  await files.remove('a.yaml');
  expect(readdirSync(folder)).toEqual(['b.yml']);
  await expect(files.remove('a.yaml')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  await expect(files.get('a.yaml')).rejects.toMatchObject({ code: 'NOT_FOUND' });
});

test('a file that was there keeps its mode, and stays when the new one is refused', async () => {
  writeFileSync(join(folder, 'a.yaml'), 'old', { mode: 0o640 });
  await put('a.yaml', 'new');
  expect(statSync(join(folder, 'a.yaml')).mode & 0o777).toBe(0o640);
  await expect(put('a.yaml', '')).rejects.toMatchObject(refused);
  expect(readFileSync(join(folder, 'a.yaml'), 'utf8')).toBe('new');
});

test.each([
  '../x.yaml',
  '/etc/x.yaml',
  'sub/x.yaml',
  '.hidden.yaml',
  '..yaml',
  '.yaml',
  'x.txt',
  'x',
  '',
  'x.yaml\0.txt',
  'x\n.yaml',
  '-x.yaml',
  'x y.yaml',
  'x.yaml/',
  `${'x'.repeat(300)}.yaml`,
  '\u001b[31m.yaml',
])('the name %j is refused by all of them, and reaches nothing', async (name) => {
  await expect(put(name, 'x')).rejects.toMatchObject(refused);
  await expect(files.get(name)).rejects.toMatchObject(refused);
  await expect(files.remove(name)).rejects.toMatchObject(refused);
  expect(readdirSync(outer)).toEqual(['etc']);
  expect(readdirSync(folder)).toEqual([]);
});

test.each([
  ['nothing', []],
  ['a NUL', ['kind: \0']],
  ['bytes that are no UTF-8', [Uint8Array.of(0x61, 0xff)]],
  ['more than is read', [new Uint8Array(fileBytesMax).fill(0x61), 'b']],
])('%s is refused', async (_, chunks) => {
  await expect(files.put('a.yaml', body(...chunks))).rejects.toMatchObject(refused);
  expect(readdirSync(folder)).toEqual([]);
});

test('links and folders are neither followed, shown, replaced nor removed', async () => {
  const secret = join(outer, 'secret');
  writeFileSync(secret, 'secret');
  symlinkSync(secret, join(folder, 'link.yaml'));
  symlinkSync(join(outer, 'new'), join(folder, 'dangling.yaml'));
  mkdirSync(join(folder, 'folder.yaml'));
  for (const name of ['link.yaml', 'dangling.yaml', 'folder.yaml']) {
    await expect(put(name, 'x')).rejects.toMatchObject(refused);
    await expect(files.get(name)).rejects.toMatchObject(refused);
    await expect(files.remove(name)).rejects.toMatchObject(refused);
  }
  expect(await files.list()).toEqual([]);
  expect(readFileSync(secret, 'utf8')).toBe('secret');
  expect(existsSync(join(outer, 'new'))).toBe(false);
});

test('a link that stands where the new file is written first is not followed', async () => {
  const secret = join(outer, 'secret');
  writeFileSync(secret, 'secret');
  symlinkSync(secret, join(folder, '.a.yaml.new'));
  await put('a.yaml', 'new');
  expect(readFileSync(secret, 'utf8')).toBe('secret');
  expect(readFileSync(join(folder, 'a.yaml'), 'utf8')).toBe('new');
});

test('a client that is cut off changes nothing', async () => {
  writeFileSync(join(folder, 'a.yaml'), 'old');
  async function* cut(): AsyncGenerator<Uint8Array> {
    yield Buffer.from('half');
    throw new Error('the client closed the connection');
  }
  await expect(files.put('a.yaml', cut())).rejects.toThrow('closed');
  expect(readFileSync(join(folder, 'a.yaml'), 'utf8')).toBe('old');
});
