// SPDX-License-Identifier: Apache-2.0
/** `egret image`: the slots of the image, and an update into the one that does not run. */
import { open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { readReport, reportText } from '../../image/slot-report.ts';
import { ask } from '../../ipc/client.ts';
import { EgretError } from '../../lib/errors.ts';
import { didYouMean } from '../../lib/nearest.ts';
import { type Call, type Command, usage } from '../command.ts';

const actions = ['install', 'status'];
/** Of the image service; it is not in the run directory, since it needs no egretd. */
const serviceSocket = '/run/egret-image/image.sock';

export const image: Command = {
  name: 'image',
  usage: [
    'image status [--json]',
    'image install FILE | - [--no-reboot] [--allow-unsigned] < UPDATE',
  ],
  help: 'Show the slots of the image, or install a signed update into the other slot and try it.',
  options: [
    { name: '--no-reboot', help: 'The next start tries it.' },
    {
      name: '--allow-unsigned',
      help: 'Take an update without a trusted signature: on the console only.',
    },
  ],
  takesJson: true,
  shell: 'status',
  words: actions,
  run: async (call) => {
    const [action, file, more] = call.words;
    if (action === undefined) throw usage(`image needs ${actions.join(' or ')}`);
    if (action === 'status') {
      if (file !== undefined) throw usage(`image status takes no ${file}`);
      return status(call);
    }
    if (action !== 'install') throw usage(`image has no ${action}${didYouMean(action, actions)}`);
    if (!file) throw usage('image install needs a FILE, or - for standard input');
    if (more !== undefined) throw usage(`image install takes no ${more}`);
    return install(call, file);
  },
};

async function status({ isJson, io }: Call): Promise<number> {
  const report = readReport();
  if (!report) throw new EgretError('NO_IMAGE');
  io.out.write(isJson ? `${JSON.stringify(report)}\n` : reportText(report));
  return 0;
}

async function install({ io, options, who }: Call, file: string): Promise<number> {
  if (!readReport()) throw new EgretError('NO_IMAGE');
  const body = await bodyOf(file, io);
  const request = {
    who,
    allowUnsigned: options.has('--allow-unsigned'),
    noReboot: options.has('--no-reboot'),
  };
  return ask({ path: serviceSocket, request, body, out: io.out, errors: io.errors });
}

async function bodyOf(file: string, { input, terminal }: Call['io']): Promise<Readable> {
  if (file === '-') {
    if (terminal)
      throw usage(
        'image install - reads the update from standard input (ssh admin@GW image install - < FILE)',
      );
    return input;
  }
  try {
    const handle = await open(file);
    return handle.createReadStream();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') throw new EgretError('NOT_FOUND', { what: file });
    throw usage(`${file} cannot be read: ${message}`);
  }
}
