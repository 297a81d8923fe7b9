// SPDX-License-Identifier: Apache-2.0
/** `egret apply`: makes the operator's files the configuration that runs. */

import type { AdminCommand } from './command.ts';
import { takesNoWords } from './command.ts';
import { printOutcome, whoOf } from './outcome.ts';
import type { AdminParts } from './parts.ts';

export const apply: AdminCommand<AdminParts> = {
  name: 'apply',
  async *run(call, { control }) {
    takesNoWords(call);
    return yield* printOutcome(control.apply(whoOf(call)), call.isJson);
  },
};
