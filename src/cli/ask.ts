// SPDX-License-Identifier: Apache-2.0
/** What a command asks egretd: over the status socket what it reads, over the admin socket what it changes. */
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { ask } from '../ipc/client.ts';
import type { StatusRequest } from '../status/request.ts';
import type { Call } from './command.ts';

/** @returns the exit status. @throws EgretError DAEMON_UNREACHABLE, ACCESS_DENIED */
export function askStatus({ runDir, io }: Call, request: StatusRequest): Promise<number> {
  return ask({ path: join(runDir, 'status.sock'), request, out: io.out, errors: io.errors });
}

/**
 * Sends words and options as they were given; egretd's table of admin commands checks them.
 *
 * @param body - what follows the request, e.g. a file
 * @returns the exit status. @throws EgretError DAEMON_UNREACHABLE, ACCESS_DENIED
 */
export function askAdmin(call: Call, command: string, body?: Readable): Promise<number> {
  const { words, options, isJson, width, who, runDir, io } = call;
  const request = { command, words, options: Object.fromEntries(options), isJson, width, who };
  const path = join(runDir, 'admin.sock');
  return ask({ path, request, ...(body && { body }), out: io.out, errors: io.errors });
}
