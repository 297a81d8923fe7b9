// SPDX-License-Identifier: Apache-2.0
/**
 * What changes the configuration that runs: `egret apply`, `confirm` and `rollback`, SIGHUP, a file
 * that was saved with `config.watch`, and a deadline that is over. One at a time.
 *
 *   files ─▶ check ─▶ admit (host, arena) ─▶ history, on disk ─▶ take ─▶ in force
 *              └──────────┴─ refused: nothing was changed
 *
 * The history is written before the appliance takes the configuration, so that a crash at any moment
 * leads to the old one or the new one, and what runs is never older than what is written.
 */
import type { ConfigFile, ConfigSet } from '../config/config-set.ts';
import { hashOf } from '../config/config-set.ts';
import type { Resolution } from '../config/resolve/resolve.ts';
import { formatErrors, type LocatedError } from '../config/yaml/located.ts';
import type { Version } from '../history/version.ts';
import type { Clock } from '../lib/clock.ts';
import { EgretError } from '../lib/errors.ts';
import type { Model } from '../model/model.ts';
import { ConfirmDeadline } from './confirm-deadline.ts';
import type { Effects, WhatIf } from './effects.ts';
import { Kept, type KeptOptions } from './kept.ts';
import { type Start, setOf } from './start.ts';
import { Turns } from './turns.ts';
import { stepsBack } from './versions.ts';

/** The appliance, as far as its configuration is concerned. */
export interface Target {
  readonly model: Model;
  /** @throws EgretError when it does not fit this box; nothing was changed */
  admit(model: Model): void;
  /** Takes what was admitted. */
  take(model: Model): void;
  /** When what was taken last is in force, to the forwarder. @returns what the kernel refuses */
  inForce(): Promise<string | undefined>;
  /** Shown with each status answer; empty: the newest configuration runs. */
  refuseConfig(errors: readonly string[]): void;
  /** What a configuration would change, worked out on the running box. */
  whatIf(model: Model): WhatIf;
}

export interface ControlOptions extends KeptOptions {
  readonly target: Target;
  readonly read: (path: string) => Promise<ConfigSet>;
  readonly resolve: (set: ConfigSet) => Promise<Resolution>;
  /** A configuration was taken: `config.watch` may be another. */
  readonly taken: (model: Model) => void;
}

export interface Who {
  readonly who: string;
  readonly message: string;
  /** It is reverted after this time unless it is confirmed. */
  readonly confirmMs?: number | undefined;
}

export type Outcome =
  | { readonly kind: 'errors'; readonly errors: readonly LocatedError[] }
  /** The same files run already. */
  | { readonly kind: 'nothing'; readonly version: number; readonly until: string | undefined }
  | {
      readonly kind: 'applied';
      readonly version: number;
      readonly effects: Effects;
      /** Wall clock, ISO 8601, of the deadline. */
      readonly until: string | undefined;
      /** Why it is not in force; undefined: it is. */
      readonly trouble: string | undefined;
    };

/** Reconciliations that wait for the kernel; an answer begins before its client gives up. */
const inForceMs = 15_000;

export class ConfigControl {
  /** The configurations that ran. */
  readonly kept: Kept;
  readonly #options: ControlOptions;
  readonly #turns: Turns;
  readonly #deadline: ConfirmDeadline;
  #isEnding = false;

  constructor(options: ControlOptions) {
    this.#options = options;
    this.kept = new Kept(options);
    this.#turns = new Turns(options.clock);
    this.#deadline = new ConfirmDeadline(options.clock, options.boot, () => void this.#overdue());
  }

  get target(): Target {
    return this.#options.target;
  }

  get configPath(): string {
    return this.#options.configPath;
  }

