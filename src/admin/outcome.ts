// SPDX-License-Identifier: Apache-2.0
/** What `apply` and `rollback` print, and their options. */
import type { Outcome, Who } from '../apply/control.ts';
import { effectLines } from '../apply/effects.ts';
import { errorRow } from '../config/check.ts';
import { formatErrors } from '../config/yaml/located.ts';
import type { Answer } from '../ipc/protocol.ts';
import { EgretError } from '../lib/errors.ts';
import { parseDurationMs } from '../net/duration.ts';
import type { AdminCall } from './command.ts';

/** Shorter, no one confirms in time; longer, it is no safety net any more. */
const confirmMinMs = 1_000;
const confirmMaxMs = 24 * 3_600_000;
const messageMax = 1_000;

/** @throws EgretError USAGE */
export function whoOf({ who, options }: AdminCall): Who {
  const message = options['--message'] ?? '';
  if (message.length > messageMax || /\p{Cc}/u.test(message)) {
    throw new EgretError('USAGE', { what: `--message takes one line of ${messageMax} characters` });
  }
  const confirm = options['--confirm'];
  if (confirm === undefined) return { who, message };
  const confirmMs = parseDurationMs(confirm);
  if (confirmMs === undefined || confirmMs < confirmMinMs || confirmMs > confirmMaxMs) {
    throw new EgretError('USAGE', { what: `--confirm takes 1s to 24h, not ${confirm}` });
  }
  return { who, message, confirmMs };
}

/** Does it, and prints what came of it: the answer begins before it is in force. */
export async function* printOutcome(outcome: Promise<Outcome>, isJson: boolean): Answer {
  const result = await caught(outcome);
  if (result instanceof EgretError) {
    // Errors of the host have their places.
    if (result.at === undefined) throw result;
    yield isJson
      ? `${JSON.stringify({ schema: 'egret.check/1', rows: [errorOf(result)] })}\n`
      : `${result.at}\n`;
    return result.exit;
  }
  if (result.kind === 'errors') {
    yield isJson
      ? `${JSON.stringify({ schema: 'egret.check/1', rows: result.errors.map(errorRow) })}\n`
      : `${formatErrors(result.errors)}${result.errors.length} error(s): nothing was changed\n`;
    return 2;
  }
  yield isJson
    ? `${JSON.stringify({ schema: 'egret.apply/1', ...rowOf(result) })}\n`
    : textOf(result);
  return result.kind === 'applied' && result.trouble !== undefined ? 5 : 0;
}

async function caught(outcome: Promise<Outcome>): Promise<Outcome | EgretError> {
  try {
    return await outcome;
  } catch (error) {
    if (error instanceof EgretError) return error;
    throw error;
  }
}

const errorOf = ({ at, message, hint }: EgretError): object => ({ at, message, hint });

function rowOf(result: Exclude<Outcome, { kind: 'errors' }>): object {
  const { version, until = null } = result;
  const isApplied = result.kind === 'applied';
  return {
    version: version ?? null,
    isChanged: isApplied,
    confirmUntil: until,
    isInForce: !isApplied || result.trouble === undefined,
    trouble: isApplied ? (result.trouble ?? null) : null,
    effects: isApplied ? result.effects : [],
  };
}

function textOf(result: Exclude<Outcome, { kind: 'errors' }>): string {
  const { version, until } = result;
  const lines: string[] = [];
  if (result.kind === 'nothing') {
    lines.push(`nothing to do: version ${version} runs, and these are its files`);
  } else {
    const { effects, trouble } = result;
    lines.push(
      trouble === undefined
        ? `version ${version} is in force`
        : `version ${version} runs, but is not in force: ${trouble}`,
    );
    lines.push(...(effects.length > 0 ? effectLines(effects) : ['  nothing else changes']));
  }
  if (until !== undefined) lines.push(`it is reverted at ${until} unless you say: egret confirm`);
  return `${lines.join('\n')}\n`;
}
