// SPDX-License-Identifier: Apache-2.0
/** `--config PATH` → Model or errors. The only file of config/ that reads files. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type Resolution, resolveDocuments } from './resolve/resolve.ts';
import { fileBytesMax, type Parsed, parseFile, unreadable } from './yaml/documents.ts';
import type { Report } from './yaml/located.ts';
import { makeReport } from './yaml/located.ts';

const smallFilesMax = 50;
const smallBytesMax = 32 * 1024;

/** @param path - a file, or a folder: its `*.yaml` and `*.yml`, sorted, not hidden ones nor those
 *   of its folders */
export function loadConfig(path: string): Resolution {
  const { env } = process;
  // The yaml package reads an environment variable for each token, and Node makes a system call each
  // time: a third of its time. A copy is a plain object.
  process.env = { ...env };
  try {
    const report = makeReport();
    return resolveDocuments(parseFiles(path, report), report);
  } finally {
    process.env = env;
  }
}

/** Whether a configuration is read in less time than a thread takes to start. */
export function isSmall(path: string): boolean {
  const files = listFiles(path, makeReport());
  if (files.length > smallFilesMax) return false;
  let bytes = 0;
  try {
    for (const file of files) bytes += statSync(file).size;
  } catch {
    // loadConfig will say what is wrong.
  }
  return bytes <= smallBytesMax;
}

function* parseFiles(path: string, report: Report): Generator<Parsed> {
  for (const file of listFiles(path, report)) {
    const bytes = readBytes(file, report);
    if (bytes === undefined) yield unreadable;
    else yield* parseFile(file, bytes, report);
  }
}

/** @returns the files to read; what cannot be read is reported */
function listFiles(path: string, report: Report): string[] {
  try {
    if (!statSync(path).isDirectory()) return [path];
    const files = readdirSync(path, { withFileTypes: true })
      .filter((entry) => /^[^.].*\.ya?ml$/.test(entry.name) && !entry.isDirectory())
      .map((entry) => join(path, entry.name))
      .sort();
    if (files.length === 0) {
      refuse(path, 'the folder has no *.yaml or *.yml file', report);
    }
    return files;
  } catch (error) {
    refuse(path, reasonOf(error), report);
    return [];
  }
}

function readBytes(file: string, report: Report): Uint8Array | undefined {
  try {
    const found = statSync(file);
    const { size } = found;
    if (!found.isFile()) refuse(file, 'is neither a file nor a folder', report);
    else if (size <= fileBytesMax) return readFileSync(file);
    else refuse(file, `the file has ${size} bytes; at most ${fileBytesMax} are read`, report);
  } catch (error) {
    refuse(file, reasonOf(error), report);
  }
  return undefined;
}

function refuse(file: string, problem: string, report: Report): void {
  report.error(
    { at: { file, line: 1, column: 1 }, path: '' },
    problem,
    'PATH is a file, or a folder of *.yaml files.',
  );
}

function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
  const reasons: Record<string, string> = {
    ENOENT: 'there is no such file or folder',
    EACCES: 'permission denied',
    EISDIR: 'is a folder',
  };
  return reasons[code] ?? `cannot be read (${code})`;
}
