// SPDX-License-Identifier: Apache-2.0
/** Watches the files as long as the configuration that runs says so (Appliance.spec.config.watch). */
import { watchConfig } from '../config/watch.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import type { Model } from '../model/model.ts';

export class ConfigWatcher {
  readonly #path: string;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #changed: () => void;
  #stop: (() => void) | undefined;

  constructor(path: string, clock: Clock, log: Log, changed: () => void) {
    this.#path = path;
    this.#clock = clock;
    this.#log = log;
    this.#changed = changed;
  }

  follow({ appliance: { isWatchingConfig } }: Model): void {
    if (!isWatchingConfig) this.stop();
    else
      this.#stop ??= watchConfig(this.#path, this.#clock, this.#changed, (error) => {
        this.#log.error({ error }, 'the configuration is not watched; egret apply applies it');
      });
  }

  stop(): void {
    this.#stop?.();
    this.#stop = undefined;
  }
}
