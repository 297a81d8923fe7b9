// SPDX-License-Identifier: Apache-2.0
/**
 * Programs that the build of the image calls, and the clock of its steps.
 *
 * Programs get a small environment: the same on every machine, with all times from
 * SOURCE_DATE_EPOCH. Nothing passes through a shell.
 */
import { execFileSync } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { work } from './settings.ts';

export interface Tools {
  /** Runs a program. @throws Error with the end of what it said, when it fails */
  run(program: string, args: readonly string[], options?: ToolOptions): void;
  /** The same; @returns what it printed to standard output */
  capture(program: string, args: readonly string[]): string;
}

export interface ToolOptions {
  readonly stdin?: string;
  readonly environment?: Readonly<Record<string, string>>;
}

/** Lines of a program that failed that are shown. */
const shownLines = 30;

export function toolsAt(epoch: number): Tools {
  const environment = {
    PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
    HOME: '/nonexistent',
    LC_ALL: 'C.UTF-8',
    TZ: 'UTC',
    SOURCE_DATE_EPOCH: String(epoch),
    // mkfs.ext4 knows only this name.
    E2FSPROGS_FAKE_TIME: String(epoch),
    ...proxies(),
  };
  return {
    run(program, args, options = {}) {
      const path = join(work, 'last-program.log');
      const log = openSync(path, 'w');
      try {
        execFileSync(program, args, {
          env: { ...environment, ...options.environment },
          input: options.stdin ?? '',
          stdio: ['pipe', log, log],
        });
      } catch (error) {
        const lines = readFileSync(path, 'utf8').trimEnd().split('\n').slice(-shownLines);
        const why = error instanceof Error ? error.message : String(error);
        throw new Error([`${program}: ${why}`, ...lines].join('\n'), { cause: error });
      } finally {
        closeSync(log);
      }
    },
    capture: (program, args) =>
      execFileSync(program, args, { env: environment, encoding: 'utf8', maxBuffer: 64 << 20 }),
  };
}

/** How packages are fetched is the machine's business. */
function proxies(): Record<string, string> {
  const names = ['http_proxy', 'https_proxy', 'no_proxy'];
  return Object.fromEntries(
    names.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])),
  );
}

/** Runs one step and prints what it took. */
export function step<T>(what: string, run: () => T): T {
  const start = performance.now();
  const result = run();
  const seconds = ((performance.now() - start) / 1000).toFixed(0);
  console.log(`  ${seconds.padStart(4)} s  ${what}`);
  return result;
}
