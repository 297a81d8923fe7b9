// SPDX-License-Identifier: Apache-2.0
/**
 * egret: the command line. The table in cli/commands.ts gives parsing, help and completion; only some
 * commands load more than the list of views.
 *
 * Exit status: 0 ok, 1 usage, 2 invalid configuration, 3 not found, 4 daemon not reachable, 5 what was
 * asked for failed, or `why` found that a packet would be dropped.
 */
import { userInfo } from 'node:os';
import { commands } from './cli/commands.ts';
import { report, runWords } from './cli/run-words.ts';
import { standardIo } from './cli/standard-io.ts';
import { EgretError } from './lib/errors.ts';

/** A number where the account has no name, e.g. in a container. */
function accountName(): string {
  try {
    return userInfo().username;
  } catch {
    return `${process.getuid?.()}`;
  }
}

const io = standardIo(false);
process.stdout.on('error', ({ code, message }: NodeJS.ErrnoException) => {
  // A reader that left (`egret show route | head`) is no failure, and check found what it found.
  if (code !== 'EPIPE')
    process.exit(report(new EgretError('OUTPUT_FAILED', { reason: message }), io));
});
process.exitCode = await runWords(commands, process.argv.slice(2), {
  runDir: process.env['EGRET_RUN_DIR'] ?? '/run/egret',
  io,
  who: accountName(),
});
