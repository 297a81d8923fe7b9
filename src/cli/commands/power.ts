// SPDX-License-Identifier: Apache-2.0
/** `egret reboot` and `egret poweroff`. */
import { askAdmin } from '../ask.ts';
import type { Command } from '../command.ts';

const power = (name: 'reboot' | 'poweroff', help: string): Command => ({
  name,
  usage: [name],
  help,
  options: [],
  takesJson: false,
  shell: 'admin',
  words: [],
  run: (call) => askAdmin(call, name),
});

export const reboot = power('reboot', 'Start the box again.');
export const poweroff = power('poweroff', 'Switch the box off.');
