/**
 * The forwarder process: adopt it or start it, hand it its ports, start it again when it dies.
 *
 * The forwarder has a session of its own and outlives egretd; the next egretd adopts it over its
 * socket after comparing ABI hashes. Every port has exactly one receiving socket: egretd opens it and
 * keeps a duplicate, so that a forwarder that was started again gets the same descriptor, and a
 * restarted egretd asks the running forwarder for its descriptors and opens only what is missing.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { Socket } from 'node:net';
import type { Clock, Timer } from '../lib/clock.ts';
import { EgretError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import * as native from './native.ts';

export interface ForwarderOptions {
  readonly socketPath: string;
  readonly pidPath: string;
  readonly arenaPath: string;
  /** true: a supervisor starts and stops it (systemd); we only connect. */
  readonly isExternal: boolean;
  readonly clock: Clock;
  readonly log: Log;
}

/** How long a new forwarder may take until it listens: it indexes every session first. */
const startTimeoutMs = 15_000;
const connectTimeoutMs = 2_000;
const connectRetryMs = 10;
const backOffMaxMs = 5_000;

export class Forwarder {
  readonly #options: ForwarderOptions;
  /** By slot. The descriptors are ours; the forwarder has duplicates. */
  readonly #ports = new Map<number, native.HeldPort>();
  #connection: { readonly fd: number; readonly pid: number; readonly socket: Socket } | undefined;
  #netlinkFd = -1;
  #backOffMs = 0;
  #retry: Timer | undefined;
  #isStopping = false;
  #startedAtMs = 0;
  /** Times that a forwarder died under this egretd. */
  deaths = 0;

  constructor(options: ForwarderOptions) {
    this.#options = options;
  }

  get pid(): number | undefined {
    return this.#connection?.pid;
  }

  get isUp(): boolean {
    return this.#connection !== undefined;
  }

