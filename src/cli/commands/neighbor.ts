// SPDX-License-Identifier: Apache-2.0
/** `egret neighbor X down | up`. */
import { askAdmin } from '../ask.ts';
import type { Command } from '../command.ts';

export const neighbor: Command = {
  name: 'neighbor',
  usage: ['neighbor ADDRESS | NETWORK ADDRESS | NAME down | up'],
  help: 'Keep the BGP session with a neighbor down (Administrative Shutdown) until up is said.',
  options: [
    { name: '--message', value: 'TEXT', help: 'With down: a line for the neighbor (RFC 9003).' },
  ],
  takesJson: false,
  shell: 'admin',
  words: ['down', 'up'],
  run: (call) => askAdmin(call, 'neighbor'),
};
