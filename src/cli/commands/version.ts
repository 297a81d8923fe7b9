// SPDX-License-Identifier: Apache-2.0
/** `egret version`, and `egret show version`: on the image also the slot, and the keys of updates. */
import { keysText, readReport } from '../../image/slot-report.ts';
import { version as number } from '../../version.ts';
import { type Call, type Command, takesNoWords } from '../command.ts';

export const version: Command = {
  name: 'version',
  usage: ['version [--json]'],
  help: 'Print the version; on the image also the slot, and by which keys updates are trusted.',
  options: [],
  takesJson: true,
  shell: 'status',
  words: [],
  run: async (call) => {
    takesNoWords('version', call.words);
    return printVersion(call);
  },
};

/** @returns the exit status */
export function printVersion({ io, isJson }: Pick<Call, 'io' | 'isJson'>): number {
  const { running = null, keys = [] } = readReport() ?? {};
  if (isJson) {
    const answer = { schema: 'egret.version/1', version: number, slot: running, keys };
    io.out.write(`${JSON.stringify(answer)}\n`);
    return 0;
  }
  io.out.write(`egret ${number}\n`);
  if (running !== null) io.out.write(`slot ${running}\n${keysText(keys)}`);
  return 0;
}