  /** The appliance runs what was chosen. */
  async started(start: Start): Promise<void> {
    const { log, target, configPath } = this.#options;
    if (start.kind === 'version') {
      this.kept.running = start.version;
      this.#deadline.set(this.kept.pending);
      const recorded = this.kept.record?.running;
      if (recorded === undefined) await this.kept.recordAgain();
      else if (recorded !== start.version) {
        target.refuseConfig([
          `version ${recorded} of the history cannot be used by this egretd: version ${start.version} runs`,
        ]);
      }
    } else if (start.kind === 'files') {
      try {
        const message = `first start with ${configPath}`;
        const origin = { who: 'egretd', message, kind: 'first' as const, from: null };
        await this.kept.keep(start.set.files, origin, undefined);
      } catch (error) {
        log.error({ error }, 'the configuration was not kept: a restart reads the files again');
      }
    } else if (start.kind === 'empty') {
      target.refuseConfig(formatErrors(start.errors).split('\n').filter(Boolean));
    }
    this.#options.taken(target.model);
  }

  /** No configuration is taken from here on; a deadline is the next instance's. */
  stop(): void {
    this.#isEnding = true;
    this.#deadline.clear();
  }

  /**
   * Applies the operator's files.
   *
   * @throws EgretError when they do not fit this box, or cannot be kept: nothing was changed
   */
  apply(who: Who): Promise<Outcome> {
    return this.#turns.take(`${who.who} (apply)`, () => this.#applyFiles(who));
  }

  /** SIGHUP. */
  async reload(): Promise<void> {
    await this.#quietly('SIGHUP', (who) => this.#applyFiles(who));
  }

