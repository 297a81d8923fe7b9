// SPDX-License-Identifier: Apache-2.0
import { expect, it } from 'vitest';
import { makeLiveParts } from '../../../test/support/live-parts.ts';
import { ManualClock } from '../../../test/support/manual-clock.ts';
import { resolveDocuments } from '../../config/resolve/resolve.ts';
import { parseFile } from '../../config/yaml/documents.ts';
import { makeReport } from '../../config/yaml/located.ts';
import { parseIpv4, parseIpv4Prefix } from '../../net/ipv4.ts';
import { InternedAttributes } from '../../rib/attributes.ts';
import { Rib } from '../../rib/rib.ts';
import type { LiveParts } from '../parts.ts';
import { type RouteRow, route } from './route.ts';

/** An ExternalNetwork may have the name that means the main table. */
const config = `apiVersion: projectcalico.org/v3
kind: ExternalNetwork
metadata: { name: main }
spec: { routeTableIndex: 500 }
---
apiVersion: projectcalico.org/v3
kind: FelixConfiguration
metadata: { name: default }
spec: { externalNetworkSupport: Enabled }
`;

function ribOf(name: string, connected: string, routes: Readonly<Record<string, string>>): Rib {
  const clock = new ManualClock();
  const rib = new Rib({
    name,
    clock,
    queue: clock.queue,
    attributes: new InternedAttributes({ queue: clock.queue }),
  });
  const announce = (kind: 'connected' | 'static', text: string, nextHop: number): void => {
    const { address, length } = parseIpv4Prefix(text)!;
    const source = rib.openLocal({ kind, name: kind, bgp: undefined });
    source.announceDirect(address, length, { interface: 'eth0', address: nextHop });
  };
  announce('connected', connected, 0);
  for (const [to, via] of Object.entries(routes)) announce('static', to, parseIpv4(via)!);
  clock.settle();
  return rib;
}

function setUp(): LiveParts {
  const report = makeReport();
  const resolved = resolveDocuments(parseFile('t.yaml', Buffer.from(config), report), report);
  if (resolved.kind === 'errors') throw new Error('the configuration is broken');
  const routes = { '0.0.0.0/0': '172.16.1.1', '192.0.2.0/24': '172.16.1.2' };
  const ribs = new Map<string | undefined, Rib>([
    [undefined, ribOf('', '10.0.0.0/24', {})],
    ['main', ribOf('main', '172.16.1.0/24', routes)],
  ]);
  return { ...makeLiveParts(), model: resolved.model, ribs };
}

async function print(words: readonly string[], isJson = false): Promise<string> {
  let text = '';
  for await (const part of route.print(setUp(), words, { isJson, width: null })) text += part;
  return text;
}

async function rowsOf(...words: string[]): Promise<RouteRow[]> {
  return (JSON.parse(await print(words, true)) as { rows: RouteRow[] }).rows;
}

const byDefault = 'default via 172.16.1.1 dev eth0 proto bgp ';

it.each([
  ['192.0.2.9', '192.0.2.0/24 via 172.16.1.2 dev eth0 proto bgp '],
  ['192.0.2.0/24', '192.0.2.0/24 via 172.16.1.2 dev eth0 proto bgp '],
  ['default', byDefault],
  ['0.0.0.0/0', byDefault],
  ['172.16.1.2', byDefault],
])('a table has %s by a route that it prints', async (prefix, line) => {
  expect(await print(['table', '500', prefix])).toBe(`${line}\n`);
  expect(await rowsOf('table', '500', prefix)).toHaveLength(1);
});

it.each([['172.16.1.0/24'], ['198.51.100.0/24']])('a table has no %s', async (prefix) => {
  await expect(print(['table', '500', prefix])).rejects.toThrow('does not exist');
  await expect(rowsOf('table', '500', prefix)).rejects.toThrow('does not exist');
});

it('a network that is named main is not the main table', async () => {
  const rows = await rowsOf('network', 'main');
  expect(rows.map(({ prefix }) => prefix)).toContain('192.0.2.0/24');
});
