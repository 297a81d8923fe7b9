// SPDX-License-Identifier: Apache-2.0
/** `egret why`: what a packet would meet. */
import { askStatus } from '../ask.ts';
import { type Command, usage } from '../command.ts';

export const why: Command = {
  name: 'why',
  usage: ['why CLIENT DESTINATION [--json]'],
  help: "Explain what a client's packet would meet; exit status 5 when it would be dropped.",
  options: [],
  takesJson: true,
  takesOutput: true,
  shell: 'status',
  words: [],
  run: (call) => {
    const [client, destination, more] = call.words;
    if (!client || !destination || more) throw usage('why takes CLIENT and DESTINATION');
    return askStatus(call, {
      command: 'why',
      client,
      destination,
      isJson: call.isJson,
      width: call.width,
    });
  },
};
