// SPDX-License-Identifier: Apache-2.0
/** `egret check`: what is wrong with a configuration. */
import { buffer } from 'node:stream/consumers';
import { askAdmin } from '../ask.ts';
import { type Command, usage } from '../command.ts';

export const check: Command = {
  name: 'check',
  usage: ['check [--strict] [[--on-box] PATH... | -]'],
  help: 'Check configurations (-: standard input; no PATH: the files on the box) and print every error.',
  options: [
    {
      name: '--on-box',
      help: 'Note also what would not be ready on this host now; that is no error.',
    },
    { name: '--strict', help: 'Notes are errors, too.' },
  ],
  takesJson: true,
  shell: 'admin',
  // A path would be read as whatever it is, and an error prints some of it.
  shellRefuses: (words, options) =>
    words.some((word) => word !== '-') || options.has('--on-box')
      ? 'check takes no PATH here, but - for standard input'
      : undefined,
  words: [],
  run: async (call) => {
    const { words, options, isJson, runDir, io } = call;
    if (words.length === 0 && options.has('--on-box')) throw usage('check --on-box needs a PATH');
    if (words.length === 0) return askAdmin(call, 'check');
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
