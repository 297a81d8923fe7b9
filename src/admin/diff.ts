// SPDX-License-Identifier: Apache-2.0
/**
 * `egret diff [N]`: how the operator's files, or a version of the history, differ from what runs, and
 * what applying them would do to the box as it is now.
 */
import { effectLines, sessionLines } from '../apply/effects.ts';
import { diffFiles } from '../apply/file-diff.ts';
import { errorRow } from '../config/check.ts';
import { formatErrors } from '../config/yaml/located.ts';
import { EgretError } from '../lib/errors.ts';
import type { AdminCommand } from './command.ts';
import type { AdminParts } from './parts.ts';

export const diff: AdminCommand<AdminParts> = {
  name: 'diff',
  async *run({ words: [word, more], isJson }, { control }) {
    if (more !== undefined) throw new EgretError('USAGE', { what: `diff takes no ${more}` });
    const { files, resolution } = await compared(control, word);
    const changes = diffFiles(await control.kept.runningFiles(), files);
    const about = { schema: 'egret.diff/1', files: changes };
    if (!isJson) yield changes.map(({ text }) => text).join('');
    if (resolution.kind === 'errors') {
      const { errors } = resolution;
      yield isJson
        ? `${JSON.stringify({ ...about, errors: errors.map(errorRow), effects: [], sessions: null })}\n`
        : formatErrors(errors);
      return 2;
    }
    const outlook = control.target.whatIf(resolution.model);
    const { effects } = outlook;
    const sessions = await outlook.sessions();
    if (isJson) yield `${JSON.stringify({ ...about, errors: [], effects, sessions })}\n`;
    else if (changes.length === 0 && effects.length === 0) yield 'nothing would change\n';
    else yield `${[...effectLines(effects), ...sessionLines(sessions)].join('\n')}\n`;
    return 0;
  },
};

async function compared(control: AdminParts['control'], word: string | undefined) {
  if (word === undefined) {
    const { set, resolution } = await control.edited();
    return { files: set.files, resolution };
  }
  const files = await control.kept.filesOf((await control.kept.named(word)).version);
  return { files, resolution: await control.resolve(files) };
}
