// SPDX-License-Identifier: Apache-2.0
/**
 * Names of things that exist, for completion: asked of egretd over the status socket as JSON views, and
 * only as far as they are needed. Without an answer in time there is none to offer.
 */
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { ask } from '../../ipc/client.ts';
import { systemClock } from '../../lib/clock.ts';
import { onOneLine } from '../../lib/printable.ts';
import { viewNamed } from '../../status/views.ts';
import type { Expected } from './grammar.ts';

type Row = Readonly<Record<string, unknown>>;

interface Source {
  readonly view: string;
  readonly names: (row: Row) => readonly unknown[];
}

const networks: Source = { view: 'networks', names: ({ name }) => [name] };
const gateways: Source = {
  view: 'gateways',
  names: ({ namespace, name }) => [`${namespace}/${name}`],
};
const neighbors: Source = { view: 'neighbors', names: ({ address }) => [address] };
const interfaces: Source = { view: 'interfaces', names: ({ name }) => [name] };
const prefixes: Source = { view: 'route', names: ({ prefix }) => [prefix] };
const clients: Source = {
  view: 'clients',
  names: ({ prefixes: own }) =>
    (own as string[]).map((prefix) => (prefix.endsWith('/32') ? prefix.slice(0, -3) : prefix)),
};
const tables: Source = { view: 'networks', names: ({ table }) => [`${table}`] };

/** By the placeholder, or by the fixed word before it. */
const sources: Readonly<Record<string, readonly Source[]>> = {
  NETWORK: [networks],
  GATEWAY: [gateways],
  NEIGHBOR: [neighbors],
  INTERFACE: [interfaces],
  PREFIX: [prefixes],
  CLIENT: [clients],
  SOURCE: [gateways, networks, clients],
  network: [networks],
  gateway: [gateways],
  neighbor: [neighbors],
  interface: [interfaces],
  client: [clients],
  table: [tables],
  from: [gateways, networks, clients],
};

const namesMax = 200;
const timeoutMs = 1_500;

/** @returns those that begin so, without those that a terminal would obey; [] when none are known */
export async function namesFor(
  { text, after }: Expected,
  start: string,
  { runDir, who }: { readonly runDir: string; readonly who: string },
): Promise<string[]> {
  if (text === 'FILE') {
    const files: Source = { view: 'config', names: ({ name }) => [name] };
    const request = { command: 'config', words: ['list'], isJson: true, who };
    return (await namesOf(files, start, join(runDir, 'admin.sock'), request)).sort();
  }
  const path = join(runDir, 'status.sock');
  const kinds = sources[text] ?? (after === undefined ? undefined : sources[after]) ?? [];
  const found = await Promise.all(
    kinds.map((source) => {
      const request = { command: 'show', view: source.view, isJson: true };
      return viewNamed(source.view) ? namesOf(source, start, path, request) : [];
    }),
  );
  return [...new Set(found.flat())].sort().slice(0, namesMax);
}

/** Whether there are names to ask for. */
export function knowsNames({ text, after }: Expected): boolean {
  return text === 'FILE' || text in sources || (after !== undefined && after in sources);
}

async function namesOf(
  source: Source,
  start: string,
  path: string,
  request: unknown,
): Promise<string[]> {
  const names = new Set<string>();
  const collect = (row: Row): void => {
    for (const name of source.names(row)) {
      const isClean = typeof name === 'string' && name !== '' && onOneLine(name) === name;
      if (isClean && name.startsWith(start)) names.add(name);
    }
  };
  const out = new RowReader(collect, () => names.size >= namesMax);
  const late = systemClock.after(timeoutMs, () => out.destroy(new Error('late')));
  const errors = new Writable({ write: (_chunk, _encoding, done) => done() });
  try {
    await ask({ path, request, out, errors });
  } catch {
    return [];
  } finally {
    late.clear();
  }
  return [...names];
}

/** Reads `{"schema": …, "rows": […]}`, a row or all rows a line, until there are enough. */
class RowReader extends Writable {
  readonly #take: (row: Row) => void;
  readonly #isEnough: () => boolean;
  #partial = '';

  constructor(take: (row: Row) => void, isEnough: () => boolean) {
    super({ decodeStrings: false });
    this.#take = take;
    this.#isEnough = isEnough;
    this.on('error', () => {});
  }

  override _write(chunk: string, _encoding: string, done: (error?: Error) => void): void {
    const lines = (this.#partial + chunk).split('\n');
    this.#partial = lines.pop()!;
    for (const line of lines) {
      const rows = line.replace(/^\{"schema":[^[]*"rows":\[/, '').replace(/,$|\]\}$/, '');
      for (const row of JSON.parse(`[${rows}]`) as Row[]) this.#take(row);
    }
    done(this.#isEnough() ? new Error('enough') : undefined);
  }
}
