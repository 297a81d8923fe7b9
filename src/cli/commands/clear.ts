// SPDX-License-Identifier: Apache-2.0
/** `egret clear`: starts BGP sessions or NAT sessions over. */
import { askAdmin } from '../ask.ts';
import type { Command } from '../command.ts';

export const clear: Command = {
  name: 'clear',
  usage: [
    'clear neighbor ADDRESS | NETWORK ADDRESS | NAME [soft]',
    'clear sessions [client X | gateway X | network X]',
  ],
  help: 'Start the BGP session with a neighbor over (soft: repeat the routes only), or end NAT sessions.',
  options: [],
  takesJson: false,
  shell: 'admin',
  words: ['neighbor', 'sessions', 'soft', 'client', 'gateway', 'network'],
  run: (call) => askAdmin(call, 'clear'),
};
