// SPDX-License-Identifier: Apache-2.0
/** `egret show`: what egretd does now. */
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
  shell: 'status',
  words: [...viewNames, ...views.flatMap(({ words }) => words)],
  run: (call) => askStatus(call, showRequest(call)),
};

/** Checked here too, so that a word too many needs no egretd to be one. */
function showRequest({ words: [name, ...words], isJson }: Call): StatusRequest {
  const view = name ? viewNamed(name) : undefined;
  if (!view) throw usage(name ? `show has no view ${name}` : 'show needs a view');
  view.check(words);
  return { command: 'show', view: view.name, isJson, words };
}
