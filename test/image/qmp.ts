// SPDX-License-Identifier: Apache-2.0
/** QEMU's control socket (QMP): one command a connection, a JSON object a line. */
import { createConnection } from 'node:net';
import { createInterface } from 'node:readline';

interface Answer {
  readonly QMP?: unknown;
  readonly return?: unknown;
  readonly error?: { readonly desc: string };
  readonly event?: string;
}

/** @returns what the command returns. @throws Error with QEMU's words when it refuses */
export async function askQmp(
  path: string,
  command: string,
  args: Readonly<Record<string, unknown>> = {},
): Promise<unknown> {
  const socket = createConnection(path);
  const lines = createInterface({ input: socket });
  const say = (execute: string, values: unknown = {}): void => {
    socket.write(`${JSON.stringify({ execute, arguments: values })}\n`);
  };
  try {
    let isReady = false;
    for await (const line of lines) {
      const answer = JSON.parse(line) as Answer;
      if (answer.error) throw new Error(`${command}: ${answer.error.desc}`);
      if (answer.QMP !== undefined) say('qmp_capabilities');
      else if (answer.event !== undefined) continue;
      else if (isReady) return answer.return;
      else {
        isReady = true;
        say(command, args);
      }
    }
    throw new Error(`${command}: QEMU closed its control socket`);
  } finally {
    socket.destroy();
  }
}
