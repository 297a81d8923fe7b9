// SPDX-License-Identifier: Apache-2.0
/**
 * Operating errors: what an operator sees when something outside the program is wrong.
 *
 * One registry holds every code. Codes are permanent. `message` says what happened and why, `hint`
 * what to do. docs/errors.md is generated from this file (`make docs`).
 *
 * Not here: protocol errors (bgp/wire returns the NOTIFICATION to send) and programmer errors
 * (lib/assert.ts).
 */

/** Exit status of the commands: 1 usage, 2 invalid config, 3 not found, 4 not reachable, 5 it failed. */
export type ExitStatus = 1 | 2 | 3 | 4 | 5;

interface ErrorKind {
  readonly message: (details: Record<string, string | number>) => string;
  readonly hint: string;
  readonly exit: ExitStatus;
}

/** What asks something (`did you mean …?`) has its mark already. */
const sentence = (what: string | number | undefined): string =>
  `${what}`.endsWith('?') ? `${what}` : `${what}.`;

const registry = {
  USAGE: {
    message: ({ what }) => sentence(what),
    hint: 'egret help lists the commands.',
    exit: 1,
  },
  CONFIG_INVALID: {
    message: ({ errors }) => `The configuration has ${errors} error(s).`,
    hint: 'egret check PATH prints all of them.',
    exit: 2,
  },
  NOT_FOUND: {
    message: ({ what, near = '' }) => sentence(`${what} does not exist${near}`),
    hint: 'The names are those of egret show.',
    exit: 3,
  },
  OUTPUT_FAILED: {
    message: ({ reason }) => `The output could not be written: ${reason}.`,
    hint: 'Is the disk of standard output full?',
    exit: 1,
  },
  DAEMON_UNREACHABLE: {
    message: ({ path }) => `No egretd answers at ${path}.`,
    hint: 'Start it with egret run, or give its --run-dir.',
    exit: 4,
  },
  ACCESS_DENIED: {
    message: ({ path }) => `You may not open ${path}.`,
    hint: 'It is for root and for the members of its group.',
    exit: 4,
  },
  RUN_DIR_LOCKED: {
    message: ({ path }) => `Another egretd owns ${path}.`,
    hint: 'Each daemon needs a --run-dir of its own.',
    exit: 1,
  },
  RUN_DIR_UNUSABLE: {
    message: ({ path, reason }) => `${path} cannot be a run directory: ${reason}.`,
    hint: 'Give another --run-dir; it is made when it does not exist.',
    exit: 1,
  },
  STATE_DIR_UNUSABLE: {
    message: ({ path, reason }) => `${path} cannot be a state directory: ${reason}.`,
    hint: 'Give another --state-dir; it is made when it does not exist. Without one nothing is applied.',
    exit: 1,
  },
  STATE_DIR_LOCKED: {
    message: ({ path }) => `Another egretd owns ${path}.`,
    hint: 'Each daemon needs a --state-dir of its own.',
    exit: 1,
  },
  STATE_NOT_WRITTEN: {
    message: ({ reason }) => `The history could not be written: ${reason}.`,
    hint: 'Nothing was changed. Make room on the disk of the state directory.',
    exit: 1,
  },
  CONFIG_BUSY: {
    message: ({ holder }) => `The configuration is being changed by ${holder}.`,
    hint: 'Nothing was changed. Try again when that is done.',
    exit: 1,
  },
  NOTHING_TO_CONFIRM: {
    message: () => 'No configuration waits for confirm.',
    hint: 'egret history shows what runs, and what was reverted.',
    exit: 5,
  },
  VERSION_DAMAGED: {
    message: ({ version }) => `Version ${version} of the history is damaged.`,
    hint: 'egret history lists the others.',
    exit: 1,
  },
  FILE_REFUSED: {
    message: ({ file, reason }) => `${file}: ${reason}.`,
    hint: 'Nothing was changed. A file is named NAME.yaml or NAME.yml, without a folder.',
    exit: 1,
  },
  ARENA_TOO_SMALL: {
    message: ({ what, room }) =>
      `The configuration needs more ${what} than the arena has room for (${room}).`,
    hint: 'Stop egretd in order and start it again: the new arena fits. Its sessions are lost.',
    exit: 1,
  },
  ARENA_NOT_MADE: {
    message: ({ path, bytes, reason }) =>
      `The arena of ${bytes} bytes could not be made at ${path}: ${reason}.`,
    hint: 'Make room there (mount -o remount,size=SIZE /dev/shm), or lower limits of the Appliance.',
    exit: 1,
  },
  NATIVE_FAILED: {
    message: ({ call, code, reason }) => `${call} failed: ${code}${reason ? ` (${reason})` : ''}.`,
    hint: 'The log lines before this one show what egretd was doing.',
    exit: 1,
  },
  NETLINK_REFUSED: {
    message: ({ request, reason }) => `The kernel refused ${request}: ${reason}.`,
    hint: 'egretd needs CAP_NET_ADMIN in its network namespace.',
    exit: 1,
  },
  NFT_FAILED: {
    message: ({ reason }) => `nft refused the guard: ${reason}.`,
    hint: 'Install nftables; egretd does not forward without its guard.',
    exit: 1,
  },
  NEIGHBOR_NOT_CLEARED: {
    message: ({ neighbor, reason }) => `Neighbor ${neighbor} was not cleared: ${reason}.`,
    hint: 'See its row in egret show neighbors.',
    exit: 5,
  },
  SYSTEM_REFUSED: {
    message: ({ what, reason }) => `${what} is not possible: ${reason}.`,
    hint: 'On a box without systemd use what it has instead.',
    exit: 1,
  },
  TRIALS_BUSY: {
    message: ({ count }) => `${count} of ping, traceroute and tcp-check run already.`,
    hint: 'Wait until one of them is through.',
    exit: 1,
  },
  FORWARDER_FAILED: {
    message: ({ reason }) => `The forwarder did not start: ${reason}.`,
    hint: 'build/egret-forwarder must be in the folder of build/egret; its own message is in the log.',
    exit: 1,
  },
  NO_IMAGE: {
    message: () => 'This system does not run from a slot of the image.',
    hint: 'Updates of an installed package are those of the package manager.',
    exit: 1,
  },
  PARTITION_MISSING: {
    message: ({ name }) => `The disk of the running slot has no partition ${name}.`,
    hint: 'Write the disk image again; docs/image.md has the list of partitions.',
    exit: 1,
  },
  ESP_UNUSABLE: {
    message: ({ what }) => `grub/grubenv on egret-esp cannot be used: ${what}.`,
    hint: 'It must be a file of 1,024 bytes in a FAT32 file system; the running slot is not in danger.',
    exit: 1,
  },
  UPDATE_INVALID: {
    message: ({ what }) => `The update was not taken: ${what}.`,
    hint: 'The running slot is as before. Was the file copied whole, and is it egret-VERSION.update?',
    exit: 5,
  },
  UPDATE_UNSIGNED: {
    message: ({ what }) => `The update ${what}.`,
    hint: 'egret image status lists the trusted keys. On the console --allow-unsigned takes it.',
    exit: 5,
  },
  UPDATE_TOO_OLD: {
    message: ({ version, floor }) => `Version ${version} is older than ${floor}.`,
    hint: 'No version before one that this box has confirmed is taken again.',
    exit: 5,
  },
  CONSOLE_ONLY: {
    message: () => '--allow-unsigned is taken on the console only.',
    hint: 'Install a signed update, or use the serial line or the screen of the box.',
    exit: 1,
  },
  SLOT_UNCONFIRMED: {
    message: () => 'The running slot is tried and not confirmed yet.',
    hint: 'The other slot is the one to come back to, and is not written. Try again in a minute.',
    exit: 5,
  },
  SLOT_DAMAGED: {
    message: ({ name }) => `What was written as ${name} reads back as something else.`,
    hint: 'Is the disk failing? The running slot is as before.',
    exit: 5,
  },
  INSTALL_BUSY: {
    message: () => 'Another update is being installed.',
    hint: 'Wait for it to end.',
    exit: 5,
  },
  INSTALL_FAILED: {
    message: ({ reason }) => `The update was not installed: ${reason}.`,
    hint: 'The running slot is as before; the journal has more.',
    exit: 5,
  },
} as const satisfies Record<string, ErrorKind>;

export type ErrorCode = keyof typeof registry;

export class EgretError extends Error {
  readonly code: ErrorCode;
  readonly hint: string;
  readonly exit: ExitStatus;
  /** file:line:column, for configuration. */
  readonly at: string | undefined;

  constructor(
    code: ErrorCode,
    details: Record<string, string | number> = {},
    more: { readonly at?: string; readonly cause?: unknown } = {},
  ) {
    const kind: ErrorKind = registry[code];
    super(kind.message(details), { cause: more.cause });
    this.name = 'EgretError';
    this.code = code;
    this.hint = kind.hint;
    this.exit = kind.exit;
    this.at = more.at;
  }
}

/** The registry's rows, for docs/errors.md. */
export function errorKinds(): { code: string; message: string; hint: string; exit: number }[] {
  const placeholders = new Proxy({}, { get: (_, name) => `<${String(name)}>` });
  return Object.entries(registry).map(([code, kind]) => ({
    code,
    message: kind.message(placeholders),
    hint: kind.hint,
    exit: kind.exit,
  }));
}
