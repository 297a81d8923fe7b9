// SPDX-License-Identifier: Apache-2.0
/**
 * egret: the command line. One table gives parsing, help and completion; asking a running egretd is
 * left to its status socket, and only `run` and `check` load more than this file and the list of views.
 *
 * Exit status: 0 ok, 1 usage, 2 invalid configuration, 3 not found, 4 daemon not reachable.
 */
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { EgretError } from './lib/errors.ts';
import { endOfAnswer, type StatusRequest } from './status/request.ts';
import type { View } from './status/view.ts';
import { viewNamed, viewNames, views } from './status/views.ts';
import { version } from './version.ts';

interface Arguments {
  readonly words: readonly string[];
  readonly runDir: string;
  readonly configPath: string | undefined;
  readonly isJson: boolean;
  readonly isForwarderExternal: boolean;
  readonly isHelp: boolean;
}

interface Command {
  readonly name: string;
  readonly usage: string;
  readonly help: string;
  /** Words that may follow, for completion. */
  readonly words: readonly string[];
  /** @returns the exit status */
  readonly run: (args: Arguments) => Promise<number>;
}

/** How long the first line of an answer may take. */
const answerTimeoutMs = 30_000;
/** No path, name or address is longer, and so no request is longer than egretd reads. */
const wordLengthMax = 4096;

const defaultRunDir = process.env['EGRET_RUN_DIR'] ?? '/run/egret';

const commands: readonly Command[] = [
  {
    name: 'run',
    usage: 'run --config PATH [--run-dir DIR] [--forwarder external]',
    help: 'Run egretd in the foreground.',
    words: ['--config', '--run-dir', '--forwarder'],
    run: async (args) => {
      takesNoWords('run', args);
      if (args.configPath === undefined) throw usage('run needs --config PATH');
      const { runDaemon } = await import('./main.ts');
      return runDaemon({
        configPath: args.configPath,
        runDir: args.runDir,
        isForwarderExternal: args.isForwarderExternal,
      });
    },
  },
  {
    name: 'check',
    usage: 'check PATH...',
    help: 'Check configurations and print every error.',
    words: [],
    run: async (args) => {
      if (args.words.length === 0) throw usage('check needs a PATH');
      const { checkConfigs } = await import('./config/check.ts');
      const report = checkConfigs(args.words, args.isJson);
      process.stdout.write(report.text);
      return report.isValid ? 0 : 2;
    },
  },
  {
    name: 'show',
    usage: `show ${viewNames.join(' | ')} [--json]`,
    help: ['Show what egretd does now.', ...views.flatMap(usageOf)].join(' '),
    words: [...viewNames, ...views.flatMap(({ words }) => words), '--json'],
    run: (args) => ask(args, showRequest(args)),
  },
  {
    name: 'why',
    usage: 'why CLIENT DESTINATION [--json]',
    help: "Explain what a client's packet would meet.",
    words: ['--json'],
    run: (args) => {
      const [client, destination, more] = args.words;
      if (!client || !destination || more) throw usage('why takes CLIENT and DESTINATION');
      return ask(args, { command: 'why', client, destination, isJson: args.isJson });
    },
  },
  {
    name: 'completion',
    usage: 'completion',
    help: 'Print a completion script for bash.',
    words: [],
    run: async (args) => {
      takesNoWords('completion', args);
      process.stdout.write(completionScript());
      return 0;
    },
  },
  {
    name: 'version',
    usage: 'version',
    help: 'Print the version.',
    words: [],
    run: async (args) => {
      takesNoWords('version', args);
      process.stdout.write(`egret ${version}\n`);
      return 0;
    },
  },
  {
    name: 'help',
    usage: 'help [COMMAND]',
    help: 'Show this list, or one command of it.',
    words: [],
    run: async ({ words: [name] }) => {
      process.stdout.write(helpText(name === undefined ? commands : [commandOf(name)]));
      return 0;
    },
  },
];

function commandOf(name: string | undefined): Command {
  const command = commands.find((candidate) => candidate.name === name);
  if (command) return command;
  throw usage(name === undefined ? 'a command is needed' : `there is no command ${name}`);
}

function takesNoWords(name: string, { words: [first] }: Arguments): void {
  if (first !== undefined) throw usage(`${name} takes no ${first}`);
}

function usageOf({ name, usage }: View): string[] {
  return usage === undefined ? [] : [`${name} takes: ${usage}.`];
}

/** Checked here too, so that a word too many needs no egretd to be one. */
function showRequest({ words: [name, ...words], isJson }: Arguments): StatusRequest {
  const view = name ? viewNamed(name) : undefined;
  if (!view) throw usage(name ? `show has no view ${name}` : 'show needs a view');
  view.check(words);
  return { command: 'show', view: view.name, isJson, words };
}

