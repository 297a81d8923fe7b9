// SPDX-License-Identifier: Apache-2.0
/** `egret show`: what egretd does now. */
import { didYouMean } from '../../lib/nearest.ts';
import type { StatusRequest } from '../../status/request.ts';
import { viewNamed, viewNames, views } from '../../status/views.ts';
import { askStatus } from '../ask.ts';
import { type Call, type Command, takesNoWords, usage } from '../command.ts';

export const show: Command = {
  name: 'show',
  usage: [`show ${viewNames.join(' | ')} [--json]`, 'show log [-f]'],
  help: [
    'Show what egretd does now.',
    ...views.flatMap(({ name, usage }) => (usage ? [`${name} takes: ${usage}.`] : [])),
  ].join(' '),
  options: [{ name: '--follow', short: '-f', help: 'With log: wait for more of it.' }],
  takesJson: true,
  takesOutput: true,
  shell: 'status',
  words: [...viewNames, 'log', ...views.flatMap(({ words }) => words)],
  forms: [
    ...views.map(({ name, usage }) => `show ${name}${usage ? ` ${usage}` : ''}`),
    'show log [-f]',
  ],
  wordHelp: new Map([
    ...views.map(({ name, help }) => [name, help] as const),
    ['log', 'The log of egretd and of the forwarder.'],
  ]),
  run: (call) => askStatus(call, call.words[0] === 'log' ? logRequest(call) : showRequest(call)),
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
  if (!view) throw usage(`show has no view ${name}${didYouMean(name, [...viewNames, 'log'])}`);
  view.check(words);
  return { command: 'show', view: view.name, isJson, width, words };
}
