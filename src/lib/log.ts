// SPDX-License-Identifier: Apache-2.0
/** Structured logs on standard error, one JSON object a line (pino). */
import pino from 'pino';

export type Log = pino.Logger;

/**
 * The daemon's log.
 *
 * @param level - Appliance.spec.log.level
 * @param write - writes a line; false: it cannot be written now, and is lost. The next one that is
 *   written comes with the number of lost lines.
 */
export function makeLog(level: pino.Level, write: (line: string) => boolean): Log {
  const timestamp = pino.stdTimeFunctions.isoTime;
  let lost = 0;
  const destination = {
    write(line: string): void {
      const report = `{"level":40${timestamp()},"lost":${lost},"msg":"log lines were lost"}\n`;
      if (lost > 0 && write(report)) lost = 0;
      if (lost > 0 || !write(line)) lost += 1;
    },
  };
  return pino({ level, base: null, timestamp, errorKey: 'error' }, destination);
}

/** A log that keeps nothing, for tests. */
export const silentLog: Log = pino({ level: 'silent' });
