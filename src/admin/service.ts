// SPDX-License-Identifier: Apache-2.0
/** What the admin socket answers: one command a connection. The log has an audit line of each. */
import type { Body, Peer, Service } from '../ipc/connection.ts';
import type { Answer } from '../ipc/protocol.ts';
import { EgretError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { type AdminCommand, parseAdminRequest } from './command.ts';

/** @param partsNow - called for each request */
export function adminService<Parts>(
  commands: readonly AdminCommand<Parts>[],
  partsNow: () => Parts,
  log: Log,
): Service {
  async function* answer(line: string, body: Body, peer: Peer | undefined): Answer {
    const request = parseAdminRequest(line);
    const command = commands.find(({ name }) => name === request.command);
    if (!command) throw new EgretError('USAGE', { what: `there is no command ${request.command}` });
    const { who, words, options } = request;
    // `who` is what the client says of itself; its process and user are the kernel's word.
    log.info({ who, peer, command: command.name, words, options }, 'admin command');
    return yield* command.run({ ...request, body }, partsNow());
  }
  return { group: 'egret-admin', warning: () => undefined, answer };
}
