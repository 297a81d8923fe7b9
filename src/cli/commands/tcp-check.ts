// SPDX-License-Identifier: Apache-2.0
/** `egret tcp-check`: does a TCP port accept connections, by the way that a client's packets take? */
import { askStatus } from '../ask.ts';
import type { Command } from '../command.ts';

export const tcpCheck: Command = {
  name: 'tcp-check',
  usage: ['tcp-check ADDRESS PORT from [client | gateway | network] SOURCE'],
  help: 'Begin a TCP connection through the data plane and reset it; exit status 5 when the port does not accept it.',
  options: [],
  takesJson: false,
  shell: 'status',
  words: ['from', 'client', 'gateway', 'network'],
  run: (call) => askStatus(call, { command: 'tcp-check', words: call.words }),
};
