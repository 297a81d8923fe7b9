// SPDX-License-Identifier: Apache-2.0
/** `egret rollback [N]`: applies a configuration of the history. */
import { askAdmin } from '../ask.ts';
import { type Command, confirmOption, messageOption } from '../command.ts';

export const rollback: Command = {
  name: 'rollback',
  usage: ['rollback [N | vVERSION] [--confirm TIME] [--message TEXT] [--json]'],
  help: 'Apply a configuration of the history: the one before (1), or N before. The files stay as they are.',
  options: [confirmOption, messageOption],
  takesJson: true,
  shell: 'admin',
  words: [],
  run: (call) => askAdmin(call, 'rollback'),
};
