// SPDX-License-Identifier: Apache-2.0
/**
 * What systemd does with the two units, as far as tests need it: a program with the capabilities that
 * its unit leaves it, started again whenever it exits, and the socket that it notifies (sd_notify(3)).
 */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import {
  AF_UNIX,
  bindSocket,
  closeSocket,
  openSocket,
  receiveBytes,
  SOCK_DGRAM,
  unixAddress,
} from './libc.ts';
import type { Host } from './namespace.ts';
import type { Running } from './process.ts';

const restartMs = 250; // RestartSec of the forwarder's unit

/** Socket of a supervisor; what comes is kept. */
export class NotifySocket {
  readonly path: string;
  readonly #fd: number;
  readonly #received: string[] = [];

  constructor(path: string) {
    this.path = path;
    this.#fd = openSocket(AF_UNIX, SOCK_DGRAM, 0);
    bindSocket(this.#fd, unixAddress(path));
  }

  /** Every datagram until now, oldest first. */
  received(): readonly string[] {
    const bytes = Buffer.alloc(4096);
    for (;;) {
      const got = receiveBytes(this.#fd, bytes, Buffer.alloc(110));
      if (got < 0) return this.#received;
      this.#received.push(bytes.toString('utf8', 0, got));
    }
  }

  close(): void {
    closeSocket(this.#fd);
  }
}

/** A setting of a unit that we ship. @throws Error when it has none */
export function unitSetting(unit: string, name: string): string {
  const path = fileURLToPath(new URL(`../../images/systemd/${unit}.service`, import.meta.url));
  const value = new RegExp(`^${name}=(.*)$`, 'm').exec(readFileSync(path, 'utf8'))?.[1];
  if (value === undefined) throw new Error(`${path} has no ${name}`);
  return value;
}

/** The words in front of a program that leave it what its unit does: setpriv(1), env(1). */
export function confinedAs(unit: string, notify: NotifySocket): string[] {
  const capabilities = unitSetting(unit, 'CapabilityBoundingSet')
    .split(' ')
    .map((name) => `+${name.replace('CAP_', '').toLowerCase()}`);
  const sets = ['-all', ...capabilities].join(',');
  return [
    ...['setpriv', '--bounding-set', sets, '--inh-caps', '-all', '--no-new-privs'],
    ...['env', `NOTIFY_SOCKET=${notify.path}`],
  ];
}

/** Runs a program, again and again, until it is stopped. */
export class Supervised {
  readonly #host: Host;
  readonly #argv: readonly string[];
  #running: Running;
  #isStopping = false;

  constructor(host: Host, argv: readonly string[]) {
    this.#host = host;
    this.#argv = argv;
    this.#running = this.#start();
  }

  get pid(): number {
    return this.#running.pid;
  }

  output(): string {
    return this.#running.output();
  }

  #start(): Running {
    const running = this.#host.start(this.#argv);
    void running.ended.then(async () => {
      await sleep(restartMs);
      if (!this.#isStopping) this.#running = this.#start();
    });
    return running;
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#running.stop('SIGTERM');
  }
}
