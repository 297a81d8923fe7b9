// SPDX-License-Identifier: Apache-2.0
/** `egret show`: what egretd does now. */
import { didYouMean } from '../../lib/nearest.ts';
import type { StatusRequest } from '../../status/request.ts';
import { viewNamed, viewNames, views } from '../../status/views.ts';
import { askStatus } from '../ask.ts';
import { type Call, type Command, takesNoWords, usage } from '../command.ts';
import { printVersion } from './version.ts';

export const show: Command = {
  name: 'show',
  usage: [`show ${[...viewNames, 'version'].join(' | ')} [--json]`, 'show log [-f]'],
  help: [
    'Show what egretd does now.',
    ...views.flatMap(({ name, usage }) => (usage ? [`${name} takes: ${usage}.`] : [])),
  ].join(' '),
  options: [{ name: '--follow', short: '-f', help: 'With log: wait for more of it.' }],
  takesJson: true,
  takesOutput: true,
  shell: 'status',
  words: [...viewNames, 'version', 'log', ...views.flatMap(({ words }) => words)],
  forms: [
    ...views.map(({ name, usage }) => `show ${name}${usage ? ` ${usage}` : ''}`),
    'show version',
    'show log [-f]',
  ],
  wordHelp: new Map([
    ...views.map(({ name, help }) => [name, help] as const),
    ['version', 'Versions of the program and of the image, and the keys of updates.'],
    ['log', 'The log of egretd and of the forwarder.'],
  ]),
  run: async (call) => {
    const [name, ...more] = call.words;
    if (name === 'log') return askStatus(call, logRequest(call));
    if (name !== 'version') return askStatus(call, showRequest(call));
    // Of the program, not of egretd: known also when that does not run.
    takesNoWords('show version', more);
    return printVersion(call);
  },
};

function logRequest({ words, options }: Call): StatusRequest {
  takesNoWords('show log', words.slice(1));
  return { command: 'log', isFollowing: options.has('--follow') };
}

/** Checked here too, so that a word too many needs no egretd to be one. */
function showRequest({ words: [name, ...words], options, isJson, width }: Call): StatusRequest {
  if (options.has('--follow')) throw usage('--follow is of show log');
  const view = name ? viewNamed(name) : undefined;
  if (!name) throw usage('show needs a view');
  if (!view)
    throw usage(`show has no view ${name}${didYouMean(name, [...viewNames, 'version', 'log'])}`);
  view.check(words);
  return { command: 'show', view: view.name, isJson, width, words };
}
