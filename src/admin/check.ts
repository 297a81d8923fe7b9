// SPDX-License-Identifier: Apache-2.0
/** `egret check` on the box: what is wrong with the operator's files. */
import { reportOn } from '../config/check.ts';
import { type AdminCommand, takesNoWords } from './command.ts';
import type { AdminParts } from './parts.ts';

export const check: AdminCommand<AdminParts> = {
  name: 'check',
  async *run(call, { control }) {
    takesNoWords(call);
    const { resolution: result } = await control.edited();
    const how = { isJson: call.isJson, isStrict: call.options['--strict'] !== undefined };
    const report = await reportOn([{ path: control.configPath, result }], how);
    yield report.text;
    return report.isValid ? 0 : 2;
  },
};
