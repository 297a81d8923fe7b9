// SPDX-License-Identifier: Apache-2.0
/** `egret show`: what egretd does now. */
import { didYouMean } from '../../lib/nearest.ts';
import type { StatusRequest } from '../../status/request.ts';
import { viewNamed, viewNames, views } from '../../status/views.ts';
import { askStatus } from '../ask.ts';
import { type Call, type Command, usage } from '../command.ts';

export const show: Command = {
  name: 'show',
  usage: [`show ${viewNames.join(' | ')} [--json]`],
  help: [
    'Show what egretd does now.',
    ...views.flatMap(({ name, usage }) => (usage ? [`${name} takes: ${usage}.`] : [])),
  ].join(' '),
  options: [],
  takesJson: true,
  takesOutput: true,
  shell: 'status',
  words: [...viewNames, ...views.flatMap(({ words }) => words)],
  forms: views.map(({ name, usage }) => `show ${name}${usage ? ` ${usage}` : ''}`),
  wordHelp: new Map(views.map(({ name, help }) => [name, help])),
  run: (call) => askStatus(call, showRequest(call)),
};

/** Checked here too, so that a word too many needs no egretd to be one. */
function showRequest({ words: [name, ...words], isJson, width }: Call): StatusRequest {
  const view = name ? viewNamed(name) : undefined;
  if (!name) throw usage('show needs a view');
  if (!view) throw usage(`show has no view ${name}${didYouMean(name, viewNames)}`);
  view.check(words);
  return { command: 'show', view: view.name, isJson, width, words };
}
