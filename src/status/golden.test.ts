import { expect, test } from 'vitest';
import { makeLiveParts } from '../../test/support/live-parts.ts';
import { LiveStatus } from './live.ts';
import { parseRequest } from './request.ts';
import { printView, printWhy, viewNames } from './views.ts';

async function show(request: object): Promise<string> {
  const parsed = parseRequest(JSON.stringify({ command: 'show', ...request }));
  if (parsed.command !== 'show') throw new Error('not asked for a view');
  let text = '';
  for await (const part of printView(new LiveStatus(makeLiveParts), parsed)) text += part;
  return text;
}

const golden = (name: string): string => `../../test/golden/views/${name}`;

test.each(viewNames)('%s prints what it printed', async (view) => {
  await expect(await show({ view })).toMatchFileSnapshot(golden(`${view}.txt`));
  const json = await show({ view, isJson: true });
  // Counters come and go with the data plane: those that are zero are left out.
  const rows = json.replace(/\{[^{}]*"value":0\}(,\n)?/g, '');
  await expect(rows).toMatchFileSnapshot(golden(`${view}.json.txt`));
});

test.each([
  ['network-red', { network: 'red' }],
  ['network-main', { network: 'main' }],
  ['table-500', { table: 500, isTable: true }],
  ['table-500-prefix', { table: 500, isTable: true, prefix: '192.0.2.9' }],
])('route %s prints what it printed', async (name, route) => {
  const view = 'route';
  await expect(await show({ view, route })).toMatchFileSnapshot(golden(`route-${name}.txt`));
  const json = await show({ view, route, isJson: true });
  await expect(json).toMatchFileSnapshot(golden(`route-${name}.json.txt`));
});

test.each([
  ['forwarded', '10.1.0.2', '192.0.2.10'],
  ['dropped', '10.9.9.9', '192.0.2.10'],
  ['kernel', '10.1.0.2', '172.16.1.2'],
])('why prints what it printed: %s', async (name, client, destination) => {
  const report = new LiveStatus(makeLiveParts).why(client, destination);
  await expect(printWhy(report, false)).toMatchFileSnapshot(golden(`why-${name}.txt`));
  await expect(printWhy(report, true)).toMatchFileSnapshot(golden(`why-${name}.json.txt`));
});
