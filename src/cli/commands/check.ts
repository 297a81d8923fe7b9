// SPDX-License-Identifier: Apache-2.0
/** `egret check`: what is wrong with a configuration. */
import { type Command, usage } from '../command.ts';

export const check: Command = {
  name: 'check',
  usage: ['check PATH...'],
  help: 'Check configurations and print every error.',
  options: [],
  takesJson: true,
  shell: 'none',
  words: [],
  run: async ({ words, isJson, io }) => {
    if (words.length === 0) throw usage('check needs a PATH');
    const { checkConfigs } = await import('../../config/check.ts');
    const report = checkConfigs(words, isJson);
    io.out.write(report.text);
    return report.isValid ? 0 : 2;
  },
};
