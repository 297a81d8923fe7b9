// SPDX-License-Identifier: Apache-2.0
/** `egret help`. */
import { type Command, findCommand } from '../command.ts';
import { helpText } from '../help.ts';

export const makeHelp = (commands: () => readonly Command[]): Command => ({
  name: 'help',
  usage: ['help [COMMAND]'],
  help: 'Show this list, or one command of it.',
  options: [],
  takesJson: false,
  shell: 'status',
  words: [],
  run: async ({ words: [name], io, width }) => {
    const shown = name === undefined ? commands() : [findCommand(commands(), name)];
    io.out.write(helpText(shown, width));
    return 0;
  },
});
