/** Structured logs on standard error, one JSON object a line (pino). */
import pino from 'pino';

export type Log = pino.Logger;

export const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace'] as const;
export type LogLevel = (typeof logLevels)[number];

/** The daemon's log. @param level - Appliance.spec.log.level */
export function makeLog(level: LogLevel): Log {
  return pino(
    { level, base: null, timestamp: pino.stdTimeFunctions.isoTime, errorKey: 'error' },
    pino.destination({ dest: 2, sync: true }),
  );
}

/** A log that keeps nothing, for tests. */
export const silentLog: Log = pino({ level: 'silent' });
