// SPDX-License-Identifier: Apache-2.0
/** What the status socket answers: views and `why`. Its requests change nothing and have no body. */

import type { Service } from '../ipc/connection.ts';
import type { Answer } from '../ipc/protocol.ts';
import { assert } from '../lib/assert.ts';
import { showLog } from './log.ts';
import type { LiveParts } from './parts.ts';
import { parseRequest } from './request.ts';
import { ping } from './trial/ping.ts';
import { tcpCheck } from './trial/tcp-check.ts';
import { traceroute } from './trial/traceroute.ts';
import { viewNamed } from './views.ts';
import { explain } from './why.ts';
import { printWhy } from './why-report.ts';

export const statusGroup = 'egret-status';

/** Of `why`, so that a script sees it. */
const exitDropped = 5;

/** @param partsNow - called for each request */
export function statusService(partsNow: () => LiveParts): Service {
  return {
    group: statusGroup,
    warning: () => refusal(partsNow()),
    answer: (line) => answer(line, partsNow()),
  };
}

async function* answer(line: string, parts: LiveParts): Answer {
  const request = parseRequest(line);
  if (request.command === 'why') {
    const report = explain(parts, request.client, request.destination);
    yield printWhy(report, request);
    return report.verdict === 'dropped' ? exitDropped : undefined;
  }
  if (request.command === 'ping') return yield* ping(parts, request.words, request);
  if (request.command === 'traceroute') {
    return yield* traceroute(parts, request.words, request.hopsMax);
  }
  if (request.command === 'log') return yield* showLog(parts.clock, request.isFollowing);
  if (request.command === 'tcp-check') return yield* tcpCheck(parts, request.words);
  const view = viewNamed(request.view);
  assert(view !== undefined, 'a request names a view that exists');
  yield* view.print(parts, request.words, request);
  return undefined;
}

/** @returns undefined while the newest configuration runs */
export function refusal({ configErrors }: LiveParts): string | undefined {
  if (configErrors.length === 0) return undefined;
  return ['the newest configuration was refused, an older one runs:', ...configErrors].join('\n');
}
