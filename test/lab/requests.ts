// SPDX-License-Identifier: Apache-2.0
/**
 * Requests to a program of the lab, one a line, over its stdin and stdout: the one who asks
 * (Requests) and the one who answers (serveRequests).
 *
 *   stdin    {"id": 1, "method": "ask", "params": {…}}
 *   stdout   {"id": 1, "result": …} or {"id": 1, "error": "…"}
 *
 * Requests begin in the order in which they were made: one that waits lets the next begin.
 */
import { createInterface } from 'node:readline';
import type { Running } from './process.ts';

/** What a program answers, by name. */
export type Methods = Readonly<Record<string, (params: never) => Promise<unknown>>>;

export type Params<M extends Methods, Name extends keyof M> = Parameters<M[Name]>[0];
export type Result<M extends Methods, Name extends keyof M> = Awaited<ReturnType<M[Name]>>;

interface Request {
  readonly id: number;
  readonly method: string;
  readonly params: never;
}

interface Reply {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: string;
}

/** The asking end. */
export class Requests<M extends Methods> {
  readonly #name: string;
  readonly #running: Running;
  readonly #waiting = new Map<number, (reply: Omit<Reply, 'id'>) => void>();
  #count = 0;

  /** @param name - of the program, for its errors */
  constructor(name: string, running: Running) {
    this.#name = name;
    this.#running = running;
    const { stdout } = running.child;
    if (!stdout) throw new Error(`${name} has no output.`);
    createInterface({ input: stdout }).on('line', (line) => {
      const reply = JSON.parse(line) as Reply;
      this.#waiting.get(reply.id)?.(reply);
      this.#waiting.delete(reply.id);
    });
    void running.ended.then(() => {
      const error = `it exited:\n${running.output()}`;
      for (const settle of this.#waiting.values()) settle({ error });
    });
  }

  /** @throws Error with what the program said went wrong, or all its output when it exited */
  call<Name extends keyof M & string>(
    method: Name,
    params: Params<M, Name>,
  ): Promise<Result<M, Name>> {
    const id = ++this.#count;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, ({ result, error }) => {
        if (error === undefined) resolve(result as Result<M, Name>);
        else reject(new Error(`${this.#name}: ${method}: ${error}`));
      });
      this.#running.child.stdin?.write(`${JSON.stringify({ id, method, params })}\n`);
    });
  }
}

/** The answering end: serves this process's stdin, and ends the process when that ends. */
export function serveRequests(methods: Methods): void {
  const requests = createInterface({ input: process.stdin });
  requests.on('line', (line) => void answer(methods, line));
  requests.on('close', () => process.exit(0));
}

async function answer(methods: Methods, line: string): Promise<void> {
  const { id, method, params } = JSON.parse(line) as Request;
  let reply: Reply;
  try {
    const found = methods[method];
    if (!found) throw new Error('There is no such method.');
    reply = { id, result: (await found(params)) ?? null };
  } catch (error) {
    const { message, cause } = error as Error;
    reply = { id, error: cause instanceof Error ? `${message}: ${cause.message}` : message };
  }
  process.stdout.write(`${JSON.stringify(reply)}\n`);
}
