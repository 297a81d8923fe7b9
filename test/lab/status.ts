// SPDX-License-Identifier: Apache-2.0
/**
 * Asks egretd at its status socket without a command line in between: what a test polls many times a
 * second costs no process. What `egret show` prints is asked for by `Egret.ask`.
 */
import { createConnection } from 'node:net';
import { endOfText } from '../../src/ipc/protocol.ts';
import { patienceMs } from './process.ts';

export interface StatusReply {
  readonly schema: string;
  readonly generation: number;
  readonly rows: readonly unknown[];
}

/**
 * @param words - those that follow the view's name on the command line
 * @throws Error when nothing answers, or with what egretd says is wrong
 */
export async function askStatus(
  runDir: string,
  view: string,
  words: readonly string[],
): Promise<StatusReply> {
  const answer = await exchange(`${runDir}/status.sock`, {
    command: 'show',
    view,
    isJson: true,
    words,
  });
  const headEnd = answer.indexOf('\n');
  const { status, message } = JSON.parse(answer.slice(0, headEnd)) as Record<string, unknown>;
  if (status !== 0) throw new Error(`show ${view}: status ${status}: ${message}`);
  const end = answer.indexOf(endOfText);
  if (end < 0) throw new Error(`show ${view}: the answer is cut short`);
  return JSON.parse(answer.slice(headEnd + 1, end)) as StatusReply;
}

function exchange(path: string, request: object): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(path);
    const chunks: string[] = [];
    socket.setEncoding('utf8');
    socket.setTimeout(patienceMs, () => socket.destroy(new Error('no answer')));
    socket.once('error', reject);
    socket.on('data', (chunk: string) => chunks.push(chunk));
    socket.once('close', () => resolve(chunks.join('')));
    socket.write(`${JSON.stringify(request)}\n`);
  });
}
