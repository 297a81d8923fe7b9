// SPDX-License-Identifier: Apache-2.0
/** `egret diff [N]`: what `apply`, or `rollback N`, would change. */
import { askAdmin } from '../ask.ts';
import type { Command } from '../command.ts';

export const diff: Command = {
  name: 'diff',
  usage: ['diff [N | vVERSION] [--json]'],
  help: 'Show how the edited files, or a configuration of the history, differ from what runs, and what applying them would do.',
  options: [],
  takesJson: true,
  shell: 'admin',
  words: [],
  run: (call) => askAdmin(call, 'diff'),
};
