// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { afterAll, expect, test } from 'vitest';
import { systemClock } from '../lib/clock.ts';
import { EgretError } from '../lib/errors.ts';
import { makeLog } from '../lib/log.ts';
import { WorkQueue } from '../lib/work-queue.ts';
import { ask } from './client.ts';
import { RequestServer } from './server.ts';

const folder = mkdtempSync(join(tmpdir(), 'egret-ipc-'));
afterAll(() => rmSync(folder, { recursive: true }));

test('a refusal arrives whole, whatever of the body was not read', async () => {
  const path = join(folder, 'a.sock');
  const service = {
    group: 'egret-none',
    warning: () => undefined,
    // biome-ignore lint/correctness/useYield: it refuses before the first text
    async *answer(): AsyncGenerator<string, undefined> {
      throw new EgretError('USAGE', { what: 'no such name' });
    },
  };
  const log = makeLog('fatal', () => true);
  const server = await RequestServer.listen(path, service, new WorkQueue(systemClock), log, {
    peerOf: () => ({ pid: 1, uid: 0 }),
  });
  for (const bytes of [1, 100, 70_000, 3 << 20]) {
    for (let turn = 0; turn < 10; turn += 1) {
      let errors = '';
      const keep = new Writable({
        write: (chunk, _encoding, done) => {
          errors += chunk;
          done();
        },
      });
      const body = Readable.from([Buffer.alloc(bytes, 'x')]);
      const status = await ask({ path, request: {}, body, out: keep, errors: keep });
      expect({ bytes, status, errors }).toMatchObject({
        status: 1,
        errors: expect.stringContaining('no such name'),
      });
    }
  }
  server.close();
});
