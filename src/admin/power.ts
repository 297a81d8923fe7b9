// SPDX-License-Identifier: Apache-2.0
/** `egret reboot` and `egret poweroff`: of the whole box, by systemd. */
import { existsSync } from 'node:fs';
import { EgretError } from '../lib/errors.ts';
import { runProgram } from '../lib/programs.ts';
import { type AdminCommand, takesNoWords } from './command.ts';
import type { AdminParts } from './parts.ts';

/** sd_booted(3). */
const systemdPath = '/run/systemd/system';

const power = (name: 'reboot' | 'poweroff', doing: string): AdminCommand<AdminParts> => ({
  name,
  async *run(call) {
    takesNoWords(call);
    if (!existsSync(systemdPath)) {
      throw new EgretError('SYSTEM_REFUSED', { what: name, reason: 'systemd does not run here' });
    }
    // It is queued: the answer is out before egretd is stopped.
    const { status } = await runProgram('systemctl', ['--no-block', name]);
    if (status !== 0) {
      throw new EgretError('SYSTEM_REFUSED', { what: name, reason: 'systemctl failed' });
    }
    yield `the box ${doing}\n`;
    return 0;
  },
});

export const reboot = power('reboot', 'starts again');
export const poweroff = power('poweroff', 'is switched off');
