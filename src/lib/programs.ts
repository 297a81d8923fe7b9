// SPDX-License-Identifier: Apache-2.0
/** Runs a program of the system with fixed arguments. Nothing is ever passed through a shell. */
import { spawn } from 'node:child_process';

export interface Ran {
  /** undefined: it could not be started, or was killed. */
  readonly status: number | undefined;
  readonly output: string;
}

/** @param timeoutMs - then it is killed */
export function runProgram(
  name: string,
  words: readonly string[],
  timeoutMs = 5_000,
): Promise<Ran> {
  return new Promise((resolve) => {
    const child = spawn(name, words, {
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: timeoutMs,
      killSignal: 'SIGKILL',
    });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
    child.on('error', () => resolve({ status: undefined, output }));
    child.on('close', (status) => resolve({ status: status ?? undefined, output }));
  });
}
