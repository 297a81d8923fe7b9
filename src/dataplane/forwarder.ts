// SPDX-License-Identifier: Apache-2.0
/**
 * The forwarder process: adopt it or start it, hand it its ports, start it again when it dies.
 *
 * The forwarder has a session of its own and outlives egretd; the next egretd adopts it over its
 * socket when it was built from the same abi.h and works on our arena. One that was not, or that does
 * not answer, is stopped and replaced. Every port has exactly one receiving socket: egretd opens it and
 * keeps a duplicate, so that a forwarder that was started again gets the same descriptor, and a
 * restarted egretd asks the running forwarder for its descriptors and opens only what is missing.
 *
 * A forwarder that runs but hangs is detected by its heartbeat in the arena, which egretd polls. Polls
 * are counted, not seconds, so that a pause of the whole box is not held against the forwarder. After
 * three polls without a beat this is reported; after ten the forwarder is killed, like one that does not
 * answer. A busy forwarder beats, too.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import type { Socket } from 'node:net';
import type { Clock, Timer } from '../lib/clock.ts';
import { EgretError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import * as calls from './forwarder-calls.ts';
import {
  type ForwarderPlace,
  forwarderEnds,
  isForwarder,
  killUnreachable,
  stopForwarder,
} from './forwarder-process.ts';
import * as native from './native.ts';
import { streamOf } from './stream.ts';

export interface ForwarderOptions extends ForwarderPlace {
  /** When it last came to the end of a piece of work (ArenaDataPlane.forwarderHeartbeatNs). */
  readonly heartbeatNs: () => bigint;
  /** One runs that was adopted or just started, and has its ports. @param fd - the connection to it */
  readonly connected?: (fd: number) => void;
  readonly clock: Clock;
  readonly log: Log;
}

/** How long a new forwarder may take until it listens: it indexes every session first. */
const startTimeoutMs = 15_000;
const connectTimeoutMs = 2_000;
const connectRetryMs = 10;
const backOffMaxMs = 5_000;
/** How often its heartbeat is polled: it beats as often when idle. */
const heartbeatCheckMs = 1_000;
/** Polls in a row without a heartbeat after which this is reported, and after which it is replaced. */
const silentChecksReported = 3;
const silentChecksMax = 10;
/** native/forwarder/forwarder.c: another one runs on the arena; it will listen soon. */
const exitClaimed = 4;

/** A forwarder that cannot be adopted, and why. */
interface UnfitForwarder {
  readonly fd: number;
  readonly pid: number;
  readonly sessions: number;
  readonly reason: string;
}

export class Forwarder {
  readonly #options: ForwarderOptions;
  /** By slot. The descriptors are ours; the forwarder has duplicates. */
  readonly #ports = new Map<number, calls.HeldPort>();
  #connection: { readonly fd: number; readonly pid: number; readonly socket: Socket } | undefined;
  #netlinkFd = -1;
  #backOffMs = 0;
  #retry: Timer | undefined;
  /** What was started and does not listen yet. */
  #starting: ChildProcess | undefined;
  #isStopping = false;
  #startedAtMs = 0;
  #heartbeatNs = 0n;
  #heartbeatCheck: Timer | undefined;
  #silentChecks = 0;
  /** Times that a forwarder died under this egretd. */
  deaths = 0;

  constructor(options: ForwarderOptions) {
    this.#options = options;
  }

  get pid(): number | undefined {
    return this.#connection?.pid;
  }

