// SPDX-License-Identifier: Apache-2.0
/**
 * egret: the command line. The table in cli/commands.ts gives parsing, help and completion; only some
 * commands load more than the list of views.
 *
 * Exit status: 0 ok, 1 usage, 2 invalid configuration, 3 not found, 4 daemon not reachable, 5 what was
 * asked for failed.
 */
import { userInfo } from 'node:os';
import { parseArguments } from './cli/arguments.ts';
import { commandNamed, commands } from './cli/commands.ts';
import { helpText } from './cli/help.ts';
import { EgretError } from './lib/errors.ts';

async function main(): Promise<number> {
  try {
    const given = parseArguments(commands, process.argv.slice(2));
    if (given.isHelp) {
      process.stdout.write(helpText(given.command ? [commandNamed(given.command)] : commands));
      return 0;
    }
    return await commandNamed(given.command).run({
      ...given,
      runDir: given.runDir ?? process.env['EGRET_RUN_DIR'] ?? '/run/egret',
      io: { input: process.stdin, out: process.stdout, errors: process.stderr },
      who: accountName(),
    });
  } catch (error) {
    if (!(error instanceof EgretError)) throw error;
    return report(error);
  }
}

/** A number where the account has no name, e.g. in a container. */
function accountName(): string {
  try {
    return userInfo().username;
  } catch {
    return `${process.getuid?.()}`;
  }
}

/** @returns the exit status */
function report({ message, hint, exit }: EgretError): number {
  process.stderr.write(`egret: ${message}\n  ${hint}\n`);
  return exit;
}

process.stdout.on('error', ({ code, message }: NodeJS.ErrnoException) => {
  // A reader that left (`egret show route | head`) is no failure, and check found what it found.
  if (code !== 'EPIPE') process.exit(report(new EgretError('OUTPUT_FAILED', { reason: message })));
});
process.exitCode = await main();
