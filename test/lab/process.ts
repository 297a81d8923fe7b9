// SPDX-License-Identifier: Apache-2.0
/**
 * Programs that the lab starts: run to the end and captured, or kept running with the last lines of
 * what they say.
 *
 * Every long-running program is killed by the kernel when the lab dies (PR_SET_PDEATHSIG, by setpriv), so
 * that a lab that is killed leaves none of its own children; what those have started detached (the
 * forwarder) is found by its namespace when the next lab sweeps. Programs are killed by their pid.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * How long anything is waited for. A wait ends on its event; the bound only makes a test that hangs end
 * with a message, on a machine that does much else at the same time.
 */
export const patienceMs = 180_000;

// A test runner's options for Node are not for what the lab starts.
const { NODE_OPTIONS: _, ...environment } = process.env;

/** What a captured program left. */
export interface Captured {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly stdin?: string | Readable;
  /** Statuses that are no failure; default only 0. `any` takes all. */
  readonly statuses?: readonly number[] | 'any';
  readonly timeoutMs?: number;
}

/**
 * Runs a program to its end.
 *
 * @throws Error with the command and all it said, when its status is not among `statuses`
 */
export function run(argv: readonly string[], options: RunOptions = {}): Promise<Captured> {
  const [program, ...args] = argv;
  if (program === undefined) throw new Error('run: no program');
  return new Promise((resolve, reject) => {
    const settings = {
      timeout: options.timeoutMs ?? patienceMs,
      maxBuffer: 256 << 20,
      env: environment,
    };
    const child = execFile(program, args, settings, (error, stdout, stderr) => {
      const status = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
      const statuses = options.statuses ?? [0];
      if (statuses === 'any' || statuses.includes(status)) resolve({ status, stdout, stderr });
      else reject(new Error(`${argv.join(' ')}: status ${status}\n${stdout}${stderr}`));
    });
    child.stdin?.on('error', () => {}); // a program that does not read its input is no failure
    if (child.stdin && options.stdin instanceof Readable) options.stdin.pipe(child.stdin);
    else child.stdin?.end(options.stdin ?? '');
  });
}

/** A program that keeps running. */
export interface Running {
  readonly pid: number;
  readonly child: ChildProcess;
  /** The last lines of its output and errors, oldest first. */
  output(): string;
  readonly isRunning: boolean;
  /** Settles when it has exited. */
  readonly ended: Promise<{ readonly status: number | null; readonly signal: string | null }>;
  /** Sends a signal and waits for the exit; after patienceMs it sends SIGKILL, which the result shows. */
  stop(signal?: NodeJS.Signals): Promise<void>;
}

/** Lines that Running.output keeps. */
const outputLinesMax = 2000;

/** Starts a program that is to run until it is stopped. Its stdin stays open as long as the lab. */
export function start(argv: readonly string[]): Running {
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', ...argv], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: environment,
    detached: true, // Ctrl-C at the lab's prompt is not for them
  });
  const lines: string[] = [];
  const keep = (chunk: Buffer): void => {
    lines.push(...chunk.toString().split('\n').filter(Boolean));
    if (lines.length > outputLinesMax) lines.splice(0, lines.length - outputLinesMax);
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  child.stdin.on('error', () => {});
  const ended = new Promise<{ status: number | null; signal: string | null }>((resolve) => {
    child.once('error', (error) => {
      lines.push(String(error));
      resolve({ status: -1, signal: null });
    });
    child.once('exit', (status, signal) => resolve({ status, signal }));
  });
  return {
    pid: child.pid ?? -1,
    child,
    output: () => lines.join('\n'),
    get isRunning() {
      return child.pid !== undefined && child.exitCode === null && child.signalCode === null;
    },
    ended,
    async stop(signal = 'SIGTERM') {
      if (!this.isRunning) return;
      child.kill(signal);
      const grace = new AbortController();
      const wait = sleep(patienceMs, 'late', { signal: grace.signal }).catch(() => 'late');
      if ((await Promise.race([ended, wait])) === 'late') child.kill('SIGKILL');
      await ended;
      grace.abort();
    },
  };
}

/**
 * Asks again until there is an answer.
 *
 * @param what - for the error
 * @param ask - undefined or false: not yet; what it throws is kept for the error
 * @throws Error when patience ends without an answer
 */
export async function until<T>(
  what: string,
  ask: () => T | undefined | false | Promise<T | undefined | false>,
  intervalMs = 50,
): Promise<T> {
  const end = performance.now() + patienceMs;
  let last: unknown;
  for (;;) {
    try {
      const answer = await ask();
      if (answer !== undefined && answer !== false) return answer;
      last = undefined;
    } catch (error) {
      last = error;
    }
    if (performance.now() > end) {
      const why = last instanceof Error ? `: ${last.message}` : '';
      throw new Error(`${what}: not within ${patienceMs / 1000} s${why}`, { cause: last });
    }
    await sleep(intervalMs);
  }
}

/** When a process started, in clock ticks since boot; undefined when it does not live. */
export function startTicks(stat: string): string | undefined {
  // The second field is the program's name in parentheses and may hold anything.
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
}
