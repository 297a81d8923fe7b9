// SPDX-License-Identifier: Apache-2.0
/**
 * `egret run --manage-host`: the box's interfaces, names and clocks, as the Appliance has them.
 *
 *   Model, host ─▶ set-up-plan ─▶ files below /run/systemd ─▶ networkctl reload ─▶ systemd-networkd
 *        ▲                                                                             │
 *        └───────────────── host snapshot (rtnetlink) ◀── links, addresses ◀───────────┘
 *
 * The decision is pure (set-up-plan.ts). What stands on the disk is what was done last, so that a
 * restarted egretd changes nothing that is as wanted. When egretd stops, the box stays as it is.
 */
import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import type { HostSnapshot } from '../kernel/host-snapshot.ts';
import type { Clock } from '../lib/clock.ts';
import { coalesced } from '../lib/coalesced.ts';
import type { Log } from '../lib/log.ts';
import type { Model } from '../model/model.ts';
import { ownPaths } from './host-files.ts';
import {
  filePrefix,
  networkdConf,
  networkFolder,
  type ServiceUsers,
  serviceUserNames,
} from './networkd-files.ts';
import {
  type Found,
  missingDevices,
  planSetUp,
  type SetUpAction,
  settingPaths,
} from './set-up-plan.ts';

export interface HostSetupOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** Before every path: `/`, but for tests. */
  readonly root?: string;
  /** Runs a program; it is never passed through a shell. */
  readonly run?: (argv: readonly string[]) => Promise<void>;
}

/** Of one program. networkd answers at once; a unit that is restarted may take its time. */
const programTimeoutMs = 30_000;
/** Until what failed is tried again. */
const retryMs = 2_000;

export class HostSetup {
  readonly #log: Log;
  readonly #root: string;
  readonly #run: (argv: readonly string[]) => Promise<void>;
  readonly #soon: () => void;
  #wanted: { readonly model: Model; readonly snapshot: HostSnapshot } | undefined;
  /**
   * Programs that are still to read what was written. At first networkd: the previous instance may
   * have been stopped in between, and networkd does nothing when nothing changed.
   */
  #unread: (readonly string[])[] = [['networkctl', 'reload']];
  /** Devices that were missing when networkd was last asked to make them. */
  #missing = '';
  #lastFailure = '';

  constructor({ clock, log, root = '/', run = runProgram }: HostSetupOptions) {
    this.#log = log;
    this.#root = root;
    this.#run = run;
    this.#soon = coalesced(async () => {
      if (!(await this.#step())) clock.after(retryMs, () => this.#soon());
    });
  }

  /** Makes the box what the Model wants, as far as it is not yet; soon, the newest Model alone. */
  follow(model: Model, snapshot: HostSnapshot): void {
    this.#wanted = { model, snapshot };
    this.#soon();
  }

  /** @returns whether nothing failed */
  async #step(): Promise<boolean> {
    if (!this.#wanted) return true;
    const { model, snapshot } = this.#wanted;
    const failures: string[] = [];
    try {
      const found = this.#found(snapshot);
      const actions = planSetUp(model, found);
      for (const action of actions) await this.#do(action, failures);
      this.#askAgain(missingDevices(found.files, snapshot).join(' '));
      for (const argv of this.#unread.splice(0)) {
        await this.#tried(argv, failures, () => this.#unread.push(argv));
      }
    } catch (error) {
      failures.push(error instanceof Error ? error.message : String(error));
    }
    const failure = failures.join('; ');
    if (failure !== this.#lastFailure && failure !== '') {
      this.#log.error({ failure }, 'host set-up: some of it failed; it is tried again');
    }
    this.#lastFailure = failure;
    return failure === '';
  }

  async #do(action: SetUpAction, failures: string[]): Promise<void> {
    const shown = action.kind === 'write' ? { kind: action.kind, path: action.path } : action;
    this.#log.info(shown, 'host set-up');
    if (action.kind === 'read') this.#unread.push(action.argv);
    else if (action.kind === 'run') await this.#tried(action.argv, failures);
    else if (action.kind === 'write') this.#write(action.path, action.text);
    else if (action.kind === 'remove') rmSync(join(this.#root, action.path), { force: true });
    else writeFileSync(join(this.#root, 'proc/sys', action.path), `${action.value}\n`);
  }

  async #tried(
    argv: readonly string[],
    failures: string[],
    onFailure = (): void => {},
  ): Promise<void> {
    try {
      await this.#run(argv);
    } catch (error) {
      onFailure();
      const reason = error instanceof Error ? error.message.trim() : String(error);
      failures.push(`${argv.join(' ')}: ${reason}`);
    }
  }

  /** networkd may have heard of the reload before it heard that the old device was removed. */
  #askAgain(missing: string): void {
    if (missing !== '' && missing !== this.#missing) this.#unread.push(['networkctl', 'reload']);
    this.#missing = missing;
  }

  // -- Files -----------------------------------------------------------------------------------------

  #found(snapshot: HostSnapshot): Found {
    const files = new Map<string, string>();
    const names = this.#list(networkFolder).filter((name) => name.startsWith(filePrefix));
    for (const path of [
      ...names.map((name) => `${networkFolder}/${name}`),
      ...ownPaths,
      networkdConf,
    ]) {
      const text = this.#read(path);
      if (text !== undefined) files.set(path, text);
    }
    const settings = new Map(
      settingPaths.map((path) => [path, this.#read(`proc/sys/${path}`)?.trim() ?? ''] as const),
    );
    return { files, settings, users: this.#users(), snapshot };
  }

  #users(): ServiceUsers {
    const rows = (this.#read('/etc/passwd') ?? '').split('\n').map((line) => line.split(':'));
    return new Map(
      serviceUserNames.flatMap((name) => {
        const uid = Number(rows.find(([user]) => user === name)?.[2]);
        return Number.isInteger(uid) ? [[name, uid] as const] : [];
      }),
    );
  }

  #list(folder: string): string[] {
    try {
      return readdirSync(join(this.#root, folder)).sort();
    } catch (error) {
      if (isMissing(error)) return [];
      throw error;
    }
  }

  #read(path: string): string | undefined {
    try {
      return readFileSync(join(this.#root, path), 'utf8');
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  /** Whole or not at all: networkd reads files at any moment. */
  #write(path: string, text: string): void {
    const target = join(this.#root, path);
    const draft = join(dirname(target), `.egret-${process.pid}.tmp`);
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(draft, text, { mode: 0o644 });
    renameSync(draft, target);
  }
}

const isMissing = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'ENOENT';

const execute = promisify(execFile);

async function runProgram([program, ...words]: readonly string[]): Promise<void> {
  await execute(program!, words, { timeout: programTimeoutMs });
}
