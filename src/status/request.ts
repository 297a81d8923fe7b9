// SPDX-License-Identifier: Apache-2.0
/** What is sent over the status socket: a request, which is checked completely before it is used. */
import { EgretError } from '../lib/errors.ts';
import { parseRequestLine, readRequest } from '../lib/json-request.ts';
import {
  boolean,
  choice,
  defaulted,
  integer,
  type JsonValue,
  list,
  nullable,
  object,
  text,
} from '../lib/json-schema.ts';
import { viewNames } from './views.ts';

const command = object({
  command: choice(['show', 'why', 'ping', 'traceroute', 'tcp-check', 'log']),
});

/** Columns of the terminal; null: no limit. */
const width = defaulted(nullable(integer()), null);

const show = object({
  command: choice(['show']),
  view: choice(viewNames),
  isJson: defaulted(boolean(), false),
  width,
  /** What follows the view's name on the command line. */
  words: defaulted(list(text()), []),
});

const why = object({
  command: choice(['why']),
  client: text(),
  destination: text(),
  isJson: defaulted(boolean(), false),
  width,
});

const words = list(text(), 'As the command line has them');

const ping = object({
  command: choice(['ping']),
  words,
  count: defaulted(integer(), 5),
  size: defaulted(integer(), 56),
  isWhole: defaulted(boolean(), false),
});

const traceroute = object({
  command: choice(['traceroute']),
  words,
  hopsMax: defaulted(integer(), 30),
});

const tcpCheck = object({ command: choice(['tcp-check']), words });

const log = object({ command: choice(['log']), isFollowing: defaulted(boolean(), false) });

const requests = { log, show, why, ping, traceroute, 'tcp-check': tcpCheck } as const;

export type StatusRequest = {
  [Name in keyof typeof requests]: JsonValue<(typeof requests)[Name]>;
}[keyof typeof requests];

/** @throws EgretError USAGE, naming what is wrong */
export function parseRequest(line: string): StatusRequest {
  const value = parseRequestLine(line);
  const { command: name } = readRequest(command, value);
  const request = readRequest<StatusRequest>(requests[name], value);
  checkRanges(request);
  return request;
}

/** So that no one keeps a run going for long. @throws EgretError USAGE */
function checkRanges(request: StatusRequest): void {
  if (request.command === 'ping') {
    within('--count', request.count, 1, 100);
    within('--size', request.size, 0, 1900);
  }
  if (request.command === 'traceroute') within('--max-hops', request.hopsMax, 1, 64);
}

function within(what: string, value: number, min: number, max: number): void {
  if (value >= min && value <= max) return;
  throw new EgretError('USAGE', { what: `${what} is from ${min} to ${max}` });
}
