// SPDX-License-Identifier: Apache-2.0
/** `egret completion`. */
import { type Command, takesNoWords } from '../command.ts';
import { completionScript } from '../help.ts';

export const makeCompletion = (commands: () => readonly Command[]): Command => ({
  name: 'completion',
  usage: ['completion'],
  help: 'Print a completion script for bash.',
  options: [],
  takesJson: false,
  shell: 'none',
  words: [],
  run: async ({ words, io }) => {
    takesNoWords('completion', words);
    io.out.write(completionScript(commands()));
    return 0;
  },
});
