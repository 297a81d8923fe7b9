// SPDX-License-Identifier: Apache-2.0
/** The table of commands, in the order of help. */
import type { Command } from './command.ts';
import { check } from './commands/check.ts';
import { makeCompletion } from './commands/completion.ts';
import { makeHelp } from './commands/help.ts';
import { run } from './commands/run.ts';
import { show } from './commands/show.ts';
import { version } from './commands/version.ts';
import { why } from './commands/why.ts';

export const commands: readonly Command[] = [
  run,
  check,
  show,
  why,
  makeCompletion(() => commands),
  version,
  makeHelp(() => commands),
];