  /**
   * Adopts the running forwarder, or starts one.
   *
   * @returns whether one was adopted
   * @throws FORWARDER_FAILED
   */
  async start(): Promise<'adopted' | 'started'> {
    const adopted = this.#tryConnect();
    if (adopted) {
      for (const port of native.forwarderTakePorts(this.#connection!.fd, connectTimeoutMs)) {
        this.#ports.set(port.slot, port);
      }
      // The old netlink socket works on, but a fresh one is read from the start: nothing is missed.
      this.#handNetlink();
      return 'adopted';
    }
    await this.#spawn();
    return 'started';
  }

  /** Opens an interface and hands it over, unless the forwarder already has exactly this one. */
  openPort(slot: number, ifindex: number): void {
    const held = this.#ports.get(slot);
    if (held?.ifindex === ifindex) return;
    if (held) this.closePort(slot);
    const port: native.HeldPort = { slot, ifindex, fd: native.packetSocket(ifindex) };
    this.#ports.set(slot, port);
    if (this.#connection) native.forwarderAddPort(this.#connection.fd, port, false);
  }

  closePort(slot: number): void {
    const held = this.#ports.get(slot);
    if (!held) return;
    this.#ports.delete(slot);
    native.closeFd(held.fd);
    if (this.#connection)
      this.#tolerate(() => native.forwarderRemovePort(this.#connection!.fd, slot));
  }

  /** Ports that are open now: slot → interface index. */
  openPorts(): ReadonlyMap<number, number> {
    return new Map([...this.#ports.values()].map((port) => [port.slot, port.ifindex]));
  }

  /** Wakes it from its sleep, so that a new plan is taken up at once. */
  wake(): void {
    if (this.#connection) native.forwarderWake(this.#connection.fd);
  }

  /** Ends it in order. Sessions stay in the arena. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#retry?.clear();
    const connection = this.#connection;
    if (connection) {
      native.forwarderStop(connection.fd);
      const closed = new Promise<void>((resolve) =>
        connection.socket.once('close', () => resolve()),
      );
      const late = new Promise<void>((resolve) =>
        this.#options.clock.after(3_000, () => resolve()),
      );
      await Promise.race([closed, late]);
    }
    for (const port of this.#ports.values()) native.closeFd(port.fd);
    this.#ports.clear();
  }

  /** Lets go of it without a word: it forwards on (egretd ends alone). */
  abandon(): void {
    this.#isStopping = true;
    this.#retry?.clear();
  }

  #tryConnect(): boolean {
    if (!existsSync(this.#options.socketPath)) return false;
    try {
      const { fd, pid } = native.forwarderConnect(this.#options.socketPath, connectTimeoutMs);
      const socket = new Socket({ fd, readable: true, writable: false });
      this.#connection = { fd, pid, socket };
      this.#startedAtMs = this.#options.clock.nowMs();
      socket.on('data', () => {});
      socket.on('error', () => {});
      socket.on('close', () => this.#died());
      return true;
    } catch (error) {
      const status = native.nativeStatusOf(error);
      if (status === 'NATIVE_ABI_MISMATCH') {
        throw new EgretError(
          'FORWARDER_FAILED',
          { reason: 'the one that runs was built from another version; stop it first' },
          { cause: error },
        );
      }
      if (status === 'NATIVE_CLOSED' || status === 'NATIVE_SYSTEM' || status === 'NATIVE_TIMEOUT') {
        return false;
      }
      throw error;
    }
  }

  async #spawn(): Promise<void> {
    const { clock, log, arenaPath, socketPath, pidPath, isExternal } = this.#options;
    let ended: string | undefined;
    if (!isExternal) {
      const args = ['--arena', arenaPath, '--socket', socketPath, '--pid-file', pidPath];
      const child = spawn(native.forwarderPath, args, {
        detached: true,
        stdio: ['ignore', 'ignore', 'inherit'],
      });
      child.on('error', (error) => {
        ended = error.message;
      });
      child.on('exit', (code, signal) => {
        ended = signal ?? `exit status ${code}`;
      });
      child.unref();
    }
    const deadline = clock.nowMs() + startTimeoutMs;
    while (!this.#tryConnect()) {
      if (this.#isStopping) return;
      if (ended !== undefined) throw new EgretError('FORWARDER_FAILED', { reason: ended });
      if (clock.nowMs() > deadline) {
        throw new EgretError('FORWARDER_FAILED', { reason: 'it does not listen' });
      }
      await new Promise<void>((resolve) => clock.after(connectRetryMs, resolve));
    }
    this.#handNetlink();
    for (const port of this.#ports.values()) {
      // What queued while none ran is old: it is counted and thrown away.
      native.forwarderAddPort(this.#connection!.fd, port, true);
    }
    log.info({ pid: this.pid, ports: this.#ports.size }, 'forwarder started');
  }

  #handNetlink(): void {
    if (this.#netlinkFd >= 0) native.closeFd(this.#netlinkFd);
    this.#netlinkFd = native.neighborSocket();
    native.forwarderSetNetlink(this.#connection!.fd, this.#netlinkFd);
  }

  #died(): void {
    this.#connection = undefined;
    if (this.#isStopping) return;
    this.deaths += 1;
    const { clock, log } = this.#options;
    const livedMs = clock.nowMs() - this.#startedAtMs;
    this.#backOffMs = livedMs > 10_000 ? 0 : Math.min(backOffMaxMs, this.#backOffMs * 2 || 50);
    const delayMs = livedMs > 1_000 ? 0 : this.#backOffMs;
    log.error({ livedMs: Math.round(livedMs), delayMs }, 'forwarder died, starting it again');
    this.#retry = clock.after(delayMs, () => {
      this.#spawn().catch((error) => {
        log.error({ error }, 'forwarder did not start');
        if (!this.#isStopping) this.#retry = clock.after(backOffMaxMs, () => this.#died());
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
