// SPDX-License-Identifier: Apache-2.0
/** `egret run`: egretd itself. */
import { type Command, takesNoWords, usage } from '../command.ts';

export const run: Command = {
  name: 'run',
  usage: ['run --config PATH [--run-dir DIR] [--forwarder external]'],
  help: 'Run egretd in the foreground.',
  options: [
    { name: '--config', value: 'PATH', help: 'A file, or a folder of *.yaml files.' },
    { name: '--forwarder', value: 'external', help: 'Another program starts the forwarder.' },
  ],
  takesJson: false,
  shell: 'none',
  words: [],
  run: async ({ words, options, runDir }) => {
    takesNoWords('run', words);
    const configPath = options.get('--config');
    if (configPath === undefined) throw usage('run needs --config PATH');
    const mode = options.get('--forwarder') ?? 'external';
    if (mode !== 'external') throw usage(`--forwarder takes external, not ${mode}`);
    const { runDaemon } = await import('../../main.ts');
    const isForwarderExternal = options.has('--forwarder');
    return runDaemon({ configPath, runDir, isForwarderExternal });
  },
};
