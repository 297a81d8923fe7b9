// SPDX-License-Identifier: Apache-2.0
/**
 * resolveConfig in a thread of its own: ten thousand documents take a second, and the main thread has
 * timers to keep. The only file that knows of the thread; it is both of its sides.
 *
 *   main                                      thread
 *   resolveConfigAside ── files ────────────▶ resolveConfig
 *                      ◀── clients, by the thousand ──
 *                      ◀── all the rest, or errors ── (copied), and the thread exits, which frees its memory
 *
 * Each reading has a thread of its own: starting one takes some 150 ms of CPU, and keeping one would
 * cost its heap. So small configurations are checked on the main thread. Of all resources only clients are
 * many; the main thread takes a thousand of them in one step.
 */
import {
  MessageChannel,
  type MessagePort,
  parentPort,
  receiveMessageOnPort,
  Worker,
  workerData,
} from 'node:worker_threads';
import type { Client } from '../model/model.ts';
import type { ConfigSet } from './config-set.ts';
import { isSmall, resolveConfig } from './load.ts';
import type { Resolution } from './resolve/resolve.ts';

interface Task {
  readonly task: 'load-config';
  readonly set: ConfigSet;
  /** Where clients go, before the answer. */
  readonly clients: MessagePort;
}

const clientsInMessage = 1000;
/** Errors reported, when ten thousand Pods have the same one; `egret check` prints all of them. */
const errorsMax = 1000;

/**
 * @param pause - lets other work of the main thread have its turn
 * @returns what resolveConfig returns, of errors the first thousand
 * @throws what kept the thread from answering, e.g. want of memory
 */
export async function resolveConfigAside(
  set: ConfigSet,
  pause: () => Promise<void>,
): Promise<Resolution> {
  await pause();
  if (isSmall(set)) return resolveConfig(set);
  const { port1: port, port2 } = new MessageChannel();
  try {
    const task: Task = { task: 'load-config', set, clients: port2 };
    const loaded = await answerOf(task);
    if (loaded.kind === 'errors') return loaded;
    const clients: Client[] = [];
    for (;;) {
      await pause();
      const received = receiveMessageOnPort(port) as { message: Client[] } | undefined;
      if (!received) return { kind: 'model', model: { ...loaded.model, clients } };
      clients.push(...received.message);
    }
  } finally {
    port.close();
  }
}

function answerOf(task: Task): Promise<Resolution> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL(import.meta.url), {
      workerData: task,
      transferList: [task.clients],
    });
    worker.once('message', resolve);
    worker.once('error', reject);
    worker.once('exit', () =>
      reject(new Error('the thread that read it exited without an answer')),
    );
  });
}

/** What the thread does. */
function answer(task: Task): void {
  const loaded = resolveConfig(task.set);
  if (loaded.kind === 'errors') {
    const first: Resolution = { kind: 'errors', errors: loaded.errors.slice(0, errorsMax) };
    parentPort?.postMessage(first);
    return;
  }
  const { clients, ...rest } = loaded.model;
  for (let from = 0; from < clients.length; from += clientsInMessage) {
    task.clients.postMessage(clients.slice(from, from + clientsInMessage));
  }
  const model: Resolution = { kind: 'model', model: { ...rest, clients: [] } };
  parentPort?.postMessage(model);
}

// Other threads may load this file, too: those of a test runner.
const given = workerData as Task | null;
if (given?.task === 'load-config') answer(given);
