// SPDX-License-Identifier: Apache-2.0
/** `egret version`. */
import { version as number } from '../../version.ts';
import { type Command, takesNoWords } from '../command.ts';

export const version: Command = {
  name: 'version',
  usage: ['version'],
  help: 'Print the version.',
  options: [],
  takesJson: false,
  shell: 'status',
  words: [],
  run: async ({ words, io }) => {
    takesNoWords('version', words);
    io.out.write(`egret ${number}\n`);
    return 0;
  },
};
