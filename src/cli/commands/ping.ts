// SPDX-License-Identifier: Apache-2.0
/** `egret ping`: does an address answer, by the way that a client's packets take? */
import { askStatus } from '../ask.ts';
import { type Command, numberOf } from '../command.ts';

export const ping: Command = {
  name: 'ping',
  usage: ['ping ADDRESS from [client | gateway | network] SOURCE'],
  help: 'Send echo requests through the data plane, as a client, a gateway or a network; exit status 5 when none is answered.',
  options: [
    { name: '--count', value: 'N', help: 'How many, one a second: 5, at most 100.' },
    { name: '--size', value: 'BYTES', help: 'Bytes behind the ICMP header: 56.' },
    { name: '--whole', help: 'Do not fragment them.' },
  ],
  takesJson: false,
  shell: 'status',
  words: ['from', 'client', 'gateway', 'network'],
  run: (call) =>
    askStatus(call, {
      command: 'ping',
      words: call.words,
      count: numberOf(call, '--count', 5),
      size: numberOf(call, '--size', 56),
      isWhole: call.options.has('--whole'),
    }),
};
