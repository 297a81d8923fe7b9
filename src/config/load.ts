// SPDX-License-Identifier: Apache-2.0
/** `--config PATH` → files → Model or errors. The only file of config/ that reads files. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { ConfigFile, ConfigSet } from './config-set.ts';
import { type Resolution, resolveDocuments } from './resolve/resolve.ts';
import { fileBytesMax, type Parsed, parseFile, unreadable } from './yaml/documents.ts';
import type { Report } from './yaml/located.ts';
import { makeReport } from './yaml/located.ts';

/** Of all files together: it is kept in memory while it is checked, and fifty times on disk. */
export const setBytesMax = 64 * 1024 * 1024;

const smallFilesMax = 50;
const smallBytesMax = 32 * 1024;
/** Some milliseconds of reading. */
const filesInStep = 50;

/** @param path - a file, or a folder: its `*.yaml` and `*.yml`, sorted, not hidden ones nor those
 *   of its folders */
export function loadConfig(path: string): Resolution {
  return resolveConfig(readConfig(path));
}

/** @param path - as loadConfig takes it */
export function readConfig(path: string): ConfigSet {
  const steps = readSteps(path);
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

/** @param pause - lets other work of the thread have its turn */
export async function readConfigInSteps(
  path: string,
  pause: () => Promise<void>,
): Promise<ConfigSet> {
  const steps = readSteps(path);
  for (;;) {
    await pause();
    const step = steps.next();
    if (step.done) return step.value;
  }
}

export function resolveConfig(set: ConfigSet): Resolution {
  const { env } = process;
  // The yaml package reads an environment variable for each token, and Node makes a system call each
  // time: a third of its time. A copy is a plain object.
  process.env = { ...env };
  try {
    const report = makeReport();
    for (const { at, path, message, hint } of set.errors) report.error({ at, path }, message, hint);
    return resolveDocuments(parseFiles(set, report), report);
  } finally {
    process.env = env;
  }
}

/** Whether a configuration is checked in less time than a thread takes to start. */
export function isSmall({ files }: ConfigSet): boolean {
  const bytes = files.reduce((sum, file) => sum + (file.bytes?.length ?? 0), 0);
  return files.length <= smallFilesMax && bytes <= smallBytesMax;
}

function* parseFiles(set: ConfigSet, report: Report): Generator<Parsed> {
  for (const { path, bytes } of set.files) {
    if (bytes === undefined) yield unreadable;
    else yield* parseFile(path, bytes, report);
  }
}

/** Yields between steps. */
function* readSteps(path: string): Generator<void, ConfigSet> {
  const report = makeReport();
  const files: ConfigFile[] = [];
  let bytesLeft = setBytesMax;
  for (const file of listFiles(path, report)) {
    const bytes = readBytes(file, bytesLeft, report);
    bytesLeft -= bytes?.length ?? 0;
    files.push({ path: file, bytes });
    if (files.length % filesInStep === 0) yield;
  }
  return { path, files, errors: report.errors };
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

function readBytes(file: string, bytesLeft: number, report: Report): Uint8Array | undefined {
  try {
    const found = statSync(file);
    const { size } = found;
    if (!found.isFile()) refuse(file, 'is neither a file nor a folder', report);
    else if (size > fileBytesMax) {
      refuse(file, `the file has ${size} bytes; at most ${fileBytesMax} are read`, report);
    } else if (size > bytesLeft) {
      refuse(file, `with this file all have more than ${setBytesMax} bytes`, report);
    } else return readFileSync(file);
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
