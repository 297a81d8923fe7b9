// SPDX-License-Identifier: Apache-2.0
/** The table of commands, in the order of help. */
import type { Command } from './command.ts';
import { apply } from './commands/apply.ts';
import { check } from './commands/check.ts';
import { clear } from './commands/clear.ts';
import { makeCompletion } from './commands/completion.ts';
import { config } from './commands/config.ts';
import { confirm } from './commands/confirm.ts';
import { diff } from './commands/diff.ts';
import { makeHelp } from './commands/help.ts';
import { history } from './commands/history.ts';
import { image } from './commands/image.ts';
import { neighbor } from './commands/neighbor.ts';
import { ping } from './commands/ping.ts';
import { poweroff, reboot } from './commands/power.ts';
import { rollback } from './commands/rollback.ts';
import { run } from './commands/run.ts';
import { schema } from './commands/schema.ts';
import { show } from './commands/show.ts';
import { tcpCheck } from './commands/tcp-check.ts';
import { traceroute } from './commands/traceroute.ts';
import { version } from './commands/version.ts';
import { why } from './commands/why.ts';

export const commands: readonly Command[] = [
  run,
  check,
  config,
  schema,
  diff,
  apply,
  confirm,
  rollback,
  history,
  image,
  show,
  why,
  ping,
  traceroute,
  tcpCheck,
  clear,
  neighbor,
  reboot,
  poweroff,
  makeCompletion(() => commands),
  version,
  makeHelp(() => commands),
];
