// SPDX-License-Identifier: Apache-2.0
/**
 * The prompt: one line after the other, edited by node:readline, with history in memory, completion by
 * Tab and help by `?`. A command's output is shown by the pager. Ctrl-C ends a command and clears a
 * line; Ctrl-D, `exit` and `quit` end the session.
 */
import { EventEmitter } from 'node:events';
import { createInterface, type Interface } from 'node:readline';
import { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { printable } from '../../lib/printable.ts';
import { type Terminal, terminalSize } from '../terminal.ts';
import { complete, completionSource, helpAt } from './completion.ts';
import { Pager } from './pager.ts';
import type { Session } from './session.ts';
import { splitLine } from './words.ts';

const historySize = 500;
const endings = ['exit', 'quit', 'logout'];

/** What readline reads: the keys of one line, and no key behind its end. */
class LineKeys extends EventEmitter {
  pause(): this {
    return this;
  }

  resume(): this {
    return this;
  }

  feed(text: string): void {
    this.emit('data', text);
  }
}

/** @param prompt - `admin@gw> ` */
export function runPrompt(session: Session, terminal: Terminal, prompt: string): Promise<void> {
  const { keyboard, output } = terminal;
  const keys = new LineKeys();
  const source = () => completionSource(session.allowed, session);
  const lines: Interface = createInterface({
    input: keys as unknown as NodeJS.ReadableStream,
    output,
    terminal: true,
    prompt: printable(prompt),
    historySize,
    removeHistoryDuplicates: true,
    completer: (line: string, done: (error: null, result: [string[], string]) => void) => {
      complete(source(), line).then(({ candidates, replaced }) => {
        done(null, [[...candidates], replaced]);
        release();
      });
    },
  });
  let isBusy = false;
  const release = (): void => {
    isBusy = false;
    keyboard.wake();
  };

  const explain = async (): Promise<void> => {
    isBusy = true;
    const { columns } = terminalSize(terminal);
    const help = await helpAt(source(), lines.line.slice(0, lines.cursor), columns);
    output.write(`?\n${help.map((line) => `${printable(line)}\n`).join('')}`);
    lines.prompt(true);
    release();
  };

  const run = async (line: string): Promise<void> => {
    if (endings.includes(line.trim())) {
      lines.close();
      return;
    }
    if (line.trim() !== '') await runPaged(session, terminal, line);
    lines.prompt();
    release();
  };

  const stopKeys = keyboard.read((text) => {
    if (isBusy) return text;
    // Readline gets one key at a time where it, or we, may be busy behind it.
    const end = text.search(/[?\t\r\n]/);
    if (end < 0) {
      keys.feed(text);
      return '';
    }
    keys.feed(text.slice(0, end));
    const key = text[end]!;
    const rest = text.slice(end + 1);
    if (key === '?' && !isInQuotes(lines.line.slice(0, lines.cursor))) void explain();
    else if (key === '?') keys.feed(key);
    else {
      isBusy = true;
      keys.feed(key === '\n' ? '\r' : key);
    }
    return key === '\r' && rest.startsWith('\n') ? rest.slice(1) : rest;
  });
  keyboard.onEnd(() => lines.close());
  lines.on('line', (line) => void run(line));
  lines.on('SIGINT', () => {
    lines.write(null, { ctrl: true, name: 'e' });
    output.write('^C\n');
    lines.write(null, { ctrl: true, name: 'u' });
  });
  lines.prompt();
  return new Promise((resolve) => {
    lines.on('close', () => {
      output.write('\n');
      stopKeys();
      resolve();
    });
  });
}

function isInQuotes(text: string): boolean {
  const line = splitLine(text);
  return line.ok && line.value.quote !== undefined;
}

/** A command, until it ends or Ctrl-C ends it. */
async function runPaged(session: Session, terminal: Terminal, line: string): Promise<void> {
  const isFollowing = /\s(-f|--follow)(\s|$)/.test(line);
  const pager = new Pager(terminal, isFollowing);
  const interrupted = new Promise<void>((resolve) => {
    pager.once('error', () => resolve());
  });
  const stopKeys = terminal.keyboard.read((text) => {
    const at = text.lastIndexOf('\u0003');
    if (at < 0) return text;
    terminal.output.write('^C\n');
    pager.destroy(new Error('interrupted'));
    return text.slice(at + 1);
  });
  const io = { input: Readable.from([]), out: pager, errors: pager, file: pager, terminal };
  const end = async (): Promise<void> => {
    await session.run(line, io);
    pager.end();
    await finished(pager).catch(() => {});
  };
  await Promise.race([end(), interrupted]);
  stopKeys();
}
