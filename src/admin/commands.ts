// SPDX-License-Identifier: Apache-2.0
/** The commands of the admin socket. */
import { apply } from './apply.ts';
import { check } from './check.ts';
import { clear } from './clear.ts';
import type { AdminCommand } from './command.ts';
import { config } from './config.ts';
import { confirm } from './confirm.ts';
import { diff } from './diff.ts';
import { drain } from './drain.ts';
import { history } from './history.ts';
import { neighbor } from './neighbor.ts';
import type { AdminParts } from './parts.ts';
import { poweroff, reboot } from './power.ts';
import { rollback } from './rollback.ts';

export const adminCommands: readonly AdminCommand<AdminParts>[] = [
  check,
  apply,
  confirm,
  rollback,
  history,
  diff,
  config,
  clear,
  neighbor,
  reboot,
  poweroff,
  drain,
];
