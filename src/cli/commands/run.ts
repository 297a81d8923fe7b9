// SPDX-License-Identifier: Apache-2.0
/** `egret run`: egretd itself. */
import { type Command, takesNoWords, usage } from '../command.ts';

export const run: Command = {
  name: 'run',
  usage: ['run --config PATH [--run-dir DIR] [--forwarder external] [--manage-host]'],
  help: 'Run egretd in the foreground.',
  options: [
    { name: '--config', value: 'PATH', help: 'A file, or a folder of *.yaml files.' },
    { name: '--forwarder', value: 'external', help: 'Another program starts the forwarder.' },
    { name: '--manage-host', help: 'Set up interfaces, names and clocks of the box.' },
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
    const isHostManaged = options.has('--manage-host');
    return runDaemon({ configPath, runDir, isForwarderExternal, isHostManaged });
  },
};
