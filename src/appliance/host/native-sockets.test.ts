// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { ask } from '../../ipc/client.ts';
import type { Peer } from '../../ipc/connection.ts';
import { RequestServer } from '../../ipc/server.ts';
import { systemClock } from '../../lib/clock.ts';
import { silentLog } from '../../lib/log.ts';
import { WorkQueue } from '../../lib/work-queue.ts';
import { ipcSockets } from './native-sockets.ts';

test('a request carries who is at the other end, as the kernel has it', async () => {
  const folder = mkdtempSync(join(tmpdir(), `egret-peer-${process.pid}-`));
  const path = join(folder, 'sock');
  const peers: (Peer | undefined)[] = [];
  const service = {
    group: 'egret-no-such-group',
    warning: () => undefined,
    async *answer(_line: string, _body: unknown, peer: Peer | undefined) {
      peers.push(peer);
      yield 'x';
      return undefined;
    },
  };
  const queue = new WorkQueue(systemClock);
  const server = await RequestServer.listen(path, service, queue, silentLog, ipcSockets);
  try {
    const [out, errors] = [new PassThrough(), new PassThrough()];
    expect(await ask({ path, request: {}, out, errors })).toBe(0);
    expect(peers).toEqual([{ pid: process.pid, uid: process.getuid?.() }]);
  } finally {
    server.close();
    rmSync(folder, { recursive: true });
  }
});
