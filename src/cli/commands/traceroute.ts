// SPDX-License-Identifier: Apache-2.0
/** `egret traceroute`: which routers are on the way that a client's packets take? */
import { askStatus } from '../ask.ts';
import { type Command, numberOf } from '../command.ts';

export const traceroute: Command = {
  name: 'traceroute',
  usage: ['traceroute ADDRESS from [client | gateway | network] SOURCE'],
  help: 'Show the routers on the way to an address, through the data plane; exit status 5 when it does not answer.',
  options: [{ name: '--max-hops', value: 'N', help: 'The largest TTL: 30, at most 64.' }],
  takesJson: false,
  shell: 'status',
  words: ['from', 'client', 'gateway', 'network'],
  run: (call) =>
    askStatus(call, {
      command: 'traceroute',
      words: call.words,
      hopsMax: numberOf(call, '--max-hops', 30),
    }),
};
