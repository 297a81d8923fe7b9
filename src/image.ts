// SPDX-License-Identifier: Apache-2.0
/**
 * The image's own part of updates: a program that runs as root, by itself, on a box that was started
 * from a slot (docs/image.md).
 *
 *   node image.js serve INSTANCE   answers the connection on standard input (egret-image@.service)
 *   node image.js settle           at each start: confirms a slot, or restarts into the other (egret-confirm.service)
 *
 * INSTANCE is systemd's name for a connection: NUMBER-PID-UID of a Unix socket's other end.
 */
import { execFileSync } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, writeSync } from 'node:fs';
import { createConnection, Socket } from 'node:net';
import { uptime } from 'node:os';
import { bgpSockets } from './appliance/host/native-sockets.ts';
import { lock } from './dataplane/native.ts';
import { type Box, findBox } from './image/box.ts';
import { drain, networkRows } from './image/egretd.ts';
import { troubleOf } from './image/health.ts';
import { readTrustedKeys } from './image/keys.ts';
import { readRecord } from './image/record.ts';
import { imageService } from './image/service.ts';
import { keysFolder, makeReport, reportPath } from './image/slot-report.ts';
import { openStorage } from './image/storage.ts';
import { settle } from './image/trial.ts';
import { serveConnection } from './ipc/connection.ts';
import { systemClock } from './lib/clock.ts';
import { replaceFile, systemFiles } from './lib/durable-files.ts';
import { EgretError } from './lib/errors.ts';
import { parseIpv4 } from './net/ipv4.ts';
import { version } from './version.ts';

const runDir = '/run/egret';
const recordPath = '/data/image/record.json';
const lockPath = '/run/egret-image/lock';
/** The watchdog that the initramfs has started for a slot that is tried (images/initramfs). */
const watchdogPath = '/run/egret-image/watchdog';
/** The unit of a console's login shell. */
const consoleUnit = /\/egret-console@[^/]+\.service$/m;

/** Seconds from the start of the kernel; the watchdog restarts the box soon after. */
const healthyWithinS = 270;
const askAgainMs = 2_000;
/** Neighbors find other ways in a few seconds; packets that are under way still arrive. */
const drainMs = 10_000;
const sshPort = 22;

const storage = { open: openStorage, files: systemFiles, recordPath };
const sleep = (ms: number): Promise<void> =>
  new Promise((resolve) => {
    systemClock.after(ms, resolve);
  });

function log(text: string, facts: object = {}): void {
  process.stderr.write(`${JSON.stringify({ msg: text, ...facts })}\n`);
}

async function writeReport(box: Box): Promise<void> {
  const record = await readRecord(systemFiles, recordPath);
  const keys = readTrustedKeys(keysFolder);
  const report = await makeReport({ box, open: openStorage, keys, record });
  await replaceFile(systemFiles, reportPath, [Buffer.from(`${JSON.stringify(report)}\n`)], 0o644);
}

function restart(): void {
  execFileSync('/usr/bin/systemctl', ['--no-block', 'reboot'], { stdio: 'inherit' });
}

/** @param instance - names the client's process */
async function serve(instance: string): Promise<void> {
  const box = findBox();
  const [, pid] = /^\d+-(\d+)-\d+$/.exec(instance) ?? [];
  let isToRestart = false;
  const service = imageService({
    setting: () => ({
      ...storage,
      box,
      keys: readTrustedKeys(keysFolder),
      readyNetworks: async () => {
        const rows = await networkRows(runDir).catch(() => []);
        return rows.filter(({ ready }) => ready).map(({ name }) => name);
      },
    }),
    isConsole: pid !== undefined && isOfConsole(pid),
    takeLock: () => lock(lockPath) !== undefined,
    drain: async (by) => {
      const result = await drain(runDir, by);
      await sleep(drainMs);
      return result;
    },
    restart: () => {
      isToRestart = true;
    },
    report: () => writeReport(box),
    log: (facts, text) => log(text, facts),
  });
  const socket = new Socket({ fd: 0, readable: true, writable: true, allowHalfOpen: true });
  const isClosed = new Promise<void>((resolve) => {
    socket.once('close', () => resolve());
  });
  await serveConnection(socket, service, { turn: async () => {}, stalls: () => {} }).catch(
    (error: unknown) => log('request failed', { error: `${error}` }),
  );
  await isClosed;
  if (isToRestart) restart();
}

/** By what systemd says of the process, which it cannot say itself. */
function isOfConsole(pid: string): boolean {
  try {
    return consoleUnit.test(readFileSync(`/proc/${pid}/cgroup`, 'utf8'));
  } catch {
    return false;
  }
}

async function settleStart(): Promise<void> {
  const box = findBox();
  await writeReport(box);
  const outcome = await settle({
    ...storage,
    box,
    version,
    trouble: (networks) => troubleOf(runDir, networks, connectSsh),
    waits: async () => {
      await sleep(askAgainMs);
      return uptime() < healthyWithinS;
    },
    log,
  });
  if (outcome === 'to restart') {
    restart();
    return;
  }
  stopWatchdog();
  await writeReport(box);
}

function connectSsh(address: string, vrfDevice: string | undefined): Socket {
  const remoteAddress = parseIpv4(address);
  if (vrfDevice === undefined || remoteAddress === undefined) {
    return createConnection({ host: address, port: sshPort });
  }
  const options = { interface: vrfDevice, remoteAddress, remotePort: sshPort };
  return new Socket({ fd: bgpSockets.connect(options) });
}

/** Closed behind the byte V it is stopped; closed otherwise it restarts the box. */
function stopWatchdog(): void {
  if (!existsSync(watchdogPath)) return;
  const device = openSync(watchdogPath, 'w');
  writeSync(device, 'V');
  closeSync(device);
}

const [action, instance = ''] = process.argv.slice(2);
try {
  if (action === 'serve') await serve(instance);
  else if (action === 'settle') await settleStart();
  else throw new EgretError('USAGE', { what: 'image.js takes serve or settle' });
} catch (error) {
  log(error instanceof Error ? error.message : `${error}`, { stack: (error as Error).stack });
  process.exitCode = 1;
}
