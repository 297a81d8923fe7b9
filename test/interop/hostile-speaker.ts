/** A typed hand on the hostile speaker in a host of the lab, see hostile-program.ts. */
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Host } from '../../images/lab/namespace.ts';
import type { Running } from '../../images/lab/process.ts';
import type { HostileMethods } from './hostile-program.ts';

type Params<M extends keyof HostileMethods> = Parameters<HostileMethods[M]>[0];
type Result<M extends keyof HostileMethods> = Awaited<ReturnType<HostileMethods[M]>>;

export class HostileSpeaker {
  readonly #running: Running;
  readonly #waiting = new Map<number, (reply: { result?: unknown; error?: string }) => void>();
  #requests = 0;

  private constructor(host: Host) {
    this.#running = host.startNode(fileURLToPath(new URL('./hostile-program.ts', import.meta.url)));
    const { stdout } = this.#running.child;
    if (!stdout) throw new Error('The hostile speaker has no output.');
    createInterface({ input: stdout }).on('line', (line) => {
      const reply = JSON.parse(line) as { id: number; result?: unknown; error?: string };
      this.#waiting.get(reply.id)?.(reply);
      this.#waiting.delete(reply.id);
    });
    void this.#running.ended.then(() => {
      const error = `The hostile speaker ended:\n${this.#running.output()}`;
      for (const settle of this.#waiting.values()) settle({ error });
    });
  }

  static async start(host: Host): Promise<HostileSpeaker> {
    const speaker = new HostileSpeaker(host);
    await speaker.call('ready', {});
    return speaker;
  }

  call<M extends keyof HostileMethods>(method: M, params: Params<M>): Promise<Result<M>> {
    const id = ++this.#requests;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, ({ result, error }) => {
        if (error === undefined) resolve(result as Result<M>);
        else reject(new Error(`${method}: ${error}`));
      });
      this.#running.child.stdin?.write(`${JSON.stringify({ id, method, params })}\n`);
    });
  }

  stop(): Promise<void> {
    return this.#running.stop();
  }
}
