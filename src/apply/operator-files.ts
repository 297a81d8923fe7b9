// SPDX-License-Identifier: Apache-2.0
/**
 * The operator's files, for those who have no shell: listed, read, written whole and removed, by plain
 * names of one folder. Nothing else of the file system is reached: names have no `/`, links are not
 * followed. Nothing is applied.
 */

import { isUtf8 } from 'node:buffer';
import { constants, lstatSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { setBytesMax } from '../config/load.ts';
import { fileBytesMax } from '../config/yaml/documents.ts';
import { type FileOperations, removeFile, replaceFile } from '../lib/durable-files.ts';
import { EgretError } from '../lib/errors.ts';

export interface ListedFile {
  readonly name: string;
  readonly bytes: number;
  /** ISO 8601. */
  readonly changed: string;
}

const plainName = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,200}\.ya?ml$/;
const filesMax = 10_000;
/** Of a body that is too long: one that never stops is not read forever. */
const discardedMax = 16 * fileBytesMax;
/** Configurations hold passwords. */
const newFileMode = 0o600;

export class OperatorFiles {
  readonly #folder: string;
  readonly #files: FileOperations;

  /** @param path - --config: a folder, or a file, of whose folder then only that file is reached */
  constructor(path: string, files: FileOperations) {
    this.#folder = path;
    this.#files = files;
  }

  async list(): Promise<ListedFile[]> {
    const names = await this.#files.list(this.#folder).catch(() => []);
    return names
      .filter((name) => /^[^.].*\.ya?ml$/.test(name))
      .sort()
      .flatMap((name) => {
        const found = lstatSync(join(this.#folder, name), { throwIfNoEntry: false });
        if (!found?.isFile()) return [];
        return [{ name, bytes: found.size, changed: found.mtime.toISOString() }];
      });
  }

  /** @throws EgretError FILE_REFUSED, NOT_FOUND */
  async get(name: string): Promise<Buffer> {
    const path = this.#existing(name);
    const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW).catch((error) => {
      throw refused(name, reasonOf(error));
    });
    try {
      return await file.readFile();
    } finally {
      await file.close();
    }
  }

  /** @throws EgretError FILE_REFUSED: the file that was there stays */
  async put(name: string, body: AsyncIterable<Uint8Array>): Promise<void> {
    await (await this.received(name, body))();
  }

  /** Takes the whole body, and checks it. @returns puts the file in place. @throws as put */
  async received(name: string, body: AsyncIterable<Uint8Array>): Promise<() => Promise<void>> {
    const bytes = await wholeBody(body);
    const path = this.#path(name);
    const found = this.#find(name);
    if (found && !found.isFile()) throw refused(name, 'what has this name is no file');
    if (bytes === undefined) throw refused(name, `it has more than ${fileBytesMax} bytes`);
    if (bytes.length === 0) throw refused(name, 'nothing was sent; to remove a file: config rm');
    if (!isUtf8(bytes)) throw refused(name, 'it is not UTF-8 text');
    if (bytes.includes(0)) throw refused(name, 'it has a NUL byte, and is no text');
    const others = (await this.list()).filter((file) => file.name !== name);
    if (others.length >= filesMax) throw refused(name, `there are ${filesMax} files already`);
    const sum = others.reduce((all, file) => all + file.bytes, bytes.length);
    if (sum > setBytesMax) {
      throw refused(name, `with it all files have ${sum} bytes; at most ${setBytesMax} are read`);
    }
    const mode = found ? found.mode & 0o777 : newFileMode;
    return () =>
      replaceFile(this.#files, path, [bytes], mode).catch((error) => {
        throw refused(name, reasonOf(error));
      });
  }

  /** @throws EgretError FILE_REFUSED, NOT_FOUND */
  async remove(name: string): Promise<void> {
    await removeFile(this.#files, this.#existing(name)).catch((error) => {
      throw refused(name, reasonOf(error));
    });
  }

  #existing(name: string): string {
    const path = this.#path(name);
    const found = this.#find(name);
    if (!found) throw new EgretError('NOT_FOUND', { what: `the file ${name}` });
    if (!found.isFile()) throw refused(name, 'what has this name is no file');
    return path;
  }

  #find(name: string) {
    return lstatSync(this.#path(name), { throwIfNoEntry: false });
  }

  #path(name: string): string {
    if (!plainName.test(name)) throw refused(shown(name), 'a name is letters, digits and _ . -');
    if (!lstatSync(this.#folder, { throwIfNoEntry: false })?.isDirectory()) {
      throw refused(name, `${this.#folder} is no folder`);
    }
    return join(this.#folder, name);
  }
}

/**
 * All of a body, also when it is not wanted: a client that still sends would not read why.
 *
 * @returns undefined when it is too long
 */
async function wholeBody(body: AsyncIterable<Uint8Array>): Promise<Buffer | undefined> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of body) {
    length += chunk.length;
    if (length <= fileBytesMax) chunks.push(chunk);
    else if (length > discardedMax) break;
  }
  return length <= fileBytesMax ? Buffer.concat(chunks) : undefined;
}

const refused = (file: string, reason: string): EgretError =>
  new EgretError('FILE_REFUSED', { file, reason });

/** A name that is refused may be anything. */
const shown = (name: string): string => JSON.stringify(name.slice(0, 60));

const reasonOf = (error: unknown): string => {
  const { code, message } = error as NodeJS.ErrnoException;
  return code ?? message;
};
