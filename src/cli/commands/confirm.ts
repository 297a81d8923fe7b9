// SPDX-License-Identifier: Apache-2.0
/** `egret confirm`: keeps what `apply --confirm` or `rollback --confirm` has applied. */
import { askAdmin } from '../ask.ts';
import { type Command, takesNoWords } from '../command.ts';

export const confirm: Command = {
  name: 'confirm',
  usage: ['confirm'],
  help: 'Keep the configuration that apply --confirm has applied.',
  options: [],
  takesJson: false,
  shell: 'admin',
  words: [],
  run: async (call) => {
    takesNoWords('confirm', call.words);
    return askAdmin(call, 'confirm');
  },
};
