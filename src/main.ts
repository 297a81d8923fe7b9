// SPDX-License-Identifier: Apache-2.0
/**
 * egretd: read the configuration, start the appliance, handle signals.
 *
 *   SIGTERM, SIGINT   stop everything in order, within 15 s
 *   SIGHUP            read the configuration again: all of it or none; what came last counts
 *   SIGUSR2           end alone (upgrade): queues flushed, forwarder and routes stay
 *
 * The only file that ends the process.
 */
import { Supervisor } from './appliance/host/supervisor.ts';
import { RunDir } from './appliance/restart/run-dir.ts';
import { Appliance } from './appliance.ts';
import { loadConfig } from './config/load.ts';
import { loadConfigAside } from './config/load-aside.ts';
import type { Resolution } from './config/resolve/resolve.ts';
import { watchConfig } from './config/watch.ts';
import { formatErrors } from './config/yaml/located.ts';
import { notifySupervisor, writeLog } from './dataplane/native.ts';
import { RequestServer } from './ipc/server.ts';
import { systemClock } from './lib/clock.ts';
import { coalesced } from './lib/coalesced.ts';
import { EgretError } from './lib/errors.ts';
import { type Log, makeLog } from './lib/log.ts';
import { systemRandom } from './lib/random.ts';
import type { LiveParts } from './status/parts.ts';
import { statusService } from './status/server.ts';

export interface DaemonOptions {
  readonly configPath: string;
  readonly runDir: string;
  readonly isForwarderExternal: boolean;
  /** egretd sets up interfaces, names and clocks of the box. */
  readonly isHostManaged: boolean;
}

const ownSignals = ['SIGTERM', 'SIGINT', 'SIGUSR2', 'SIGHUP'] as const;
type OwnSignal = (typeof ownSignals)[number];

const stopTimeoutMs = 15_000;

/**
 * Runs until a signal ends it.
 *
 * @returns the exit status: 0 after an orderly end, 2 when the configuration is invalid at start
 * @throws EgretError when the run directory is another's
 */
export async function runDaemon(options: DaemonOptions): Promise<number> {
  const followSignals = keepSignals();
  const loaded = loadConfig(options.configPath);
  if (loaded.kind === 'errors') {
    process.stderr.write(formatErrors(loaded.errors));
    return 2;
  }
  const log = makeLog(loaded.model.appliance.logLevel, writeLog);
  const runDir = RunDir.take(options.runDir);
  let appliance: Appliance;
  try {
    appliance = await Appliance.start({
      model: loaded.model,
      runDir,
      clock: systemClock,
      random: systemRandom,
      log,
      isForwarderExternal: options.isForwarderExternal,
      isHostManaged: options.isHostManaged,
    });
  } catch (error) {
    runDir.release();
    if (!(error instanceof EgretError)) throw error;
    const { at, message, hint, exit } = error;
    process.stderr.write(`${at === undefined ? '' : `${at}\n`}egret: ${message}\n  ${hint}\n`);
    // Whatever a failed start left open must not keep the process.
    process.exit(exit);
  }
  const status = await RequestServer.listen(
    runDir.file('status.sock'),
    statusService(() => appliance.live()),
    appliance.queue,
    log,
  );
  const supervisor = new Supervisor(systemClock, process.env, process.pid, notifySupervisor, () =>
    stateInWords(appliance.live()),
  );
  supervisor.ready();
  return new Promise<number>((resolve) => {
    let isEnding = false;
    const end = (signal: string, finish: () => Promise<void>): void => {
      if (isEnding) return;
      isEnding = true;
      log.info({ signal }, 'stopping');
      supervisor.stopping();
      const late = systemClock.after(stopTimeoutMs, () => {
        log.error('the orderly stop took too long');
        process.exit(1);
      });
      finish()
        .then(() => resolve(0))
        .catch((error) => {
          log.error({ error }, 'the orderly stop failed');
          resolve(1);
        })
        .finally(() => {
          late.clear();
          status.close();
        });
    };
    // A configuration that is read while the appliance ends is not taken.
    const again = coalesced(async () => {
      supervisor.reloading();
      const read = await readAgain(options.configPath, appliance, log);
      if (read && !isEnding) take(read, appliance, log);
      if (!isEnding) supervisor.ready();
    });
    followSignals({
      SIGTERM: () => end('SIGTERM', () => appliance.stop()),
      SIGINT: () => end('SIGINT', () => appliance.stop()),
      SIGUSR2: () => end('SIGUSR2', () => appliance.abandon()),
      SIGHUP: again,
    });
    if (loaded.model.appliance.isWatchingConfig) {
      watchConfig(options.configPath, systemClock, again, (error) => {
        log.error({ error }, 'the configuration is not watched; SIGHUP reads it again');
      });
    }
  }).then((status) => process.exit(status));
}

/** For `systemctl status`. */
function stateInWords({ model, networkReadiness, configErrors }: LiveParts): string {
  const ready = model.networks.filter(({ name }) => networkReadiness.get(name)?.isReady).length;
  const refused = configErrors.length > 0 ? ', the newest configuration was refused' : '';
  return `${ready} of ${model.networks.length} networks ready${refused}`;
}

/**
 * Keeps the signals that come during the start, which is to end in order or to begin with the newest
 * configuration too.
 *
 * @returns follows the signals from now on, those that were kept first
 */
function keepSignals(): (actions: Readonly<Record<OwnSignal, () => void>>) => void {
  const kept = new Set<OwnSignal>();
  const keep = (signal: NodeJS.Signals): void => void kept.add(signal as OwnSignal);
  for (const signal of ownSignals) process.on(signal, keep);
  return (actions) => {
    for (const signal of ownSignals) process.off(signal, keep).on(signal, actions[signal]);
    for (const signal of kept) actions[signal]();
  };
}

/** @returns undefined when it could not even be read; then the running one stays */
async function readAgain(
  path: string,
  appliance: Appliance,
  log: Log,
): Promise<Resolution | undefined> {
  try {
    return await loadConfigAside(path, () => appliance.queue.pause());
  } catch (error) {
    log.error({ error }, 'the configuration was not read, the running one stays');
    appliance.refuseConfig([`${error}`]);
    return undefined;
  }
}

/** Takes a configuration whole or not at all. */
function take(read: Resolution, appliance: Appliance, log: Log): void {
  if (read.kind === 'errors') {
    const errors = formatErrors(read.errors).trimEnd().split('\n');
    appliance.refuseConfig(errors);
    log.error({ errors }, 'configuration refused, the running one stays');
    return;
  }
  try {
    appliance.apply(read.model);
  } catch (error) {
    const { at, message } = error as Partial<EgretError> & Error;
    appliance.refuseConfig(at === undefined ? [message] : at.split('\n'));
    log.error({ error }, 'configuration refused, the running one stays');
  }
}