/** Asks the daemon and prints what it answers. */
function ask(args: Arguments, request: StatusRequest): Promise<number> {
  const path = join(args.runDir, 'status.sock');
  return new Promise((resolve, reject) => {
    const socket = createConnection(path);
    let head: string | undefined = '';
    let status = 4;
    let isComplete = false;
    const unreachable = () => reject(new EgretError('DAEMON_UNREACHABLE', { path }));
    const print = (text: string): void => {
      isComplete = text.endsWith(endOfAnswer);
      if (process.stdout.write(isComplete ? text.slice(0, -endOfAnswer.length) : text)) return;
      socket.pause();
      process.stdout.once('drain', () => socket.resume());
    };
    socket.setEncoding('utf8');
    socket.setTimeout(answerTimeoutMs, () => socket.destroy());
    socket.on('connect', () => socket.write(`${JSON.stringify(request)}\n`));
    socket.on('data', (chunk: string) => {
      if (head === undefined) {
        print(chunk);
        return;
      }
      head += chunk;
      const end = head.indexOf('\n');
      if (end < 0) return;
      socket.setTimeout(0);
      const answer = JSON.parse(head.slice(0, end)) as Record<string, unknown>;
      status = Number(answer['status']);
      if (answer['message']) process.stderr.write(`egret: ${answer['message']}\n`);
      if (answer['hint']) process.stderr.write(`  ${answer['hint']}\n`);
      const text = head.slice(end + 1);
      head = undefined;
      if (text) print(text);
    });
    socket.on('error', unreachable);
    process.stdout.on('error', () => {
      resolve(0);
      socket.destroy();
    });
    socket.on('close', () => {
      if (status !== 0 ? head === undefined : isComplete) resolve(status);
      else unreachable();
    });
  });
}

function parseArguments(argv: readonly string[]): Arguments & { command: string | undefined } {
  const words: string[] = [];
  let runDir = defaultRunDir;
  let configPath: string | undefined;
  let isJson = false;
  let isForwarderExternal = false;
  let isHelp = false;
  const long = argv.find((word) => word.length > wordLengthMax);
  if (long) throw usage(`${long.slice(0, 20)}… is too long`);
  const rest = argv.flatMap((word) => /^(--[a-z-]+)=(.*)$/s.exec(word)?.slice(1) ?? word);
  const value = (option: string): string => {
    const next = rest.shift();
    if (next === undefined) throw usage(`${option} needs a value`);
    return next;
  };
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if (word === '--run-dir') runDir = value(word);
    else if (word === '--config') configPath = value(word);
    else if (word === '--json') isJson = true;
    else if (word === '--help' || word === '-h') isHelp = true;
    else if (word === '--version') words.unshift('version');
    else if (word === '--forwarder') {
      const mode = value(word);
      if (mode !== 'external') throw usage(`--forwarder takes external, not ${mode}`);
      isForwarderExternal = true;
    } else if (word.startsWith('-')) throw usage(`there is no option ${word}`);
    else words.push(word);
  }
  const command = words.shift();
  return { command, words, runDir, configPath, isJson, isForwarderExternal, isHelp };
}

const usage = (what: string): EgretError => new EgretError('USAGE', { what });

function helpText(shown: readonly Command[]): string {
  const width = Math.max(...shown.map((command) => command.name.length));
  const lines = shown.map(
    (command) =>
      `  ${command.name.padEnd(width)}  ${command.help}\n  ${' '.repeat(width)}  egret ${command.usage}\n`,
  );
  return `Usage: egret [--run-dir DIR] COMMAND\n\n${lines.join('')}`;
}

function completionScript(): string {
  const cases = commands
    .map((command) => `    ${command.name}) words='${command.words.join(' ')}' ;;\n`)
    .join('');
  const names = commands.map((command) => command.name).join(' ');
  return `_egret() {
  local words='${names}' word
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case $word in
${cases}    esac
  done
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -F _egret egret
`;
}

async function main(): Promise<number> {
  try {
    const args = parseArguments(process.argv.slice(2));
    if (args.isHelp) {
      process.stdout.write(helpText(args.command ? [commandOf(args.command)] : commands));
      return 0;
    }
    return await commandOf(args.command).run(args);
  } catch (error) {
    if (!(error instanceof EgretError)) throw error;
    return tell(error);
  }
}

/** @returns the exit status */
function tell({ message, hint, exit }: EgretError): number {
  process.stderr.write(`egret: ${message}\n  ${hint}\n`);
  return exit;
}

process.stdout.on('error', ({ code, message }: NodeJS.ErrnoException) => {
  // A reader that went away (`egret show route | head`) is no failure, and check found what it found.
  if (code !== 'EPIPE') process.exit(tell(new EgretError('OUTPUT_FAILED', { reason: message })));
});
process.exitCode = await main();
