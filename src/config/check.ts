// SPDX-License-Identifier: Apache-2.0
/** `egret check`: every error of a configuration, and its notes, without touching anything. */
import type { Model } from '../model/model.ts';
import { loadConfig } from './load.ts';
import { formatErrors, formatLocation, type LocatedError } from './yaml/located.ts';

export interface CheckReport {
  readonly isValid: boolean;
  readonly text: string;
}

/** @param paths - each a file or a folder, and each a configuration of its own */
export function checkConfigs(paths: readonly string[], isJson: boolean): CheckReport {
  const results = paths.map((path) => ({ path, result: loadConfig(path) }));
  const isValid = results.every(({ result }) => result.kind === 'model');
  if (isJson) {
    const rows = results.flatMap(({ result }) => (result.kind === 'errors' ? result.errors : []));
    return {
      isValid,
      text: `${JSON.stringify({ schema: 'egret.check/1', rows: rows.map(errorRow) })}\n`,
    };
  }
  const text = results
    .map(({ path, result }) =>
      result.kind === 'errors'
        ? `${formatErrors(result.errors)}${path}: ${result.errors.length} error(s)\n`
        : `${formatNotes(result.model)}${path}: ok, ${summary(result.model)}\n`,
    )
    .join('');
  return { isValid, text };
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

function formatNotes(model: Model): string {
  return model.notes
    .map(({ at, text }) => `${at ? `${formatLocation(at)}: ` : ''}note: ${text}\n`)
    .join('');
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
