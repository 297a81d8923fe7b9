// SPDX-License-Identifier: Apache-2.0
/**
 * What is sent over the admin socket, and what an admin command is. Each stands in a file of its own,
 * and in the list of commands.ts.
 */

import type { Body } from '../ipc/connection.ts';
import type { Answer } from '../ipc/protocol.ts';
import { EgretError } from '../lib/errors.ts';
import { parseRequestLine, readRequest } from '../lib/json-request.ts';
import {
  boolean,
  defaulted,
  integer,
  type JsonValue,
  list,
  mapping,
  nullable,
  object,
  text,
} from '../lib/json-schema.ts';

const requestSchema = object({
  command: text('As the command line has it'),
  words: defaulted(list(text()), []),
  /** By name; an option without value has ''. */
  options: defaulted(mapping(text()), {}),
  isJson: defaulted(boolean(), false),
  /** Columns of the terminal, for a table that is to fit; null: no limit. */
  width: defaulted(nullable(integer()), null),
  /** Who asks: a key's comment, or the account's name. */
  who: text(),
});

export type AdminRequest = JsonValue<typeof requestSchema>;

export interface AdminCall extends AdminRequest {
  /** What follows the request. */
  readonly body: Body;
}

export interface AdminCommand<Parts> {
  readonly name: string;
  /** @throws EgretError before the first text: nothing was changed */
  readonly run: (call: AdminCall, parts: Parts) => Answer;
}

/** @throws EgretError USAGE, naming what is wrong */
export const parseAdminRequest = (line: string): AdminRequest =>
  readRequest(requestSchema, parseRequestLine(line));

/** @throws EgretError USAGE */
export function takesNoWords({ command, words: [first] }: AdminRequest): void {
  if (first !== undefined) throw new EgretError('USAGE', { what: `${command} takes no ${first}` });
}
