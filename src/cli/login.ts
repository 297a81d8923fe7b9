// SPDX-License-Identifier: Apache-2.0
/**
 * The login shell of the users `status` and `admin`, over SSH and on the console. It reads words itself,
 * knows the commands of the one table, and passes nothing to another program.
 *
 *   ssh status@gw show networks      prints and exits with the command's status
 *   ssh -t status@gw                 a prompt
 *
 * sshd starts it with `-c WORDS`; where ForceCommand is set, with `-c` and the forced command, and WORDS
 * in SSH_ORIGINAL_COMMAND. Its launcher leaves it no variable of the environment but those it reads here.
 */
import { hostname, userInfo } from 'node:os';
import { onOneLine } from '../lib/printable.ts';
import { usage } from './command.ts';
import { report } from './run-words.ts';
import { identify } from './shell/identity.ts';
import { runPrompt } from './shell/prompt.ts';
import { Session } from './shell/session.ts';
import { standardIo } from './standard-io.ts';

const runDir = '/run/egret';
/** What ForceCommand says: this program, without words. */
const ownName = /(^|\/)egret-login$/;

/** @returns undefined: a prompt is wanted */
function lineAskedFor([dash, text = '']: readonly string[]): string | undefined {
  const { SSH_ORIGINAL_COMMAND: original } = process.env;
  if (original !== undefined) return original;
  return dash !== '-c' || ownName.test(text) ? undefined : text;
}

async function main(argv: readonly string[]): Promise<number> {
  const account = userInfo().username;
  const identity = identify(account, process.env);
  const session = new Session(runDir, identity.who);
  const io = standardIo(true);
  const line = identity.forcedCommand ?? lineAskedFor(argv);
  if (line !== undefined) return session.run(line, io);
  if (!io.terminal) return report(usage('a prompt needs a terminal (ssh -t)'), io);
  const name = onOneLine(hostname());
  io.terminal.output.write(`Egret on ${name}. ? explains, Tab completes, exit ends.\n`);
  await runPrompt(session, io.terminal, `${account}@${name}> `);
  return 0;
}

// A reader that left is no failure, and there is no one to report another one to.
process.stdout.on('error', () => {});
process.stderr.on('error', () => {});
process.exitCode = await main(process.argv.slice(2));
process.stdin.destroy();
