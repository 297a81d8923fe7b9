// SPDX-License-Identifier: Apache-2.0
/**
 * The run directory: it belongs to one instance, and holds what egretd needs after a restart.
 *
 *   lock            held while egretd runs       egretd.pid, forwarder.pid
 *   status.sock     read-only questions          forwarder.sock   descriptors, wake-ups, liveness
 *   admin.sock      what changes something
 *   arena           link to the shared file      state.json       see State
 *
 * state.json is replaced whole, by rename, so that a crash leaves the old one or the new one.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { lock } from '../../dataplane/native.ts';
import { EgretError } from '../../lib/errors.ts';
import {
  defaulted,
  integer,
  type JsonValue,
  list,
  mapping,
  object,
  readJson,
  text,
  version,
} from '../../lib/json-schema.ts';

const listsByName = defaulted(mapping(list(text())), {});

/** What an instance leaves for the next. Addresses are text. */
const stateSchema = object({
  version: version(1),
  /** "namespace/name" of a gateway → its addresses, by replica. */
  addresses: listsByName,
  /** Network name ("" is the main table) → addresses announced. */
  announced: listsByName,
  /** Route tables whose routes of our protocol are ours. */
  mirroredTables: defaulted(list(integer()), []),
  mirrorProtocol: defaulted(integer(), 0),
  /** Neighbors that were up, "network|address": their End-of-RIB is waited for. */
  neighborsUp: defaulted(list(text()), []),
  /** Kernel settings as they were before us: path → value. */
  sysctls: defaulted(mapping(text()), {}),
  /** Neighbors that the operator keeps down: by key (neighborKey), the words for each. */
  neighborsDown: defaulted(mapping(text()), {}),
  /** BGP identifier; empty: none was chosen. A neighbor takes another one for another router. */
  routerId: defaulted(text(), ''),
});

export type State = JsonValue<typeof stateSchema>;

export const emptyState: State = {
  version: 1,
  addresses: {},
  announced: {},
  mirroredTables: [],
  mirrorProtocol: 0,
  neighborsUp: [],
  sysctls: {},
  neighborsDown: {},
  routerId: '',
};

/** Names of arenas, of this instance's or another's; `.new` while one takes another's place. */
export const arenaName = /^egret-[0-9a-f]{8}(\.new)?$/;

/** unix(7): sun_path, and the zero behind it. */
const socketPathBytesMax = 107;

export class RunDir {
  readonly path: string;
  /** Short name of this instance, for names in the kernel. */
  readonly id: string;
  /** What the state file holds, if this instance wrote it. */
  #written: State | undefined;

  private constructor(path: string) {
    this.path = path;
    this.id = createHash('sha256').update(path).digest('hex').slice(0, 8);
  }

  /** Creates the directory and takes its lock. @throws RUN_DIR_LOCKED, RUN_DIR_UNUSABLE */
  static take(path: string): RunDir {
    const runDir = new RunDir(resolve(path));
    const pathBytes = Buffer.byteLength(runDir.file('forwarder.sock'));
    if (pathBytes > socketPathBytesMax) {
      const tooLong = pathBytes - socketPathBytesMax;
      throw runDir.#unusable(`its path is ${tooLong} bytes too long for a socket`);
    }
    runDir.#writable(() => mkdirSync(runDir.path, { recursive: true, mode: 0o755 }));
    if (runDir.#writable(() => lock(runDir.file('lock'))) === undefined) {
      throw new EgretError('RUN_DIR_LOCKED', { path: runDir.path });
    }
    runDir.#writable(() => writeFileSync(runDir.file('egretd.pid'), `${process.pid}\n`));
    return runDir;
  }

  /** Does what a directory that is read-only or full refuses. */
  #writable<Value>(act: () => Value): Value {
    try {
      return act();
    } catch (cause) {
      const { code, message } = cause as NodeJS.ErrnoException;
      throw this.#unusable(
        cause instanceof EgretError ? message.replace(/\.$/, '') : (code ?? message),
        cause,
      );
    }
  }

  #unusable(reason: string, cause?: unknown): EgretError {
    return new EgretError('RUN_DIR_UNUSABLE', { path: this.path, reason }, { cause });
  }

  file(name: string): string {
    return join(this.path, name);
  }

  /** Where the arena is: in memory, never on a disk. */
  get arenaPath(): string {
    return join('/dev/shm', `egret-${this.id}`);
  }

  /** Where the forwarder is found. */
  get forwarderPaths(): { socketPath: string; pidPath: string; arenaPath: string } {
    return {
      socketPath: this.file('forwarder.sock'),
      pidPath: this.file('forwarder.pid'),
      arenaPath: this.arenaPath,
    };
  }

  /** @returns what the previous instance left; emptyState when there is none or it cannot be read */
  readState(): State {
    try {
      return readStateFile(this.path);
    } catch {
      return emptyState;
    }
  }

  /** Replaces the state file. @throws the system's error, e.g. ENOSPC; the old file stays */
  writeState(state: State): void {
    if (isDeepStrictEqual(state, this.#written)) return;
    const text = `${JSON.stringify(state)}\n`;
    writeFileSync(this.file('state.json.new'), text, { mode: 0o600 });
    renameSync(this.file('state.json.new'), this.file('state.json'));
    this.#written = state;
  }

  /** From here on no forwarder finds the arena. */
  forgetArena(): void {
    rmSync(this.file('arena'), { force: true });
  }

  /** An orderly stop leaves the state file (addresses are remembered) and nothing else. */
  clean(): void {
    const sockets = ['forwarder.sock', 'status.sock', 'admin.sock'];
    for (const name of ['egretd.pid', 'forwarder.pid', ...sockets, 'arena']) {
      rmSync(this.file(name), { force: true });
    }
    rmSync(this.arenaPath, { force: true });
  }

  /** egretd stops alone: only its pid file is removed. */
  release(): void {
    try {
      unlinkSync(this.file('egretd.pid'));
    } catch {
      // It was never written.
    }
  }
}

/**
 * Reads what an instance left in its run directory.
 *
 * @returns emptyState when there is none, or none that this build can read
 * @throws EgretError ACCESS_DENIED
 */
export function readStateFile(runDir: string): State {
  const path = join(runDir, 'state.json');
  try {
    const read = readJson(stateSchema, JSON.parse(readFileSync(path, 'utf8')));
    return read.ok ? read.value : emptyState;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EACCES')
      throw new EgretError('ACCESS_DENIED', { path }, { cause });
    return emptyState;
  }
}
