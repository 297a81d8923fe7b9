// SPDX-License-Identifier: Apache-2.0
/**
 * `egret check`: every error of a configuration, and its notes, without touching anything. What of the
 * host does not fit is no error: it is a note.
 */
import type { Model, Note } from '../model/model.ts';
import { loadConfig } from './load.ts';
import { formatErrors, formatLocation, type LocatedError } from './yaml/located.ts';

export interface CheckReport {
  readonly isValid: boolean;
  readonly text: string;
}

/** A note about the host. */
export interface HostNote extends Note {
  readonly hint: string;
}

/**
 * @param paths - each a file or a folder, and each a configuration of its own
 * @param hostNotes - what of this host does not fit a Model
 */
export async function checkConfigs(
  paths: readonly string[],
  isJson: boolean,
  hostNotes: (model: Model) => Promise<readonly HostNote[]> = async () => [],
): Promise<CheckReport> {
  const checks: Check[] = [];
  for (const path of paths) {
    const result = loadConfig(path);
    if (result.kind === 'errors') checks.push({ path, errors: result.errors, notes: [] });
    else {
      const { model } = result;
      const notes = [...model.notes, ...(await hostNotes(model))];
      checks.push({ path, model, errors: [], notes });
    }
  }
  const isValid = checks.every(({ model }) => model !== undefined);
  if (isJson) {
    const rows = checks.flatMap(({ errors }) => errors.map(errorRow));
    const notes = checks.flatMap((check) => check.notes.map(noteRow));
    return { isValid, text: `${JSON.stringify({ schema: 'egret.check/1', rows, notes })}\n` };
  }
  return { isValid, text: checks.map(textOf).join('') };
}

/** Of one configuration. */
interface Check {
  readonly path: string;
  /** undefined: it has errors. */
  readonly model?: Model;
  readonly errors: readonly LocatedError[];
  readonly notes: readonly (Note | HostNote)[];
}

function textOf({ path, model, errors, notes }: Check): string {
  if (!model) return `${formatErrors(errors)}${path}: ${errors.length} error(s)\n`;
  return `${notes.map(formatNote).join('')}${path}: ok, ${summary(model)}\n`;
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
