// SPDX-License-Identifier: Apache-2.0
/** `egret config list | get FILE | put FILE | rm FILE`: the operator's files; nothing is applied. */

import type { ListedFile } from '../apply/operator-files.ts';
import { OperatorFiles } from '../apply/operator-files.ts';
import { systemFiles } from '../lib/durable-files.ts';
import { EgretError } from '../lib/errors.ts';
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
  async *run({ words: [action = 'list', name, more], isJson, body }, { control }) {
    const files = new OperatorFiles(control.configPath, systemFiles);
    if (more !== undefined) throw new EgretError('USAGE', { what: `config takes no ${more}` });
    if (action === 'list' && name === undefined) {
      const rows = await files.list();
      yield isJson
        ? `${JSON.stringify({ schema: 'egret.config/1', rows })}\n`
        : formatTable(columns, rows);
      return 0;
    }
    if (!['get', 'put', 'rm'].includes(action)) {
      throw new EgretError('USAGE', { what: `config has no ${action}` });
    }
    if (name === undefined)
      throw new EgretError('USAGE', { what: `config ${action} needs a FILE` });
    // One writer: a file that is written is not read by an apply meanwhile.
    if (action === 'get') yield (await files.get(name)).toString();
    else if (action === 'put') await files.put(name, body);
    else await files.remove(name);
    return 0;
  },
};
