// SPDX-License-Identifier: Apache-2.0
/**
 * egretd: start with the configuration that ran last, serve, handle signals.
 *
 *   SIGTERM, SIGINT   stop everything in order, within 15 s
 *   SIGHUP            the same as egret apply
 *   SIGUSR2           end alone (upgrade): queues flushed, forwarder and routes stay
 *
 * The only file that ends the process.
 */
import { adminCommands } from './admin/commands.ts';
import { adminService } from './admin/service.ts';
import { ipcSockets } from './appliance/host/native-sockets.ts';
import { Supervisor } from './appliance/host/supervisor.ts';
import { RunDir } from './appliance/restart/run-dir.ts';
import { Appliance } from './appliance.ts';
import { ConfigControl } from './apply/control.ts';
import { openHistory } from './apply/open-history.ts';
import { chooseStart, type Start } from './apply/start.ts';
import { ConfigWatcher } from './apply/watcher.ts';
import { readConfig, readConfigInSteps, resolveConfig } from './config/load.ts';
import { resolveConfigAside } from './config/load-aside.ts';
import { formatErrors } from './config/yaml/located.ts';
import { lock, notifySupervisor, writeLog } from './dataplane/native.ts';
import type { History } from './history/history.ts';
import { RequestServer } from './ipc/server.ts';
import { systemBoot } from './lib/boot.ts';
import { systemClock } from './lib/clock.ts';
import { coalesced } from './lib/coalesced.ts';
import { EgretError } from './lib/errors.ts';
import { type Log, makeLog } from './lib/log.ts';
import { systemRandom } from './lib/random.ts';
import type { LiveParts } from './status/parts.ts';
import { statusService } from './status/server.ts';
import { boxFacts, systemFacts } from './status/system-facts.ts';
import { version } from './version.ts';

export interface DaemonOptions {
  readonly configPath: string;
  readonly runDir: string;
  readonly stateDir: string;
  readonly isForwarderExternal: boolean;
  /** egretd sets up interfaces, names and clocks of the box. */
  readonly isHostManaged: boolean;
  /** Start without a configuration rather than not at all. */
  readonly mayBeEmpty: boolean;
}

const ownSignals = ['SIGTERM', 'SIGINT', 'SIGUSR2', 'SIGHUP'] as const;
type OwnSignal = (typeof ownSignals)[number];

const stopTimeoutMs = 15_000;

/**
 * Runs until a signal ends it.
 *
 * @returns the exit status: 0 after an orderly end, 2 when the configuration is invalid at start
 * @throws EgretError when the run directory or the state directory is another's
 */
export async function runDaemon(options: DaemonOptions): Promise<number> {
  const followSignals = keepSignals();
  const log = makeLog('info', writeLog);
  const boot = systemBoot();
  const runDir = RunDir.take(options.runDir);
  let start: Exclude<Start, { kind: 'errors' }>;
  let history: History | undefined;
  let appliance: Appliance;
  try {
    history = await historyOrNone(options.stateDir, log);
    const { configPath, mayBeEmpty } = options;
    const chosen = await chooseStart({
      ...{ history, configPath, mayBeEmpty, boot, log },
      read: () => readConfig(configPath),
      resolve: resolveConfig,
    });
    if (chosen.kind === 'errors') {
      runDir.release();
      process.stderr.write(formatErrors(chosen.errors));
      return 2;
    }
    start = chosen;
    log.level = start.model.appliance.logLevel;
    appliance = await Appliance.start({
      ...{ model: start.model, runDir, log, clock: systemClock, random: systemRandom },
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
  const pause = (): Promise<void> => appliance.queue.pause();
  const watcher = new ConfigWatcher(
    options.configPath,
    systemClock,
    log,
    coalesced(() => control.filesChanged()),
  );
  const control = new ConfigControl({
    ...{ target: appliance, history, configPath: options.configPath, boot, log },
    openHistory: () => openState(options.stateDir),
    read: (path) => readConfigInSteps(path, pause),
    resolve: (set) => resolveConfigAside(set, pause),
    clock: systemClock,
    taken: (model) => watcher.follow(model),
  });
  await control.started(start);
  const live = (): LiveParts => ({
    ...appliance.live(),
    facts: () => systemFacts({ ...boxFacts, version }),
  });
  const servers = [
    await RequestServer.listen(
      runDir.file('status.sock'),
      statusService(live),
      appliance.queue,
      log,
      ipcSockets,
    ),
    await RequestServer.listen(
      runDir.file('admin.sock'),
      adminService(
        adminCommands,
        () => ({ control, live: live(), operations: appliance.operations }),
        log,
      ),
      appliance.queue,
      log,
      ipcSockets,
    ),
  ];
  const supervisor = new Supervisor(systemClock, process.env, process.pid, notifySupervisor, () =>
    stateInWords(live()),
  );
  supervisor.ready();
  return new Promise<number>((resolve) => {
    let isEnding = false;
    const end = (signal: string, finish: () => Promise<void>): void => {
      if (isEnding) return;
      isEnding = true;
      log.info({ signal }, 'stopping');
      // A configuration that is read while the appliance ends is not taken.
      control.stop();
      watcher.stop();
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
          for (const server of servers) server.close();
        });
    };
    followSignals({
      SIGTERM: () => end('SIGTERM', () => appliance.stop()),
      SIGINT: () => end('SIGINT', () => appliance.stop()),
      SIGUSR2: () => end('SIGUSR2', () => appliance.abandon()),
      SIGHUP: coalesced(async () => {
        supervisor.reloading();
        await control.reload();
        if (!isEnding) supervisor.ready();
      }),
    });
  }).then((status) => process.exit(status));
}

/** For `systemctl status`. */
function stateInWords({ model, networkReadiness, configErrors }: LiveParts): string {
  const ready = model.networks.filter(({ name }) => networkReadiness.get(name)?.isReady).length;
  const refused = configErrors.length > 0 ? ', the newest configuration was refused' : '';
  return `${ready} of ${model.networks.length} networks ready${refused}`;
}

let isStateLocked = false;

const openState = (path: string): Promise<History> =>
  openHistory(path, (lockPath) => {
    isStateLocked ||= lock(lockPath) !== undefined;
    return isStateLocked;
  });

/** A disk that is full or broken does not keep the box from its work: nothing is applied then. */
async function historyOrNone(path: string, log: Log): Promise<History | undefined> {
  try {
    return await openState(path);
  } catch (error) {
    if (!(error instanceof EgretError) || error.code === 'STATE_DIR_LOCKED') throw error;
    log.error({ error }, 'there is no history: nothing can be applied');
    return undefined;
  }
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
