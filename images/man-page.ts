// SPDX-License-Identifier: Apache-2.0
/** egret(8), from the table of commands: man(7) macros. */
import { optionsOf } from '../src/cli/arguments.ts';
import { type Command, commonOptions } from '../src/cli/command.ts';
import { version } from '../src/version.ts';

/** What scripts may rely on. */
const exitStatuses: Readonly<Record<string, string>> = {
  0: 'The command did what it was asked for.',
  1: 'The command line is wrong, or the system refused.',
  2: 'The configuration is invalid.',
  3: 'What was asked about does not exist.',
  4: 'No egretd answers.',
  5: 'What was asked for failed: a packet would be dropped, a check did not pass.',
};

const files: Readonly<Record<string, string>> = {
  '/etc/egret/*.yaml': 'The configuration. Without files the gateway is empty.',
  '/run/egret/': 'Sockets of egretd and of the forwarder, and what the next egretd needs.',
  '/var/lib/egret/': 'History of configurations.',
  '/usr/share/doc/egret/examples/': 'Configurations to begin with.',
};

/** Text for troff: a backslash, and a dot or quote that begins a line, mean themselves. */
function plain(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll(/^([.'])/gm, '\\&$1');
}

function row(name: string, text: string): string {
  return `.TP\n.B ${plain(name)}\n${plain(text)}\n`;
}

const rows = (table: Readonly<Record<string, string>>): string =>
  Object.entries(table)
    .map(([name, text]) => row(name, text))
    .join('');

function optionRows(options: Command['options']): string {
  return options
    .map(({ name, value, help }) => row(value === undefined ? name : `${name} ${value}`, help))
    .join('');
}

function commandSection(command: Command): string {
  const forms = command.usage.map((form) => `.B egret ${plain(form)}\n`).join('.br\n');
  const common = new Set(commonOptions.map(({ name }) => name));
  const own = optionsOf(command).filter(({ name }) => !common.has(name));
  return `.SS ${plain(command.name)}\n${forms}.PP\n${plain(command.help)}\n${optionRows(own)}`;
}

/** The page as troff. */
export function manPage(commands: readonly Command[]): string {
  return `.TH EGRET 8 "" "Egret ${version}" "Egret"
.SH NAME
egret \\- an egress gateway for many VRFs
.SH SYNOPSIS
.B egret
.RI [ OPTION ...]
.I COMMAND
.RI [ WORD ...]
.SH DESCRIPTION
${plain('Egret sends the packets of each client out through the right external network, with the source address of the egress gateway of that client, also when two networks use the same addresses. The program egretd is the control plane; egret-forwarder forwards. This program starts egretd, asks it and changes what it does.')}
.SH COMMANDS
${commands.map(commandSection).join('')}.SH OPTIONS
These are common to all commands.
${optionRows(commonOptions)}.SH EXIT STATUS
${rows(exitStatuses)}.SH FILES
${rows(files)}.SH SEE ALSO
.BR systemctl (1),
.BR ip (8)
`;
}
