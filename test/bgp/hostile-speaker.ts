// SPDX-License-Identifier: Apache-2.0
/** A typed hand on the hostile speaker in a host of the lab, see hostile-program.ts. */
import { fileURLToPath } from 'node:url';
import type { Host } from '../lab/namespace.ts';
import type { Running } from '../lab/process.ts';
import { type Params, Requests, type Result } from '../lab/requests.ts';
import type { HostileMethods } from './hostile-program.ts';

export class HostileSpeaker {
  readonly #running: Running;
  readonly #requests: Requests<HostileMethods>;

  private constructor(host: Host) {
    this.#running = host.startNode(fileURLToPath(new URL('./hostile-program.ts', import.meta.url)));
    this.#requests = new Requests('hostile speaker', this.#running);
  }

  static async start(host: Host): Promise<HostileSpeaker> {
    const speaker = new HostileSpeaker(host);
    await speaker.call('ready', {});
    return speaker;
  }

  call<Name extends keyof HostileMethods>(
    method: Name,
    params: Params<HostileMethods, Name>,
  ): Promise<Result<HostileMethods, Name>> {
    return this.#requests.call(method, params);
  }

  stop(): Promise<void> {
    return this.#running.stop();
  }
}
