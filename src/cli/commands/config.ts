// SPDX-License-Identifier: Apache-2.0
/**
 * `egret config`: the operator's files on the box. Nothing of it is applied. egretd reads and writes
 * them; only the editor is here.
 */
import { Readable, Writable } from 'node:stream';
import { EgretError } from '../../lib/errors.ts';
import { didYouMean } from '../../lib/nearest.ts';
import { askAdmin } from '../ask.ts';
import { type Call, type Command, usage } from '../command.ts';
import { isDumb } from '../terminal.ts';

const actions = ['list', 'get', 'put', 'rm', 'edit'];
const notFound = 3;

export const config: Command = {
  name: 'config',
  usage: ['config list [--json]', 'config get | rm | edit FILE', 'config put FILE < LOCAL-FILE'],
  forms: [
    'config list',
    'config get FILE',
    'config put FILE',
    'config rm FILE',
    'config edit FILE',
  ],
  help: 'Read, write and edit the files of the configuration; `apply` brings them into force.',
  options: [],
  takesJson: true,
  takesOutput: true,
  shell: 'admin',
  words: actions,
  wordHelp: new Map([
    ['list', 'The files.'],
    ['get', 'Print a file.'],
    ['put', 'Write a file from standard input, whole or not at all.'],
    ['rm', 'Remove a file.'],
    ['edit', 'Edit a file on the terminal.'],
  ]),
  run: async (call) => {
    const [action, file, more] = call.words;
    if (action === undefined) throw usage(`config needs ${actions.join(', ')}`);
    if (!actions.includes(action)) {
      throw usage(`config has no ${action}${didYouMean(action, actions)}`);
    }
    const wanted = action === 'list' ? 0 : 1;
    const extra = wanted === 0 ? file : more;
    if (extra !== undefined) throw usage(`config ${action} takes no ${extra}`);
    if (wanted === 1 && !file) throw usage(`config ${action} needs a FILE`);
    if (action === 'put') return put(call);
    if (action === 'edit') return edit(call, file!);
    return askAdmin(
      action === 'get' ? { ...call, io: { ...call.io, out: call.io.file } } : call,
      'config',
    );
  },
};

/** A file is never typed by hand: without one behind it, standard input would make it empty. */
function put(call: Call): Promise<number> {
  if (call.io.terminal) {
    throw usage(
      'config put reads the file from standard input (ssh admin@GW config put FILE < FILE)',
    );
  }
  return askAdmin(call, 'config', call.io.input);
}

/** A file that does not exist begins empty. Another's change meanwhile is not written over unseen. */
async function edit(call: Call, file: string): Promise<number> {
  const { terminal } = call.io;
  if (!terminal || isDumb()) throw usage('config edit needs a terminal (ssh -t)');
  let known = await collect(call, 'get', file);
  if (known.status !== 0 && known.status !== notFound) {
    call.io.errors.write(known.errors);
    return known.status;
  }
  const { edit: open } = await import('../editor/editor.ts');
  let isWarned = false;
  const save = async (text: string): Promise<string | undefined> => {
    const now = await collect(call, 'get', file);
    if (now.text !== known.text && !isWarned) {
      isWarned = true;
      return 'Not saved: another has changed the file. Save again to write over that.';
    }
    const written = await collect(call, 'put', file, Readable.from([text]));
    if (written.status !== 0) return written.errors.trim().replace(/\s*\n\s*/g, ' ');
    known = { ...known, text };
    isWarned = false;
    return undefined;
  };
  await open(terminal, { name: file, text: known.status === 0 ? known.text : '', save });
  return 0;
}

/** Asks, and keeps what would be printed. */
async function collect(
  call: Call,
  action: string,
  file: string,
  body?: Readable,
): Promise<{ readonly status: number; readonly text: string; readonly errors: string }> {
  const out = new Collected();
  const errors = new Collected();
  const words = [action, file];
  const io = { ...call.io, out, errors };
  try {
    const status = await askAdmin({ ...call, words, io }, 'config', body);
    return { status, text: out.text, errors: errors.text };
  } catch (error) {
    if (!(error instanceof EgretError)) throw error;
    return { status: error.exit, text: '', errors: `egret: ${error.message} ${error.hint}` };
  }
}

class Collected extends Writable {
  text = '';

  constructor() {
    super({ decodeStrings: false });
  }

  override _write(chunk: string | Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}
