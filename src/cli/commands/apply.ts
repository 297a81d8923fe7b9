// SPDX-License-Identifier: Apache-2.0
/** `egret apply`: makes the edited files the configuration that runs. */
import { askAdmin } from '../ask.ts';
import { type Command, confirmOption, messageOption, takesNoWords } from '../command.ts';

export const apply: Command = {
  name: 'apply',
  usage: ['apply [--confirm TIME] [--message TEXT] [--json]'],
  help: 'Apply the edited files, wait until they are in force, and say what changed.',
  options: [confirmOption, messageOption],
  takesJson: true,
  shell: 'admin',
  words: [],
  run: async (call) => {
    takesNoWords('apply', call.words);
    return askAdmin(call, 'apply');
  },
};