  /** A file was saved. Files that were refused or reverted as they are now are left alone. */
  async filesChanged(): Promise<void> {
    await this.#quietly('config.watch', async (who) => {
      const set = await this.#read();
      return this.kept.isRefused(set.files) ? undefined : this.#applySet(set, who);
    });
  }

  /** @returns the version that is kept. @throws EgretError NOTHING_TO_CONFIRM, STATE_NOT_WRITTEN */
  confirm({ who }: Who): Promise<number> {
    return this.#turns.take(`${who} (confirm)`, async () => {
      const version = await this.kept.confirm();
      this.#deadline.clear();
      this.#options.log.info({ who, version }, 'configuration confirmed');
      return version;
    });
  }

  /** @param word - as versionNamed takes it. @throws EgretError, also for a version that is not valid */
  rollback(word: string, who: Who): Promise<Outcome> {
    return this.#turns.take(`${who.who} (rollback)`, async () => {
      const { version } = await this.kept.named(word);
      const isRevert = this.kept.pending?.previous === version && who.confirmMs === undefined;
      if (isRevert) return this.#revert(`${who.who} rolled it back`);
      const set = setOf(await this.kept.filesOf(version), this.configPath);
      return this.#applySet(set, who, { kind: 'rollback', from: version });
    });
  }

  /** The operator's files as they are now, and what they mean. */
  async edited(): Promise<{ set: ConfigSet; resolution: Resolution }> {
    const set = await this.#read();
    return { set, resolution: await this.#options.resolve(set) };
  }

  /** What files of the history mean to this egretd. */
  resolve(files: readonly ConfigFile[]): Promise<Resolution> {
    return this.#options.resolve(setOf(files, this.configPath));
  }

  #read(): Promise<ConfigSet> {
    return this.#options.read(this.configPath);
  }

  async #applyFiles(who: Who): Promise<Outcome> {
    return this.#applySet(await this.#read(), who);
  }

  async #applySet(
    set: ConfigSet,
    { who, message, confirmMs }: Who,
    from: Pick<Version, 'kind' | 'from'> = { kind: 'applied', from: null },
  ): Promise<Outcome> {
    const { target, log } = this.#options;
    const refuse = async (errors: readonly string[]): Promise<void> => {
      log.error({ who, errors }, 'configuration refused, the running one stays');
      if (from.kind !== 'applied') return;
      target.refuseConfig(errors);
      await this.kept.refuse(set.files);
    };
    const resolution = await this.#options.resolve(set);
    if (resolution.kind === 'errors') {
      await refuse(formatErrors(resolution.errors).trimEnd().split('\n'));
      return resolution;
    }
    const history = await this.kept.history();
    const running = history.find(this.kept.running);
    if (running?.hash === hashOf(set.files)) return this.#applyNothing(running, who, confirmMs);
    if (this.#isEnding) throw new EgretError('CONFIG_BUSY', { holder: 'the stop of egretd' });
    const { model } = resolution;
    try {
      target.admit(model);
    } catch (error) {
      const { at, message } = error as Partial<EgretError> & Error;
      await refuse(at === undefined ? [message] : at.split('\n'));
      throw error;
    }
    const { effects } = target.whatIf(model);
    const { version } = await this.kept.keep(set.files, { who, message, ...from }, confirmMs);
    this.#take(model);
    this.#deadline.set(this.kept.pending);
    const until = this.kept.pending?.until;
    log.info({ who, version, until }, 'configuration applied');
    return { kind: 'applied', version, effects, until, trouble: await this.#trouble() };
  }

  /** The files of what runs: nothing is touched, but a deadline that is set may be set again. */
  async #applyNothing(
    { version }: Version,
    who: string,
    confirmMs: number | undefined,
  ): Promise<Outcome> {
    this.target.refuseConfig([]);
    await this.kept.refuseNone();
    await this.kept.waitLonger(who, confirmMs);
    this.#deadline.set(this.kept.pending);
    return { kind: 'nothing', version, until: this.kept.pending?.until };
  }

  #take(model: Model): void {
    this.target.take(model);
    this.#options.taken(model);
  }

  async #overdue(): Promise<void> {
    await this.#quietly('the deadline of --confirm', async () => {
      // It may have been confirmed, or set again, while this waited for its turn.
      const { pending } = this.kept;
      if (!pending || !this.#deadline.isOver(pending)) return undefined;
      return this.#revert('it was not confirmed in time');
    });
  }

  /** Back to what ran before the configuration that waits for `confirm`. */
  async #revert(reason: string): Promise<Outcome> {
    const { log, target } = this.#options;
    const reverted = this.kept.running;
    this.#deadline.clear();
    const { version, model } = await this.#newestModel(await this.kept.revert());
    const { effects } = target.whatIf(model);
    target.admit(model);
    this.kept.running = version;
    this.#take(model);
    target.refuseConfig([`version ${reverted} was reverted: ${reason}`]);
    log.warn({ version, reverted, reason }, 'configuration reverted');
    const trouble = await this.#trouble();
    return { kind: 'applied', version, effects, until: undefined, trouble };
  }

  /** What a version means, or the newest before it that can be used; version 0: no configuration. */
  async #newestModel(from: number): Promise<{ version: number; model: Model }> {
    const history = await this.kept.history();
    for (const { version } of stepsBack(history, from)) {
      const files = await history.filesOf(version);
      const resolution = files ? await this.resolve(files) : undefined;
      if (resolution?.kind === 'model') return { version, model: resolution.model };
      this.#options.log.error({ version }, 'this configuration of the history cannot be used');
    }
    const none = await this.resolve([]);
    if (none.kind === 'model') return { version: 0, model: none.model };
    throw new EgretError('VERSION_DAMAGED', { version: from });
  }

  async #trouble(): Promise<string | undefined> {
    const { clock, target } = this.#options;
    let late: ReturnType<Clock['after']> | undefined;
    const tooLate = new Promise<string>((resolve) => {
      late = clock.after(inForceMs, () => resolve(`not after ${inForceMs / 1000} s`));
    });
    try {
      return await Promise.race([target.inForce(), tooLate]);
    } finally {
      late?.clear();
    }
  }

  /** What no one waits for: refusals are logged and shown with status answers. */
  async #quietly(who: string, work: (who: Who) => Promise<Outcome | undefined>): Promise<void> {
    const { log, target } = this.#options;
    try {
      const outcome = await this.#turns.take(
        who,
        async () => (this.#isEnding ? undefined : work({ who, message: '' })),
        true,
      );
      if (outcome?.kind === 'nothing') log.info({ who }, 'the configuration is the one that runs');
      if (outcome?.kind === 'applied' && outcome.trouble) {
        log.warn({ trouble: outcome.trouble }, 'the configuration is not in force');
      }
    } catch (error) {
      if (this.#isEnding) return;
      log.error({ error }, 'the configuration was not applied, the running one stays');
      const { at, message } = error as Partial<EgretError> & Error;
      target.refuseConfig(at === undefined ? [message] : at.split('\n'));
    }
  }
}
