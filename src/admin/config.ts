// SPDX-License-Identifier: Apache-2.0
/** `egret config list | get FILE | put FILE | rm FILE`: the operator's files; nothing is applied. */

import type { ListedFile } from '../apply/operator-files.ts';
import { OperatorFiles } from '../apply/operator-files.ts';
import type { Answer } from '../ipc/protocol.ts';
import { systemFiles } from '../lib/durable-files.ts';
import { EgretError } from '../lib/errors.ts';
import type { WorkQueue } from '../lib/work-queue.ts';
import { type Column, formatTable } from '../status/table.ts';
import type { AdminCommand } from './command.ts';
import type { AdminParts } from './parts.ts';

const columns: readonly Column<ListedFile>[] = [
  { title: 'FILE', text: ({ name }) => name },
  { title: 'BYTES', text: ({ bytes }) => `${bytes}`, isNumber: true },
  { title: 'CHANGED', text: ({ changed }) => changed.replace('T', ' ').replace(/\.\d+Z$/, 'Z') },
];

export const config: AdminCommand<AdminParts> = {
  name: 'config',
  async *run({ words: [action = 'list', name, more], isJson, width, body }, parts) {
    const files = new OperatorFiles(parts.control.configPath, systemFiles);
    if (more !== undefined) throw new EgretError('USAGE', { what: `config takes no ${more}` });
    if (action === 'list' && name === undefined) {
      const rows = await files.list();
      yield isJson
        ? `${JSON.stringify({ schema: 'egret.config/1', rows })}\n`
        : formatTable(columns, rows, width ?? undefined);
      return 0;
    }
    if (!['get', 'put', 'rm'].includes(action)) {
      throw new EgretError('USAGE', { what: `config has no ${action}` });
    }
    if (name === undefined)
      throw new EgretError('USAGE', { what: `config ${action} needs a FILE` });
    if (action === 'get') yield (await files.get(name)).toString();
    else if (action === 'rm') await files.remove(name);
    else return yield* put(await files.received(name, body), parts.live.queue);
    return 0;
  },
};

/**
 * A client that was killed in the middle has closed its side, too, as one that has sent everything:
 * the start of the answer shows which it is. Nothing is done for one that cannot be answered.
 */
async function* put(write: () => Promise<void>, queue: WorkQueue): Answer {
  yield '';
  await queue.pause();
  yield '';
  try {
    await write();
  } catch (error) {
    if (!(error instanceof EgretError)) throw error;
    yield `${error.message}\n${error.hint}\n`;
    return error.exit;
  }
  return 0;
}
