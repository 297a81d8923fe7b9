// SPDX-License-Identifier: Apache-2.0
/** Help and bash completion, from the table of commands. */
import { wrapped } from '../lib/text-width.ts';
import { optionsOf } from './arguments.ts';
import type { Command } from './command.ts';

/**
 * @param shown - all commands, or one of them, which is explained with its options
 * @param columns - of the terminal; null: no limit
 */
export function helpText(shown: readonly Command[], columns: number | null): string {
  const width = Math.max(...shown.map(({ name }) => name.length));
  const lines = shown.map(({ name, help, usage }) => {
    const forms = usage.map((form) => line('', `egret ${form}`, width, columns));
    return line(name, help, width, columns) + forms.join('');
  });
  const [only] = shown;
  const options = shown.length === 1 && only ? `\nOptions:\n${optionLines(only, columns)}` : '';
  return `Usage: egret [--run-dir DIR] COMMAND\n\n${lines.join('')}${options}`;
}

function optionLines(command: Command, columns: number | null): string {
  const options = optionsOf(command).map(({ name, short, value, help }) => ({
    shown: [short ? `${short}, ${name}` : name, value ?? []].flat().join(' '),
    help,
  }));
  const width = Math.max(...options.map(({ shown }) => shown.length));
  return options.map(({ shown, help }) => line(shown, help, width, columns)).join('');
}

function line(left: string, right: string, width: number, columns: number | null): string {
  return `  ${left.padEnd(width)}  ${wrapped(right, width + 4, columns)}\n`;
}

export function completionScript(commands: readonly Command[]): string {
  const cases = commands
    .map((command) => {
      const options = optionsOf(command).map(({ name }) => name);
      return `    ${command.name}) words='${[...command.words, ...options].join(' ')}' ;;\n`;
    })
    .join('');
  return `_egret() {
  local words='${commands.map(({ name }) => name).join(' ')}' word
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case $word in
${cases}    esac
  done
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -F _egret egret
`;
}
