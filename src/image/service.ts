// SPDX-License-Identifier: Apache-2.0
/**
 * What the image service answers: one request, the installation of an update. It is a process of its
 * own for each connection (egret-image@.service), started by systemd as root: egretd may open no
 * partition, and an update that repairs egretd must not need it.
 */
import type { Service } from '../ipc/connection.ts';
import { EgretError } from '../lib/errors.ts';
import { parseRequestLine, readRequest } from '../lib/json-request.ts';
import { boolean, defaulted, object, text } from '../lib/json-schema.ts';
import { type Installed, type InstallSetting, install } from './install.ts';

const requestSchema = object({
  allowUnsigned: defaulted(boolean(), false),
  noReboot: defaulted(boolean(), false),
  /** For the log: a key's comment, or the account's name. */
  who: text(),
});

export interface ImageServiceSetting {
  readonly setting: () => Omit<InstallSetting, 'allowsUnsigned'>;
  /** The client is a process of the console. */
  readonly isConsole: boolean;
  /** @returns false: another installation has it */
  readonly takeLock: () => boolean;
  /** Lets others take over what this box does. @returns what came of it, in a line */
  readonly drain: (who: string) => Promise<string>;
  /** Restarts the box, once the answer is sent. */
  readonly restart: () => void;
  /** Brings what others read of the slots up to date. */
  readonly report: () => Promise<void>;
  readonly log: (facts: object, text: string) => void;
}

export function imageService(how: ImageServiceSetting): Service {
  return {
    group: 'egret-admin',
    warning: () => undefined,
    async *answer(line, body) {
      const { who, allowUnsigned, noReboot } = readRequest(requestSchema, parseRequestLine(line));
      how.log({ who, allowUnsigned, noReboot, isConsole: how.isConsole }, 'image install');
      if (allowUnsigned && !how.isConsole) throw new EgretError('CONSOLE_ONLY');
      if (!how.takeLock()) throw new EgretError('INSTALL_BUSY');
      const lines = install(body, { ...how.setting(), allowsUnsigned: allowUnsigned });
      const installed = yield* reported(lines, how);
      await how.report();
      if (typeof installed === 'number') return installed;
      const { slot, version } = installed;
      how.log({ who, slot, version }, 'installed');
      if (noReboot) {
        yield `the next start tries slot ${slot}\n`;
        return 0;
      }
      yield `${await how.drain(who)}\n`;
      yield `restarting into slot ${slot}; unless it is healthy in time, this slot comes back\n`;
      how.restart();
      return 0;
    },
  };
}

/**
 * Once something was printed a refusal is printed behind it.
 *
 * @returns the exit status, if it failed
 */
async function* reported(
  lines: AsyncGenerator<string, Installed>,
  { log }: ImageServiceSetting,
): AsyncGenerator<string, Installed | number> {
  let isBegun = false;
  for (;;) {
    try {
      const next = await lines.next();
      if (next.done) return next.value;
      yield next.value;
      isBegun = true;
    } catch (error) {
      const known = error instanceof EgretError ? error : failure(error);
      log({ error }, 'the update was not installed');
      if (!isBegun) throw known;
      yield `egret: ${known.message}\n  ${known.hint}\n`;
      return known.exit;
    }
  }
}

const failure = (cause: unknown): EgretError =>
  new EgretError('INSTALL_FAILED', { reason: `${(cause as Error).message}` }, { cause });