  /** What an operator must know about it; undefined: it works. */
  get trouble(): string | undefined {
    if (!this.#connection) return 'no forwarder runs';
    if (this.#silentChecks < silentChecksReported) return undefined;
    return `the forwarder is silent for ${Math.round(this.silentMs / 1000)} s`;
  }

  /** How long its heartbeat has not advanced. */
  get silentMs(): number {
    return this.#silentChecks * heartbeatCheckMs;
  }

  /**
   * Adopts the running forwarder, or starts one.
   *
   * @returns whether one was adopted
   * @throws FORWARDER_FAILED
   */
  async start(): Promise<'adopted' | 'started'> {
    const found = await this.#find();
    if (found) {
      for (const port of calls.forwarderTakePorts(this.#connection!.fd, connectTimeoutMs)) {
        this.#ports.set(port.slot, port);
      }
      // The old netlink socket works on, but a fresh one is read from the start: nothing is missed.
      this.#handNetlink();
      this.#tolerate(() => this.#options.connected?.(this.#connection!.fd));
      return 'adopted';
    }
    await this.#spawn();
    return 'started';
  }

  /**
   * Opens an interface and hands it over, unless the forwarder already has exactly this one.
   *
   * @throws NATIVE_FAILED
   */
  openPort(slot: number, ifindex: number): void {
    const held = this.#ports.get(slot);
    if (held?.ifindex === ifindex) return;
    if (held) this.closePort(slot);
    const port: calls.HeldPort = { slot, ifindex, fd: native.packetSocket(ifindex) };
    this.#ports.set(slot, port);
    if (this.#connection) this.#handPort(this.#connection.fd, port, false);
  }

  /** @throws NATIVE_FAILED; a port that was refused, e.g. since its interface was removed, is closed */
  #handPort(fd: number, port: calls.HeldPort, isDiscarding: boolean): void {
    try {
      calls.forwarderAddPort(fd, port, isDiscarding);
    } catch (error) {
      // A forwarder that does not answer takes the port later, or the next one does.
      if (!isSilence(error)) {
        this.#ports.delete(port.slot);
        native.closeFd(port.fd);
      }
      throw error;
    }
  }

  closePort(slot: number): void {
    const held = this.#ports.get(slot);
    if (!held) return;
    this.#ports.delete(slot);
    native.closeFd(held.fd);
    if (this.#connection)
      this.#tolerate(() => calls.forwarderRemovePort(this.#connection!.fd, slot));
  }

  /** Ports that are open now: slot → interface index. */
  openPorts(): ReadonlyMap<number, number> {
    return new Map([...this.#ports.values()].map((port) => [port.slot, port.ifindex]));
  }

  /** Removes sessions in a slice of the table. @throws FORWARDER_FAILED, NATIVE_FAILED */
  clearSessions(which: calls.SessionsCleared, cursor: number): { removed: number; cursor: number } {
    if (!this.#connection) throw new EgretError('FORWARDER_FAILED', { reason: 'none runs' });
    return calls.forwarderClearSessions(this.#connection.fd, which, cursor);
  }

  /** Wakes it from its sleep, so that a new plan is taken up at once. */
  wake(): void {
    if (this.#connection) calls.forwarderWake(this.#connection.fd);
  }

  /** Stops it in order. Sessions stay in the arena. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#retry?.clear();
    this.#heartbeatCheck?.clear();
    // No socket leads to it that could stop it, and it would keep the arena's memory.
    this.#starting?.kill('SIGKILL');
    if (this.#connection) {
      const { fd, pid } = this.#connection;
      calls.forwarderStop(fd);
      // A supervisor's is the supervisor's to kill.
      if (!this.#options.isExternal) await forwarderEnds(pid, this.#options.clock);
    }
    for (const port of this.#ports.values()) native.closeFd(port.fd);
    this.#ports.clear();
  }

  /** Closes the connection without stopping it: it continues to forward (egretd stops alone). */
  abandon(): void {
    this.#isStopping = true;
    this.#retry?.clear();
    this.#heartbeatCheck?.clear();
  }

  /** Connects to the forwarder that runs, unless it must be replaced. @returns whether there is one */
  async #find(): Promise<boolean> {
    const found = this.#tryConnect();
    if (typeof found === 'boolean') {
      if (!found) await killUnreachable(this.#options, this.#options.clock, this.#options.log);
      return found;
    }
    const { pid, sessions, reason } = found;
    this.#options.log.warn(
      { pid, sessions, reason },
      'forwarder is replaced, its sessions are lost',
    );
    await stopForwarder(found.fd, found.pid, this.#options.clock);
    return false;
  }

  #tryConnect(): boolean | UnfitForwarder {
    const { socketPath, arenaPath, clock } = this.#options;
    if (!existsSync(socketPath)) return false;
    let fd = -1;
    try {
      const found = calls.forwarderConnect(socketPath, connectTimeoutMs);
      fd = found.fd;
      const { arenaInode, sessions } = calls.forwarderHolds(fd);
      if (!found.isSameAbi || arenaInode !== statSync(arenaPath, { bigint: true }).ino) {
        const reason = found.isSameAbi ? 'it works on another arena' : 'it is of another version';
        return { fd, pid: found.pid, sessions, reason };
      }
      const socket = streamOf(fd, false);
      const connection = { fd, pid: found.pid, socket };
      this.#connection = connection;
      this.#startedAtMs = clock.nowMs();
      this.#silentChecks = 0;
      this.#checkHeartbeatSoon();
      socket.on('data', () => {});
      socket.on('error', () => {});
      socket.on('close', () => {
        if (this.#connection === connection) this.#died();
      });
      return true;
    } catch (error) {
      if (fd >= 0) native.closeFd(fd);
      if (isSilence(error) || native.nativeStatusOf(error) === 'NATIVE_SYSTEM') return false;
      throw error;
    }
  }

  async #spawn(): Promise<void> {
    if (this.#isStopping) return;
    const { clock, log, arenaPath, socketPath, pidPath, isExternal } = this.#options;
    let ended: string | undefined;
    if (!isExternal) {
      const args = ['--arena', arenaPath, '--socket', socketPath, '--pid-file', pidPath];
      const child = spawn(native.forwarderPath, args, {
        detached: true,
        stdio: ['ignore', 'ignore', 'inherit'],
        // It is no child of egretd's supervisor, which would not listen to it.
        env: { ...process.env, NOTIFY_SOCKET: undefined },
      });
      child.on('error', (error) => {
        ended = error.message;
      });
      child.on('exit', (code, signal) => {
        if (code !== exitClaimed) ended = signal ?? `exit status ${code}`;
      });
      child.unref();
      this.#starting = child;
    }
    const deadline = clock.nowMs() + startTimeoutMs;
    while (!(await this.#connects())) {
      if (this.#isStopping) return;
      if (ended !== undefined) throw new EgretError('FORWARDER_FAILED', { reason: ended });
      if (clock.nowMs() > deadline) {
        throw new EgretError('FORWARDER_FAILED', { reason: 'it does not listen' });
      }
      await new Promise<void>((resolve) => clock.after(connectRetryMs, resolve));
    }
    this.#starting = undefined;
    this.#equip(this.#connection!.fd);
    log.info({ pid: this.pid, ports: this.#ports.size }, 'forwarder started');
  }

  /**
   * Hands a new forwarder what the one before had. A refused port is logged, and the others are still
   * handed over; when the forwarder does not answer, it has died or will be replaced.
   */
  #equip(fd: number): void {
    for (const port of [...this.#ports.values()]) {
      try {
        // What queued while none ran is old: it is counted and thrown away.
        this.#handPort(fd, port, true);
      } catch (error) {
        const { ifindex } = port;
        this.#options.log.warn({ error, ifindex }, 'the new forwarder refused a port');
        if (isSilence(error)) return;
      }
    }
    // After the ports: without a port, their neighbors would be removed.
    this.#tolerate(() => this.#handNetlink());
    this.#tolerate(() => this.#options.connected?.(fd));
  }

  async #connects(): Promise<boolean> {
    const found = this.#tryConnect();
    if (typeof found === 'boolean') return found;
    // A supervisor started one that was built from another abi.h, or for the arena before.
    await stopForwarder(found.fd, found.pid, this.#options.clock);
    return false;
  }

  #handNetlink(): void {
    if (this.#netlinkFd >= 0) native.closeFd(this.#netlinkFd);
    this.#netlinkFd = native.neighborSocket();
    calls.forwarderSetNetlink(this.#connection!.fd, this.#netlinkFd);
  }

  #checkHeartbeatSoon(): void {
    this.#heartbeatCheck?.clear();
    this.#heartbeatCheck = this.#options.clock.after(heartbeatCheckMs, () => {
      this.#checkHeartbeat();
      this.#checkHeartbeatSoon();
    });
  }

  #checkHeartbeat(): void {
    const { log, isExternal } = this.#options;
    const heartbeatNs = this.#options.heartbeatNs();
    const wasReported = this.#silentChecks >= silentChecksReported;
    this.#silentChecks = heartbeatNs === this.#heartbeatNs ? this.#silentChecks + 1 : 0;
    this.#heartbeatNs = heartbeatNs;
    const { pid, silentMs } = this;
    if (this.#silentChecks === silentChecksReported) {
      log.error({ pid, silentMs }, 'forwarder is silent, nothing is forwarded');
    } else if (wasReported && this.#silentChecks === 0) {
      log.warn({ pid }, 'forwarder works again');
    } else if (this.#silentChecks === silentChecksMax && !isExternal && isForwarder(pid)) {
      log.error({ pid, silentMs }, 'forwarder is silent for too long, it is killed');
      process.kill(pid, 'SIGKILL');
    }
  }

  #died(): void {
    this.#connection = undefined;
    this.#heartbeatCheck?.clear();
    if (this.#isStopping) return;
    this.deaths += 1;
    const { clock, log } = this.#options;
    const livedMs = clock.nowMs() - this.#startedAtMs;
    this.#backOffMs = livedMs > 10_000 ? 0 : Math.min(backOffMaxMs, this.#backOffMs * 2 || 50);
    const delayMs = livedMs > 1_000 ? 0 : this.#backOffMs;
    log.error({ livedMs: Math.round(livedMs), delayMs }, 'forwarder died, starting it again');
    this.#spawnAfter(delayMs);
  }

  #spawnAfter(delayMs: number): void {
    const { clock, log } = this.#options;
    this.#retry = clock.after(delayMs, () => {
      this.#spawn().catch((error) => {
        log.error({ error }, 'forwarder did not start');
        if (!this.#isStopping) this.#spawnAfter(backOffMaxMs);
      });
    });
  }

  /** A call that may fail because the forwarder is just dying; its death is handled elsewhere. */
  #tolerate(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.#options.log.debug({ error }, 'forwarder did not take a message');
    }
  }
}

/** Whether a call failed because the forwarder is dead, or does not answer. */
function isSilence(error: unknown): boolean {
  const status = native.nativeStatusOf(error);
  return status === 'NATIVE_CLOSED' || status === 'NATIVE_TIMEOUT';
}
