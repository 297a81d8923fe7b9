// SPDX-License-Identifier: Apache-2.0
/** What the image service asks egretd, over its sockets. */
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { ask } from '../ipc/client.ts';
import { EgretError } from '../lib/errors.ts';
import { boolean, type JsonValue, list, object, readJson, text } from '../lib/json-schema.ts';

/** Of `egret show networks --json`. */
const networksSchema = object({
  rows: list(object({ name: text(), ready: boolean(), reason: text() })),
});

export type NetworkRow = JsonValue<typeof networksSchema>['rows'][number];

/** @throws EgretError DAEMON_UNREACHABLE */
export async function networkRows(runDir: string): Promise<readonly NetworkRow[]> {
  const path = join(runDir, 'status.sock');
  const request = { command: 'show', view: 'networks', isJson: true };
  const { status, text } = await answerOf(path, request);
  const result = readJson(networksSchema, status === 0 ? JSON.parse(text) : undefined);
  if (!result.ok) throw new EgretError('DAEMON_UNREACHABLE', { path });
  return result.value.rows;
}

/** Lets neighbors take other ways. @returns what came of it, in a line */
export async function drain(runDir: string, who: string): Promise<string> {
  const path = join(runDir, 'admin.sock');
  try {
    const { status, text } = await answerOf(path, { command: 'drain', who });
    return status === 0 ? text.trim() : 'egretd did not drain';
  } catch (error) {
    if (error instanceof EgretError) return 'not drained: no egretd answers';
    throw error;
  }
}

async function answerOf(path: string, request: object): Promise<{ status: number; text: string }> {
  const out = new Collected();
  const status = await ask({ path, request, out, errors: new Collected() });
  return { status, text: out.text };
}

class Collected extends Writable {
  text = '';

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}
