// SPDX-License-Identifier: Apache-2.0
/**
 * `egret check`: every error of a configuration, and its notes, without touching anything. What of the
 * host does not fit is no error: it is a note.
 */
import type { Model, Note } from '../model/model.ts';
import type { ConfigSet } from './config-set.ts';
import { loadConfig, resolveConfig } from './load.ts';
import type { Resolution } from './resolve/resolve.ts';
import { formatErrors, formatLocation, type LocatedError } from './yaml/located.ts';

export interface CheckReport {
  readonly isValid: boolean;
  readonly text: string;
}

export interface CheckOptions {
  readonly isJson: boolean;
  /** Notes are errors. */
  readonly isStrict?: boolean;
  /** What the path `-` is. */
  readonly input?: Uint8Array | undefined;
}

const inputSet = (bytes: Uint8Array = new Uint8Array()): ConfigSet => ({
  path: '-',
  files: [{ path: '-', bytes }],
  errors: [],
});

/** A note about the host. */
export interface HostNote extends Note {
  readonly hint: string;
}

/**
 * @param paths - `-`: the input; otherwise each a file or a folder, and each a configuration of its own
 * @param hostNotes - what of this host does not fit a Model
 */
export async function checkConfigs(
  paths: readonly string[],
  options: CheckOptions,
  hostNotes?: HostNotes,
): Promise<CheckReport> {
  const resolved = paths.map((path) => ({
    path,
    result: path === '-' ? resolveConfig(inputSet(options.input)) : loadConfig(path),
  }));
  return reportOn(resolved, options, hostNotes);
}

type HostNotes = (model: Model) => Promise<readonly HostNote[]>;

/** The same for configurations that were read already. */
export async function reportOn(
  resolved: readonly { readonly path: string; readonly result: Resolution }[],
  { isJson, isStrict = false }: CheckOptions,
  hostNotes: HostNotes = async () => [],
): Promise<CheckReport> {
  const checks: Check[] = [];
  for (const { path, result } of resolved) {
    if (result.kind === 'errors') checks.push({ path, errors: result.errors, notes: [] });
    else {
      const { model } = result;
      const notes = [...model.notes, ...(await hostNotes(model))];
      checks.push({ path, model, errors: [], notes });
    }
  }
  const isValid = checks.every(
    ({ model, notes }) => model !== undefined && !(isStrict && notes.length > 0),
  );
  if (isJson) {
    const rows = checks.flatMap(({ errors }) => errors.map(errorRow));
    const notes = checks.flatMap((check) => check.notes.map(noteRow));
    return { isValid, text: `${JSON.stringify({ schema: 'egret.check/1', rows, notes })}\n` };
  }
  return { isValid, text: checks.map((check) => textOf(check, isStrict)).join('') };
}

/** Of one configuration. */
interface Check {
  readonly path: string;
  /** undefined: it has errors. */
  readonly model?: Model;
  readonly errors: readonly LocatedError[];
  readonly notes: readonly (Note | HostNote)[];
}

function textOf({ path, model, errors, notes }: Check, isStrict: boolean): string {
  if (!model) return `${formatErrors(errors)}${path}: ${errors.length} error(s)\n`;
  const isRefused = isStrict && notes.length > 0;
  const verdict = isRefused
    ? `${notes.length} note(s), refused by --strict`
    : `ok, ${summary(model)}`;
  return `${notes.map(formatNote).join('')}${path}: ${verdict}\n`;
}

/** As `--json` has it. */
export function errorRow(error: LocatedError): Record<string, unknown> {
  const { at, path, message, hint } = error;
  return {
    file: at.file,
    line: at.line,
    column: at.column,
    field: path,
    message,
    hint: hint ?? null,
  };
}

function noteRow(note: Note | HostNote): Record<string, unknown> {
  const { at, text } = note;
  return {
    file: at?.file ?? null,
    line: at?.line ?? null,
    column: at?.column ?? null,
    message: text,
    hint: 'hint' in note ? note.hint : null,
  };
}

function formatNote(note: Note | HostNote): string {
  const where = note.at ? `${formatLocation(note.at)}: ` : '';
  return `${where}note: ${note.text}\n${'hint' in note ? `  hint: ${note.hint}\n` : ''}`;
}

function summary(model: Model): string {
  const counts: [number, string][] = [
    [model.networks.length, 'network'],
    [model.neighbors.length, 'neighbor'],
    [model.gateways.length, 'gateway'],
    [model.clients.length, 'client'],
  ];
  return counts.map(([count, word]) => `${count} ${word}${count === 1 ? '' : 's'}`).join(', ');
}
