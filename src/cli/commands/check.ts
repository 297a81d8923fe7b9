// SPDX-License-Identifier: Apache-2.0
/** `egret check`: what is wrong with a configuration. */
import { buffer } from 'node:stream/consumers';
import { type Command, usage } from '../command.ts';

export const check: Command = {
  name: 'check',
  usage: ['check [--on-box] [--strict] PATH... | -'],
  help: 'Check configurations (-: standard input) and print every error.',
  options: [
    {
      name: '--on-box',
      help: 'Note also what would not be ready on this host now; that is no error.',
    },
    { name: '--strict', help: 'Notes are errors, too.' },
  ],
  takesJson: true,
  shell: 'none',
  words: [],
  run: async ({ words, options, isJson, runDir, io }) => {
    if (words.length === 0) throw usage('check needs a PATH');
    const { checkConfigs } = await import('../../config/check.ts');
    const box = options.has('--on-box')
      ? await import('../../on-box.ts').then(({ Box }) => Box.open(runDir))
      : undefined;
    try {
      const input = words.includes('-') ? await buffer(io.input) : undefined;
      const how = { isJson, isStrict: options.has('--strict'), input };
      const report = await checkConfigs(words, how, (model) => box?.notesOn(model) ?? none);
      io.out.write(report.text);
      return report.isValid ? 0 : 2;
    } finally {
      box?.close();
    }
  },
};

const none = Promise.resolve([]);
