// SPDX-License-Identifier: Apache-2.0
/** What differs between two configurations, as `egret diff` puts it: real files, without a host. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { effectLines } from '../apply/effects.ts';
import { loadConfig } from '../config/load.ts';
import { assignAddresses } from '../egress/addresses.ts';
import type { PortChoice } from '../egress/ports.ts';
import { effectsOf, type Outlook, type Running } from './effects.ts';

const folder = mkdtempSync(join(tmpdir(), 'egret-effects-'));
afterAll(() => rmSync(folder, { recursive: true }));

interface Choices {
  readonly remark?: string;
  readonly table?: number;
  readonly holdTime?: string;
  readonly filters?: string;
  readonly pool?: string;
  readonly limits?: number;
  readonly more?: string;
  readonly ports?: readonly PortChoice[];
}

function outlook(choices: Choices = {}): Outlook {
  const { remark = '', table = 500, filters = '', pool = '10.50.0.0/30' } = choices;
  const { holdTime = '90s', limits = 1000, more = '' } = choices;
  const path = join(folder, 'config.yaml');
  writeFileSync(
    path,
    `${remark}
apiVersion: projectcalico.org/v3
kind: FelixConfiguration
metadata: { name: default }
spec: { externalNetworkSupport: Enabled, egressIPSupport: EnabledPerNamespace }
---
apiVersion: projectcalico.org/v3
kind: BGPConfiguration
metadata: { name: default }
spec: { asNumber: 64999 }
---
apiVersion: projectcalico.org/v3
kind: ExternalNetwork
metadata: { name: red }
spec: { routeTableIndex: ${table} }
---
apiVersion: projectcalico.org/v3
kind: BGPFilter
metadata: { name: in }
spec: { importV4: [{ action: Reject, matchOperator: In, cidr: 10.0.0.0/8 }] }
---
apiVersion: projectcalico.org/v3
kind: BGPPeer
metadata: { name: peer }
spec: { peerIP: 172.16.1.140, asNumber: 64512, externalNetwork: red, filters: [${filters}] }
---
apiVersion: egret.dev/v1
kind: Appliance
metadata: { name: box }
spec:
  networks: [{ name: red, interfaces: [ens5] }]
  neighbors: [{ network: red, address: 172.16.1.140, holdTime: ${holdTime} }]
  limits: { sessions: ${limits}, routes: 20000 }
---
apiVersion: operator.tigera.io/v1
kind: EgressGateway
metadata: { name: out, namespace: edge }
spec: { replicas: 1, ipPools: [{ cidr: ${pool} }], externalNetworks: [red] }
${more}`,
  );
  const loaded = loadConfig(path);
  if (loaded.kind === 'errors') throw new Error(JSON.stringify(loaded.errors));
  const { model } = loaded;
  const ports = choices.ports ?? [
    { name: 'ens5', role: 'Networks', networks: ['red'], reason: '' },
  ];
  return { model, ports, assignment: assignAddresses(model.gateways, new Map()) };
}

const ens5 = {
  ...{ name: 'ens5', ifindex: 2, isUp: true, isLoopback: false },
  ...{ mac: new Uint8Array(6), mtu: 1500, addresses: [] },
};
const parts = {
  host: {
    snapshot: () => ({
      links: new Map([['ens5', { ...ens5, hasCarrier: true, mac: '02:00:00:00:00:05' }]]),
      addresses: [],
    }),
  },
  neighbors: { routerId: 1 },
  speaker: { snapshot: () => [{ network: 'red', address: 0xac10018c, accepted: 7 }] },
  vrfs: { ribs: () => new Map([['red', { learnedCount: 7 }]]) },
} as unknown as Running;

const linesOf = (before: Choices, after: Choices): string[] =>
  effectLines(effectsOf(parts, outlook(before), outlook(after)));

test('comments, and lines that move, have no effect', () => {
  expect(linesOf({}, { remark: '# one\n# two' })).toEqual([]);
});

test('what resets a neighbor, and what it takes up as it runs', () => {
  expect(linesOf({}, { holdTime: '30s' })).toEqual([
    '  ~ neighbor red 172.16.1.140: resets (holdTimeMs; 7 routes)',
  ]);
  expect(linesOf({}, { filters: 'in' })).toEqual([
    '  ~ neighbor red 172.16.1.140: refreshes (filters; 7 routes)',
  ]);
});

test('a table that changes moves the routes of its network, and resets its neighbors', () => {
  expect(linesOf({}, { table: 501 })).toEqual([
    '  ~ network red: changed (routeTableIndex; 7 routes)',
    '  ~ neighbor red 172.16.1.140: resets (the table of its network; 7 routes)',
  ]);
});

test('addresses of gateways, interfaces, and what waits for a start', () => {
  expect(linesOf({}, { pool: '10.60.0.0/30' })).toEqual([
    '  ~ gateway edge/out: changed (10.50.0.0 -> 10.60.0.0, pools)',
  ]);
  expect(linesOf({}, { limits: 2000 })).toEqual(['  ! setting limits: next start']);
  expect(linesOf({}, { ports: [] })).toEqual([
    '  - neighbor red 172.16.1.140: stops (7 routes)',
    '  - interface ens5: closes (Networks red)',
  ]);
});

test('many of a kind are summed up', () => {
  const pod = (i: number): string =>
    `---\napiVersion: v1\nkind: Pod\nmetadata: { name: p${i}, namespace: edge }\nstatus: { podIP: 10.1.0.${i} }\n`;
  const more = Array.from({ length: 30 }, (_, i) => pod(i + 1)).join('');
  const lines = linesOf({}, { more });
  expect(lines[0]).toBe('  + client Pod/edge/p1: added');
  expect(lines.at(-1)).toBe('  + 10 more clients: added');
});
