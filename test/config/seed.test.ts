// SPDX-License-Identifier: Apache-2.0
/** The seed's two manifests, verbatim, with the least that they need in addition. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { resolveDocuments } from '../../src/config/resolve/resolve.ts';
import { parseFile } from '../../src/config/yaml/documents.ts';
import { formatErrors, makeReport } from '../../src/config/yaml/located.ts';
import type { Model } from '../../src/model/model.ts';
import { parseIpv4, parseIpv4Prefix } from '../../src/net/ipv4.ts';

const folder = join(import.meta.dirname, 'seed');

function loadSeed(): Model {
  const loaded = loadConfig(folder);
  if (loaded.kind === 'errors') throw new Error(formatErrors(loaded.errors));
  return loaded.model;
}

function prefix(text: string): { address: number; length: number } | undefined {
  const parsed = parseIpv4Prefix(text);
  return parsed && { address: parsed.address, length: parsed.length };
}

describe('the seed', () => {
  it('has a network, a neighbor, a gateway and a client', () => {
    const model = loadSeed();
    expect(model.features).toEqual({
      hasExternalNetworks: true,
      egressIpSupport: 'EnabledPerNamespaceOrPerPod',
      egressIpRulePriority: 100,
      externalNetworkRulePriority: 102,
    });
    expect(model.networks).toMatchObject([{ name: 'red', routeTableIndex: 500, interfaces: [] }]);
    expect(model.neighbors).toMatchObject([
      {
        name: 'red',
        network: 'red',
        address: parseIpv4('172.16.1.140'),
        port: 179,
        remoteAs: 64512,
        localAs: 64512,
        sourceAddress: 'None',
        holdTimeMs: 90_000,
        maxRestartTimeMs: 120_000,
      },
    ]);
    expect(model.gateways).toMatchObject([
      {
        namespace: 'default',
        name: 'egress-red',
        replicas: 1,
        pools: [{ name: undefined, prefix: prefix('10.50.0.2/31') }],
        networks: ['red'],
        labels: new Map([['egress-code', 'red']]),
        logSeverity: 'Info',
        terminationGracePeriodMs: 0,
        failureDetection: undefined,
      },
    ]);
    const [client] = model.clients;
    expect(client?.prefixes).toEqual([prefix('10.1.0.0/24')]);
    expect(model.policies).toEqual([
      {
        name: client?.policy,
        rules: [
          {
            destination: prefix('0.0.0.0/0'),
            description: undefined,
            action: { kind: 'gateway', gateways: ['default/egress-red'], maxNextHops: 0 },
          },
        ],
      },
    ]);
    expect(model.elsewhere).toEqual([]);
  });

  it('notes what it assumes', () => {
    const texts = loadSeed().notes.map(({ text }) => text);
    expect(texts.join('\n')).toMatch(/egressIPSupport is not set: EnabledPerNamespaceOrPerPod/);
    expect(texts.join('\n')).toMatch(/There is no Node: every nodeSelector matches/);
    expect(texts.join('\n')).toMatch(/The pool 10.50.0.2\/31 is created/);
  });

  it('refuses three replicas in a pool of two', () => {
    const report = makeReport();
    const file = join(folder, 'egress-gateway.yaml');
    const text = readFileSync(file, 'utf8').replace('replicas: 1', 'replicas: 3');
    const prerequisites = readFileSync(join(folder, 'prerequisites.yaml'));
    const documents = [
      ...parseFile(file, Buffer.from(text), report),
      ...parseFile('prerequisites.yaml', prerequisites, report),
    ];
    const resolution = resolveDocuments(documents, report);
    const errors = resolution.kind === 'errors' ? resolution.errors : [];
    expect(formatErrors(errors)).toContain(
      ':8:13: spec.replicas: 3 replicas need as many addresses',
    );
  });
});
