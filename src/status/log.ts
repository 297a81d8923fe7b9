// SPDX-License-Identifier: Apache-2.0
/** `egret show log [-f]`: the log of egretd and of the forwarder, from systemd's journal. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import type { Answer } from '../ipc/protocol.ts';
import type { Clock } from '../lib/clock.ts';
import { EgretError } from '../lib/errors.ts';

/** Of the past. */
const lines = 200;
/** How soon it is noticed that a reader of -f has left. */
const beatMs = 5_000;
const units = ['egretd.service', 'egret-forwarder.service'];

/** @throws EgretError SYSTEM_REFUSED where systemd does not run */
export async function* showLog(clock: Clock, isFollowing: boolean): Answer {
  if (!existsSync('/run/systemd/system')) {
    const reason = "systemd does not run here, the log is egretd's standard error";
    throw new EgretError('SYSTEM_REFUSED', { what: 'show log', reason });
  }
  const words = ['--no-pager', '--output=cat', `--lines=${lines}`];
  if (isFollowing) words.push('--follow');
  const child = spawn('journalctl', [...words, ...units.map((unit) => `--unit=${unit}`)], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const texts: string[] = [];
  let isOver = false;
  let wake = (): void => {};
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    texts.push(text);
    child.stdout.pause();
    wake();
  });
  const end = (): void => {
    isOver = true;
    wake();
  };
  child.on('error', end).on('close', end);
  try {
    for (;;) {
      const text = texts.splice(0).join('');
      yield text;
      child.stdout.resume();
      if (isOver && texts.length === 0) return 0;
      await new Promise<void>((resolve) => {
        const timer = clock.after(beatMs, resolve);
        wake = () => {
          timer.clear();
          resolve();
        };
        if (texts.length > 0 || isOver) wake();
      });
    }
  } finally {
    child.kill('SIGTERM');
  }
}
