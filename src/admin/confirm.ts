// SPDX-License-Identifier: Apache-2.0
/** `egret confirm`: keeps what `egret apply --confirm` has applied. */
import type { AdminCommand } from './command.ts';
import { takesNoWords } from './command.ts';
import { whoOf } from './outcome.ts';
import type { AdminParts } from './parts.ts';

export const confirm: AdminCommand<AdminParts> = {
  name: 'confirm',
  async *run(call, { control }) {
    takesNoWords(call);
    yield `version ${await control.confirm(whoOf(call))} is confirmed\n`;
    return 0;
  },
};
