// SPDX-License-Identifier: Apache-2.0
/** `egret rollback [N]`: applies a version of the history; the operator's files stay as they are. */
import { EgretError } from '../lib/errors.ts';
import type { AdminCommand } from './command.ts';
import { printOutcome, whoOf } from './outcome.ts';
import type { AdminParts } from './parts.ts';

export const rollback: AdminCommand<AdminParts> = {
  name: 'rollback',
  async *run(call, { control }) {
    const [word = '1', more] = call.words;
    if (more !== undefined) throw new EgretError('USAGE', { what: `rollback takes no ${more}` });
    return yield* printOutcome(control.rollback(word, whoOf(call)), call.isJson);
  },
};
