// SPDX-License-Identifier: Apache-2.0
/**
 * `drain`: before the box restarts, neighbors are asked to take other ways while this one still works.
 * The image service gives it; the command line has no such command.
 */
import { type AdminCommand, takesNoWords } from './command.ts';
import type { AdminParts } from './parts.ts';

export const drain: AdminCommand<AdminParts> = {
  name: 'drain',
  async *run(call, parts) {
    takesNoWords(call);
    yield `${parts.operations.drain()} neighbors are asked to take other ways\n`;
    return 0;
  },
};
