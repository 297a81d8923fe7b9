// SPDX-License-Identifier: Apache-2.0
/** `egret help`. */
import { type Command, usage } from '../command.ts';
import { helpText } from '../help.ts';

export const makeHelp = (commands: () => readonly Command[]): Command => ({
  name: 'help',
  usage: ['help [COMMAND]'],
  help: 'Show this list, or one command of it.',
  options: [],
  takesJson: false,
  shell: 'status',
  words: [],
  run: async ({ words: [name], io }) => {
    const shown = commands().filter((command) => name === undefined || command.name === name);
    if (shown.length === 0) throw usage(`there is no command ${name}`);
    io.out.write(helpText(shown));
    return 0;
  },
});
