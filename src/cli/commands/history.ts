// SPDX-License-Identifier: Apache-2.0
/** `egret history [N]`: the configurations that ran, and what each changed. */
import { askAdmin } from '../ask.ts';
import type { Command } from '../command.ts';

export const history: Command = {
  name: 'history',
  usage: ['history [N | vVERSION] [-o wide] [--json]'],
  help: 'Show the last 50 configurations, or what one of them changed.',
  options: [],
  takesJson: true,
  takesOutput: true,
  shell: 'admin',
  words: [],
  run: (call) => askAdmin(call, 'history'),
};
