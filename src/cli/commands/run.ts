// SPDX-License-Identifier: Apache-2.0
/** `egret run`: egretd itself. */
import { join, resolve } from 'node:path';
import { type Command, takesNoWords, usage } from '../command.ts';

export const run: Command = {
  name: 'run',
  usage: [
    'run --config PATH [--run-dir DIR] [--state-dir DIR] [--start-empty] [--forwarder external] [--manage-host]',
  ],
  help: 'Run egretd in the foreground.',
  options: [
    {
      name: '--config',
      value: 'PATH',
      help: 'A file, or a folder of *.yaml files: read at the first start, and by apply.',
    },
    {
      name: '--state-dir',
      value: 'DIR',
      help: 'History of configurations: /var/lib/egret, or with another run directory its folder state.',
    },
    {
      name: '--start-empty',
      help: 'At the first start, run without a configuration when there is none that is valid.',
    },
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
    return runDaemon({
      configPath: resolve(configPath),
      runDir,
      stateDir: options.get('--state-dir') ?? stateDirOf(runDir),
      isForwarderExternal: options.has('--forwarder'),
      isHostManaged: options.has('--manage-host'),
      mayBeEmpty: options.has('--start-empty'),
    });
  },
};

/** Instances with run directories of their own have histories of their own. */
function stateDirOf(runDir: string): string {
  return resolve(runDir) === '/run/egret' ? '/var/lib/egret' : join(runDir, 'state');
}
