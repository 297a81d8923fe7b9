// SPDX-License-Identifier: Apache-2.0
/** `egret history [N]`: the configurations that ran, or what one of them changed. */
import { diffFiles } from '../apply/file-diff.ts';
import type { Kept } from '../apply/kept.ts';
import { stepsBack } from '../apply/versions.ts';
import type { History } from '../history/history.ts';
import type { Answer } from '../ipc/protocol.ts';
import { EgretError } from '../lib/errors.ts';
import { type Column, formatTable, orDash } from '../status/table.ts';
import type { AdminCommand } from './command.ts';
import type { AdminParts } from './parts.ts';

interface Row {
  /** As `rollback` takes it: 0 runs; null: it does not count. */
  readonly number: number | null;
  readonly version: number;
  readonly time: string;
  readonly who: string;
  readonly state: string;
  readonly message: string;
}

const columns: readonly Column<Row>[] = [
  { title: 'N', text: ({ number }) => (number === null ? '-' : `${number}`), isNumber: true },
  { title: 'VERSION', text: ({ version }) => `v${version}`, isNumber: true },
  { title: 'TIME', text: ({ time }) => time.replace('T', ' ').replace(/\.\d+Z$/, 'Z') },
  { title: 'WHO', text: ({ who }) => orDash(who) },
  { title: 'STATE', text: ({ state }) => orDash(state) },
  { title: 'MESSAGE', text: ({ message }) => message },
];

export const history: AdminCommand<AdminParts> = {
  name: 'history',
  async *run({ words: [word, more], isJson, width }, { control }) {
    if (more !== undefined) throw new EgretError('USAGE', { what: `history takes no ${more}` });
    if (word !== undefined) return yield* printVersion(control.kept, word, isJson);
    const rows = rowsOf(await control.kept.history(), control.kept.running);
    yield isJson
      ? `${JSON.stringify({ schema: 'egret.history/1', rows })}\n`
      : formatTable(columns, rows, width ?? undefined);
    return 0;
  },
};

/** The newest first. */
function rowsOf(history: History, running: number): Row[] {
  const numbers = new Map(stepsBack(history, running).map(({ version }, n) => [version, n]));
  const reverted = new Set(history.record?.reverted);
  return history.versions.toReversed().map((version) => ({
    number: numbers.get(version.version) ?? null,
    version: version.version,
    time: version.time,
    who: version.who,
    state: stateOf(version.version),
    message: version.kind === 'rollback' ? rollbackText(version) : version.message,
  }));

  function stateOf(version: number): string {
    if (reverted.has(version)) return 'reverted';
    if (version === running) {
      const until = history.record?.pending?.until;
      return until === undefined ? 'running' : `running, to be confirmed until ${until}`;
    }
    return version > running ? 'not valid here' : '';
  }
}

const rollbackText = ({ from, message }: { from: number | null; message: string }): string =>
  [`rollback to v${from}`, message].filter(Boolean).join(': ');

async function* printVersion(kept: Kept, word: string, isJson: boolean): Answer {
  const { version, previous, who, time, message } = await kept.named(word);
  const hasPrevious = (await kept.history()).find(previous) !== undefined;
  const before = hasPrevious ? await kept.filesOf(previous) : [];
  const files = diffFiles(before, await kept.filesOf(version));
  const about = { schema: 'egret.version/1', version, previous, time, who, message };
  yield isJson
    ? `${JSON.stringify({ ...about, files })}\n`
    : files.map(({ text }) => text).join('');
  return 0;
}
