// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, rmSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, expect, test } from 'vitest';
import { systemClock } from '../lib/clock.ts';
import { EgretError } from '../lib/errors.ts';
import { makeLog } from '../lib/log.ts';
import { WorkQueue } from '../lib/work-queue.ts';
import { RequestServer } from './server.ts';

const folder = mkdtempSync(join(tmpdir(), 'egret-ipc-'));
afterAll(() => rmSync(folder, { recursive: true }));

test('a refusal arrives, although the client sends its body only afterwards', async () => {
  const path = join(folder, 'a.sock');
  let refused = (): void => {};
  const isRefused = new Promise<void>((resolve) => {
    refused = resolve;
  });
  const service = {
    group: 'egret-none',
    warning: () => undefined,
    // biome-ignore lint/correctness/useYield: it refuses before the first text
    async *answer(): AsyncGenerator<string, undefined> {
      refused();
      throw new EgretError('USAGE', { what: 'no such name' });
    },
  };
  const log = makeLog('fatal', () => true);
  const sockets = { peerOf: () => ({ pid: 0, uid: 0 }) };
  const queue = new WorkQueue(systemClock);
  const server = await RequestServer.listen(path, service, queue, log, sockets);
  const socket = createConnection(path);
  let answer = '';
  let error: Error | undefined;
  socket.on('error', (each) => {
    error = each;
  });
  socket.write('{}\n');
  await isRefused;
  await sleep(100); // The answer is on its way, and the server has done what it does then.
  socket.write(Buffer.alloc(1 << 20, 'x'));
  socket.setEncoding('utf8').on('data', (chunk) => {
    answer += chunk;
  });
  await new Promise((resolve) => socket.once('close', resolve));
  server.close();
  expect(error).toBe(undefined);
  expect(answer).toContain('no such name');
});
